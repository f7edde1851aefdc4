import { linkSync, statSync, unlinkSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { concurrently } from '../archive/concurrently.ts'
import { flushedBlob, flushFile, ignore, unflushedBlob, unless } from './blobs.ts'
import { type CacheLayout, makeTemp } from './layout.ts'
import { readBlobNames, readRecord, writeRecord } from './tree-record.ts'

/** ms: by then an app has started, and leaves the disk to us. */
const DELAY_MS = 1000
/** Files that wait for the disk at once while others need it too, and when somebody waits for us. */
const PATIENT = 2
const HURRIED = 16

export interface Flushing {
  /** Begins at once. Resolves when it is over, whether it went well or not. Idempotent. */
  end(): Promise<void>
}

/**
 * Brings a tree to the disk while it is in use, in a moment and by and by. Several processes may do so at once, and any
 * may be killed: the tree is good for this boot until one of them is done.
 *
 * @param own paths in the tree of the app's own files
 * @param onError told if the disk fails. Nobody uses the tree from then on who does not use it yet
 */
export function flushLater(
  layout: CacheLayout,
  tree: string,
  own: readonly string[],
  onError: (error: unknown) => void,
): Flushing {
  let flushing: Promise<void> | undefined
  const begin = (atOnce: number) => {
    clearTimeout(timer)
    flushing ??= flushTree(layout, tree, own, atOnce).catch(onError)
    return flushing
  }
  const timer = setTimeout(begin, DELAY_MS, PATIENT).unref()
  return { end: () => begin(HURRIED) }
}

async function flushTree(layout: CacheLayout, tree: string, own: readonly string[], atOnce: number): Promise<void> {
  const dir = join(layout.trees, tree)
  const stamp = join(dir, 'tree.json')
  const record = await readRecord(dir)
  // Another process was quicker.
  if (record?.boot === undefined) return
  const names = [...(await readBlobNames(dir)).keys()]
  try {
    await concurrently(names, atOnce, (name) => publish(layout, name))
    // The app may have removed some: they are its own.
    await concurrently(own, atOnce, (path) => flushFile(join(dir, 'app', path)).catch(ignore('ENOENT')))
    const temp = await makeTemp(layout)
    const { contentDigest, bytes } = record
    await writeRecord(join(temp, 'tree.json'), { contentDigest, bytes })
    await rename(join(temp, 'tree.json'), stamp)
    await rm(temp, { recursive: true })
  } catch (error) {
    // What the system could not write it may forget at any time.
    await rm(stamp, { force: true })
    for (const name of names) await rm(unflushedBlob(layout, name), { force: true })
    throw error
  }
}

/** Flushes a blob, and lets later boots have it. Linked first and then unlinked, it is never without a name. */
async function publish(layout: CacheLayout, name: string): Promise<void> {
  const [unflushed, flushed] = [unflushedBlob(layout, name), flushedBlob(layout, name)]
  const isFirst = await flushFile(unflushed).then(() => true, ignore('ENOENT'))
  if (isFirst) unless(['EEXIST', 'ENOENT'], () => linkSync(unflushed, flushed))
  // Of another tree, which was flushed before: unless that failed.
  else statSync(flushed)
  unless(['ENOENT'], () => unlinkSync(unflushed))
}
