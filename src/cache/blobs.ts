import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fsync,
  futimesSync,
  linkSync,
  openSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Archive, ArchiveEntry } from '../archive/archive.ts'
import type { CacheLayout } from './layout.ts'

/*
 * Calls into the file system that do not wait for the disk are made at once: a trip through the thread pool costs ten
 * times as much as most of them.
 */

const fsyncAsync = promisify(fsync)
const CLONE = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE

/** Larger files are copied by another thread. */
const LARGE = 1024 * 1024

/** A blob's name: the sha256 of its content, and `x` where it is executable (hard links share their mode). */
export function blobName(entry: ArchiveEntry): string {
  return entry.mode === 0o755 ? `${entry.sha256}x` : entry.sha256
}

/** The file of a blob that is on the disk for good. */
export function flushedBlob(layout: CacheLayout, name: string): string {
  return join(layout.blobs, name)
}

/** The file of a blob that was written in this boot, and is known to be whole as long as it lasts. */
export function unflushedBlob(layout: CacheLayout, name: string): string {
  return join(layout.blobs, `${name}.${layout.boot}`)
}

/** The file of a blob that may be used in this boot. */
export function findBlob(layout: CacheLayout, entry: ArchiveEntry): string | undefined {
  const name = blobName(entry)
  const flushed = flushedBlob(layout, name)
  if (isWhole(flushed, entry.size)) return flushed
  const unflushed = unflushedBlob(layout, name)
  return layout.boot !== undefined && isWhole(unflushed, entry.size) ? unflushed : undefined
}

/**
 * Whether the blob is there. Its content is not hashed again: the folder is this user's alone. But a process that runs
 * as root can write through a read-only hard link; that leaves another size, or a modification time that is no whole
 * second, as every blob's is. Such a blob is removed.
 */
function isWhole(file: string, size: number): boolean {
  const found = statSync(file, { throwIfNoEntry: false })
  if (!found) return false
  if (found.size === size && found.mtimeMs % 1000 === 0) return true
  unless(['ENOENT'], () => unlinkSync(file))
  return false
}

/**
 * Adds a blob, by way of the folder `temp`. The first of several writers wins. Where boots cannot be told apart it is
 * flushed; else flush-tree.ts does it.
 *
 * @param content verified. Without it the archive is asked
 * @returns its file
 */
export async function addBlob(
  layout: CacheLayout,
  temp: string,
  archive: Archive,
  entry: ArchiveEntry,
  second: number,
  content?: Uint8Array,
): Promise<string> {
  const name = blobName(entry)
  const file = layout.boot === undefined ? flushedBlob(layout, name) : unflushedBlob(layout, name)
  const way = join(temp, name)
  const fd = openSync(way, 'wx', entry.mode & 0o555)
  try {
    if (content) writeFileSync(fd, content)
    else for await (const chunk of archive.stream(entry)) writeFileSync(fd, chunk)
    futimesSync(fd, second, second)
    if (layout.boot === undefined) await fsyncAsync(fd)
  } finally {
    closeSync(fd)
  }
  unless(['EEXIST'], () => linkSync(way, file))
  unlinkSync(way)
  return file
}

/** Puts a blob into a tree as a hard link, which keeps it read-only; by copy where the file system allows no more links. */
export function linkBlob(blob: string, target: string): void {
  try {
    linkSync(blob, target)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EMLINK' && code !== 'EPERM' && code !== 'ENOTSUP') throw error
    copyFileSync(blob, target, CLONE)
    const { mtime } = statSync(blob)
    utimesSync(target, mtime, mtime)
  }
}

/** Puts a copy of a blob into a tree, writable, with the blob's modification time. */
export async function copyBlob(blob: string, target: string, entry: ArchiveEntry, flush: boolean): Promise<void> {
  if (entry.size > LARGE) await copyFile(blob, target, CLONE)
  else copyFileSync(blob, target, CLONE)
  chmodSync(target, entry.mode)
  const fd = openSync(target, 'r+')
  try {
    const { mtime } = statSync(blob)
    futimesSync(fd, mtime, mtime)
    if (flush) await fsyncAsync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Flushes a file. */
export async function flushFile(file: string): Promise<void> {
  const fd = openSync(file, 'r')
  try {
    await fsyncAsync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Runs `work`: an error of these codes means "not there" or "done already". */
export function unless(codes: readonly string[], work: () => void): void {
  try {
    work()
  } catch (error) {
    ignore(...codes)(error as NodeJS.ErrnoException)
  }
}

/** For `catch`: these errors mean "not there" or "done already". */
export function ignore(...codes: string[]): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (!error.code || !codes.includes(error.code)) throw error
    return undefined
  }
}
