import { constants } from 'node:fs'
import { chmod, copyFile, link, open, stat, unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Archive, ArchiveEntry } from '../archive/archive.ts'

/** Content above this is streamed: below, one read is quicker, and sixteen at once stay below 16 MiB. */
const STREAM_FROM = 1024 * 1024

/** A blob's file name: the sha256 of its content, and `x` where it is executable (hard links share their mode). */
export function blobName(entry: ArchiveEntry): string {
  return entry.mode === 0o755 ? `${entry.sha256}x` : entry.sha256
}

/**
 * Whether the blob is there. Its content is not hashed again: the folder is this user's alone. But a process that runs
 * as root can write through a read-only hard link; that leaves another size, or a modification time that is no whole
 * second, as every blob's is. Such a blob is removed.
 */
export async function hasBlob(file: string, size: number): Promise<boolean> {
  const found = await stat(file).catch(ignore('ENOENT'))
  if (!found) return false
  if (found.size === size && found.mtimeMs % 1000 === 0) return true
  await unlink(file).catch(ignore('ENOENT'))
  return false
}

/** Adds a blob, verified and flushed, by way of `temp`. The first of several writers wins. */
export async function addBlob(file: string, temp: string, archive: Archive, entry: ArchiveEntry, second: number) {
  await writeEntry(temp, archive, entry, entry.mode & 0o555, second)
  await link(temp, file).catch(ignore('EEXIST'))
  await unlink(temp)
}

/** Writes an entry's verified content to a new file and flushes it. `second`: its modification time, default now. */
export async function writeEntry(
  file: string,
  archive: Archive,
  entry: ArchiveEntry,
  mode: number,
  second?: number,
): Promise<void> {
  const handle = await open(file, 'wx', mode)
  try {
    if (entry.size < STREAM_FROM) await handle.writeFile(await archive.read(entry))
    else await writeFile(handle, archive.stream(entry))
    if (second !== undefined) await handle.utimes(second, second)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Puts a blob into a tree as a hard link, which keeps it read-only; by copy where the file system allows no more links. */
export async function linkBlob(blob: string, target: string): Promise<void> {
  try {
    await link(blob, target)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EMLINK' && code !== 'EPERM' && code !== 'ENOTSUP') throw error
    await copyFile(blob, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    const { mtime } = await stat(blob)
    await utimes(target, mtime, mtime)
  }
}

/** Puts a copy of a blob into a tree, writable, with the blob's modification time. */
export async function copyBlob(blob: string, target: string, mode: number): Promise<void> {
  await copyFile(blob, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  await chmod(target, mode)
  const handle = await open(target, 'r+')
  try {
    const { mtime } = await stat(blob)
    await handle.utimes(mtime, mtime)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export function blobFile(dir: string, entry: ArchiveEntry): string {
  return join(dir, blobName(entry))
}

/** For `catch`: these errors mean "not there" or "done already". */
export function ignore(...codes: string[]): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (!error.code || !codes.includes(error.code)) throw error
    return undefined
  }
}
