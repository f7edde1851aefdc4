import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ignore } from './blobs.ts'
import type { CacheLayout } from './layout.ts'

/** What tree.json of a run tree says. */
export interface TreeRecord {
  readonly contentDigest: string
  /** Of the writable copies, which no other tree shares. */
  readonly bytes: number
  /**
   * The boot in which the tree was written, until it is flushed. While that boot lasts the system has the tree whole,
   * whether the disk has it or not; after it nobody can say what the disk has.
   */
  readonly boot?: string
}

/** `lost`: its boot ended before it was flushed, or what stands there was never whole. It is never used. */
export type TreeState = 'absent' | 'unflushed' | 'flushed' | 'lost'

export async function treeState(layout: CacheLayout, tree: string): Promise<TreeState> {
  const record = await readRecord(join(layout.trees, tree))
  if (!record) return (await stat(join(layout.trees, tree)).catch(ignore('ENOENT'))) ? 'lost' : 'absent'
  if (record.boot === undefined) return 'flushed'
  return record.boot === layout.boot ? 'unflushed' : 'lost'
}

/** @returns undefined where there is none that can be read: what was not flushed may have been cut off */
export async function readRecord(dir: string): Promise<TreeRecord | undefined> {
  const text = await readFile(join(dir, 'tree.json'), 'utf8').catch(ignore('ENOENT', 'ENOTDIR'))
  try {
    return JSON.parse(text ?? '') as TreeRecord
  } catch {
    return undefined
  }
}

/** Flushed, where it says that the tree is. */
export async function writeRecord(file: string, record: TreeRecord): Promise<void> {
  await writeFile(file, JSON.stringify(record), { flush: record.boot === undefined })
}

/** Names of blobs and their sizes, of a tree that is whole. */
export async function readBlobNames(dir: string): Promise<Map<string, number>> {
  const lines = (await readFile(join(dir, 'blobs.txt'), 'latin1')).split('\n').filter((line) => line !== '')
  return new Map(lines.map((line) => line.split(' ') as [string, string]).map(([name, size]) => [name, Number(size)]))
}
