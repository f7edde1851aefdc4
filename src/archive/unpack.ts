import { chmod, lstat, mkdtemp, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { fail, ZappError } from '../errors.ts'
import type { Archive } from './archive.ts'
import { concurrently } from './concurrently.ts'
import { sweepTemporaries, temporaryPrefix } from './temporaries.ts'
import { makeFolders, syncFolders, writeLargeFile, writeSmallFile } from './write-files.ts'

export interface UnpackOptions {
  readonly signal?: AbortSignal
}

export interface Unpacked {
  /** Folders are not counted. */
  readonly files: number
  /** Bytes of their content. */
  readonly bytes: number
}

/** Files that wait for the disk at once. */
const CONCURRENCY = 32

/**
 * Writes every entry below `target`, which must not exist: all of it or nothing. The tree is written into a folder
 * beside it, which gets its name at the end; one that a killed run left behind is removed by the next run. Modes are
 * 0644 and 0755 whatever the umask.
 *
 * @throws ZappError TARGET_EXISTS, TARGET_LINK, NOT_FOUND, IO, or the code of a file whose content is wrong;
 *   `signal.reason`
 */
export async function unpack(archive: Archive, target: string, options: UnpackOptions = {}): Promise<Unpacked> {
  const path = resolve(target)
  try {
    await refuseLinks(path, target)
    await refuseExisting(path, target)
    const parent = await realpath(dirname(path))
    const { dev, ino } = await lstat(parent)
    await sweepTemporaries(parent)

    const temporary = await mkdtemp(join(parent, temporaryPrefix()))
    try {
      const unpacked = await writeTree(archive, temporary, options.signal)
      // Whoever may rename a folder above could have put another one, or a link, into its place meanwhile.
      const now = await lstat(parent)
      const isSame = now.dev === dev && now.ino === ino && (await realpath(dirname(path))) === parent
      if (!isSame) throw fail('TARGET_LINK', target, { target })
      await refuseExisting(path, target)
      await rename(temporary, join(parent, basename(path)))
      await syncFolders([parent])
      return unpacked
    } catch (error) {
      await rm(temporary, { recursive: true, force: true })
      throw error
    }
  } catch (error) {
    // What an abort interrupts fails in ways of its own.
    throw options.signal?.aborted ? options.signal.reason : asZappError(error, target)
  }
}

async function writeTree(archive: Archive, root: string, signal: AbortSignal | undefined): Promise<Unpacked> {
  const folders = makeFolders(root, archive.entries.keys())
  let files = 0
  let bytes = 0
  for await (const portion of archive.readAll(signal)) {
    await concurrently(portion, CONCURRENCY, async ([entry, content]) => {
      signal?.throwIfAborted()
      if (entry.kind === 'dir') return
      const file = join(root, entry.path)
      if (content) await writeSmallFile(file, content, entry.mode)
      else await writeLargeFile(file, archive.stream(entry), entry.mode, signal)
      files++
      bytes += entry.size
    })
  }
  await syncFolders(folders)
  // mkdtemp made it 0700, so that nobody could interfere.
  await chmod(root, 0o755)
  return { files, bytes }
}

/**
 * Through a link the files would go elsewhere than the path says, and whoever can plant one chooses where. In the
 * working folder, where a project from somewhere else may lie, every folder on the way is looked at; elsewhere the
 * last one, unless it stands in the root of the file system, where only the administrator can make links (/tmp on macOS).
 */
async function refuseLinks(path: string, target: string): Promise<void> {
  const inside = `${process.cwd()}${sep}`
  let folder = dirname(path)
  let isLast = true
  while (isLast ? dirname(dirname(folder)) !== dirname(folder) : folder.startsWith(inside)) {
    if ((await lstat(folder)).isSymbolicLink()) throw fail('TARGET_LINK', target, { target })
    folder = dirname(folder)
    isLast = false
  }
}

async function refuseExisting(path: string, target: string): Promise<void> {
  // lstat, so that a link that leads nowhere counts as well.
  const there = await lstat(path).then(
    () => true,
    () => false,
  )
  if (there) throw fail('TARGET_EXISTS', target, { target })
}

function asZappError(error: unknown, target: string): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException
  if (error instanceof ZappError || syscall === undefined) return error
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    const file = dirname(target)
    return fail('NOT_FOUND', target, { file }, error)
  }
  if (syscall === 'rename') return fail('TARGET_EXISTS', target, { target }, error)
  return fail('IO', target, { operation: 'unpack', reason: message }, error)
}
