import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'
import type { Archive } from '../archive/archive.ts'
import { fail, ZappError } from '../errors.ts'
import { thisBoot } from './boot.ts'
import { buildTree } from './build-tree.ts'
import { type Collected, collect } from './collect.ts'
import { dataFolders } from './data-folders.ts'
import { flushLater } from './flush-tree.ts'
import { type Hold, holdTree } from './holds.ts'
import { type CacheLayout, makeLayout, sweepTemp } from './layout.ts'
import { planTree } from './tree-plan.ts'
import { treeState } from './tree-record.ts'
import { trustFolder } from './trust.ts'

export interface CacheOptions {
  /** Made, mode 0700, when it does not exist. */
  readonly dir: string
  /** Bytes that run trees and blobs may take before the trees that were not used for longest go. Default 4 GiB. */
  readonly budget?: number
  /** For tests: names the boot, "" where it has no name. Default: what the system says. */
  readonly boot?: string
}

export interface RunTreeOptions {
  /** Folder that holds one folder per key of the manifest's `data`. Used only where the manifest has `data`. */
  readonly dataRoot?: string
  /** Folders of the container that the app is to see: absolute paths, by their path in the tree. */
  readonly links?: ReadonlyMap<string, string>
  /** Told when the tree is in use, but could not be brought to the disk: whoever asks next gets another one. */
  readonly onError?: (error: unknown) => void
}

/** An app's files on disk, held against collection until it is released. */
export interface RunTree {
  /** The app's root: an absolute path that holds no link. */
  readonly root: string
  /** Absolute paths of the data folders, by key of the manifest's `data`. */
  readonly data: ReadonlyMap<string, string>
  /** The tree was there already. */
  readonly reused: boolean
  /** Resolves when the tree is on the disk: until then a later boot does not use it. Idempotent. */
  release(): Promise<void>
}

export interface Cache {
  readonly dir: string
  /**
   * The run tree of an archive, built where it is missing. Several processes may ask at once, and any may be killed.
   *
   * @throws ZappError CACHE_READ_ONLY; IO; what reading the archive throws, for content that is damaged
   */
  runTree(archive: Archive, options?: RunTreeOptions): Promise<RunTree>
  /** Makes the budget hold and removes blobs that no tree names. Runs by itself after a tree was built. */
  collect(): Promise<Collected>
}

const DEFAULT_BUDGET = 4 * 2 ** 30

/**
 * Opens the cache of run trees (FORMAT.md §Run tree). There is nothing to close.
 *
 * @throws ZappError CACHE_UNTRUSTED where the folder is not this user's alone; CACHE_NONE where it cannot be made
 */
export async function openCache(options: CacheOptions): Promise<Cache> {
  const dir = resolve(options.dir)
  const budget = options.budget ?? DEFAULT_BUDGET
  await trustFolder(dir)
  const { boot = await thisBoot() } = options
  const layout = await makeLayout(dir, boot || undefined)
  await sweepTemp(layout)
  return {
    dir,
    runTree: (archive, options = {}) => asZappError(dir, () => runTree(layout, budget, archive, options)),
    collect: () => asZappError(dir, () => collect(layout, budget)),
  }
}

async function runTree(
  layout: CacheLayout,
  budget: number,
  archive: Archive,
  { dataRoot, links: given = new Map(), onError = () => {} }: RunTreeOptions,
): Promise<RunTree> {
  const folders = [...archive.manifest.data.values()]
  if (folders.length > 0 && dataRoot === undefined) throw new TypeError('this app has data folders: give dataRoot')
  const data = await dataFolders(archive, resolve(dataRoot ?? ''))
  const links = new Map([...given, ...folders.map(({ name, path }): [string, string] => [path, data.get(name)!])])
  const { tree, hold } = await holdFirst(layout, treeName(archive, links))
  const found = { root: join(layout.trees, tree, 'app'), data }
  try {
    const state = await treeState(layout, tree)
    if (state === 'flushed') return { ...found, reused: true, release: hold.release }
    const plan = planTree(archive, links.keys())
    if (state === 'absent') {
      await buildTree(layout, tree, archive, plan, links)
      // A tree is complete without it: what could not be collected now is left to the next build.
      await collect(layout, budget).catch(() => {})
    }
    const own = plan.own.map((entry) => entry.path)
    const flushing = flushLater(layout, tree, own, onError)
    const release = async () => {
      await flushing.end()
      await hold.release()
    }
    return { ...found, reused: state !== 'absent', release }
  } catch (error) {
    await hold.release()
    throw error
  }
}

/** One tree per content and place of its data. Name and version are there for people who read a stack trace. */
function treeName({ manifest, contentDigest }: Archive, links: ReadonlyMap<string, string>): string {
  const key = createHash('sha256').update(JSON.stringify([contentDigest, ...links]))
  return `${manifest.name}-${manifest.version}-${key.digest('hex').slice(0, 32)}`
}

/**
 * Holds the first tree of that name that is not lost. A lost one is left where it is until it is collected: a container
 * that takes itself for a system of its own may be using it.
 */
async function holdFirst(layout: CacheLayout, name: string): Promise<{ tree: string; hold: Hold }> {
  for (let n = 1; ; n++) {
    const tree = n === 1 ? name : `${name}-${n}`
    const hold = await holdTree(layout, tree)
    if ((await treeState(layout, tree)) !== 'lost') return { tree, hold }
    await hold.release()
  }
}

async function asZappError<T>(dir: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ZappError || error instanceof TypeError) throw error
    const { syscall, message } = error as NodeJS.ErrnoException
    throw fail('IO', dir, { operation: syscall ?? 'the cache', reason: message }, error)
  }
}
