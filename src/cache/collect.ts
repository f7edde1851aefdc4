import { readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { ignore } from './blobs.ts'
import type { TreeRecord } from './build-tree.ts'
import { withoutUsers } from './holds.ts'
import { type CacheLayout, makeTemp, sweepTemp } from './layout.ts'

/** What was removed. */
export interface Collected {
  readonly trees: number
  readonly blobs: number
}

interface Tree {
  readonly name: string
  /** Of its own copies. */
  readonly bytes: number
  /** Sizes by name. */
  readonly blobs: ReadonlyMap<string, number>
  /** Moment of last use, ms. */
  readonly used: number
}

/**
 * Removes the trees that were not used for longest, never one in use, until what the rest holds fits the budget; then
 * the blobs that no tree names. While anybody else builds, blobs stay: they may be about to be named.
 */
export async function collect(layout: CacheLayout, budget: number): Promise<Collected> {
  const temp = await makeTemp(layout)
  try {
    let kept = await readTrees(layout)
    let trees = 0
    for (const tree of [...kept].sort((a, b) => a.used - b.used)) {
      if (usage(kept) <= budget) break
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
  const record = JSON.parse(await readFile(join(dir, 'tree.json'), 'utf8')) as TreeRecord
  const lines = (await readFile(join(dir, 'blobs.txt'), 'latin1')).split('\n').filter((line) => line !== '')
  const blobs = new Map(lines.map((line) => line.split(' ') as [string, string]).map(([b, size]) => [b, Number(size)]))
  const { mtimeMs } = await stat(join(layout.use, name)).catch(() => stat(dir))
  return { name, bytes: record.bytes, blobs, used: mtimeMs }
}

async function removeBlobs(layout: CacheLayout): Promise<number> {
  // Listed before the trees are: a blob that a new tree names later is not in this list, or is in that tree's.
  const blobs = await readdir(layout.blobs)
  const named = new Set((await readTrees(layout)).flatMap((tree) => [...tree.blobs.keys()]))
  const loose = blobs.filter((name) => !named.has(name))
  for (const name of loose) await unlink(join(layout.blobs, name)).catch(ignore('ENOENT'))
  return loose.length
}
