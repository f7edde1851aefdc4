import { readdir, rename, rm, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { ignore } from './blobs.ts'
import { withoutUsers } from './holds.ts'
import { type CacheLayout, makeTemp, sweepTemp } from './layout.ts'
import { readBlobNames, readRecord, treeState } from './tree-record.ts'

/** What was removed. */
export interface Collected {
  readonly trees: number
  readonly blobs: number
}

interface Tree {
  readonly name: string
  /** Nobody will use it again: see tree-record.ts. */
  readonly isLost: boolean
  /** Of its own copies. */
  readonly bytes: number
  /** Sizes by name. */
  readonly blobs: ReadonlyMap<string, number>
  /** Moment of last use, ms. */
  readonly used: number
}

/**
 * Removes the trees that are lost, and those that were not used for longest, never one in use, until what the rest holds
 * fits the budget; then the blobs that no tree names. While anybody else builds, blobs stay: they may be about to be named.
 */
export async function collect(layout: CacheLayout, budget: number): Promise<Collected> {
  const temp = await makeTemp(layout)
  try {
    let kept = await readTrees(layout)
    let trees = 0
    for (const tree of [...kept].sort((a, b) => Number(b.isLost) - Number(a.isLost) || a.used - b.used)) {
      if (!tree.isLost && usage(kept) <= budget) break
      const away = () => rename(join(layout.trees, tree.name), join(temp, tree.name)).catch(ignore('ENOENT'))
      if (!(await withoutUsers(layout, tree.name, away))) continue
      kept = kept.filter((t) => t !== tree)
      trees++
    }
    const others = (await sweepTemp(layout)).filter((path) => path !== temp)
    return { trees, blobs: others.length > 0 ? 0 : await removeBlobs(layout) }
  } finally {
    await rm(temp, { recursive: true, force: true })
  }
}

/** Bytes that trees hold: shared content once, copies each. */
function usage(trees: readonly Tree[]): number {
  const blobs = new Map(trees.flatMap((tree) => [...tree.blobs]))
  const copies = trees.reduce((total, tree) => total + tree.bytes, 0)
  return [...blobs.values()].reduce((total, size) => total + size, copies)
}

async function readTrees(layout: CacheLayout): Promise<Tree[]> {
  const names = await readdir(layout.trees)
  const trees = await Promise.all(names.map((name) => readTree(layout, name).catch(ignore('ENOENT'))))
  return trees.filter((tree) => tree !== undefined)
}

async function readTree(layout: CacheLayout, name: string): Promise<Tree> {
  const dir = join(layout.trees, name)
  const { mtimeMs: used } = await stat(join(layout.use, name)).catch(() => stat(dir))
  if ((await treeState(layout, name)) === 'lost') return { name, isLost: true, bytes: 0, blobs: new Map(), used }
  const [record, blobs] = [await readRecord(dir), await readBlobNames(dir)]
  return { name, isLost: false, bytes: record?.bytes ?? 0, blobs, used }
}

async function removeBlobs(layout: CacheLayout): Promise<number> {
  // Listed before the trees are: a blob that a new tree names later is not in this list, or is in that tree's.
  const files = new Set(await readdir(layout.blobs))
  const named = new Set((await readTrees(layout)).flatMap((tree) => [...tree.blobs.keys()]))
  const isNeeded = (file: string) => {
    const [name = '', boot] = file.split('.')
    // Of this boot, and not flushed yet.
    return named.has(name) && (boot === undefined || (boot === layout.boot && !files.has(name)))
  }
  const loose = [...files].filter((file) => !isNeeded(file))
  for (const file of loose) await unlink(join(layout.blobs, file)).catch(ignore('ENOENT'))
  return loose.length
}
