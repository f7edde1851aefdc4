import { createHash, randomUUID } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { chmod, copyFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { openCache } from '../cache/cache.ts'
import { makeLayout, makeTemp } from '../cache/layout.ts'
import { fail } from '../errors.ts'

/** A private copy of an archive. */
export interface StoredFile {
  /** `<sha256>.zapp` in the store. */
  readonly file: string
  /** `sha256:<hex>` of the copy itself. */
  readonly digest: string
  /** Removes the copy with the last one who holds it. Once. */
  release(): Promise<void>
}

export interface Store {
  /** Where a new archive may be written before {@link adopt}. */
  draft(): string
  /**
   * Copies a file, sharing its blocks where the file system can.
   * @throws ZappError NOT_FOUND, IO
   */
  copy(path: string): Promise<StoredFile>
  /** Names a draft by its own bytes. */
  adopt(draft: string): Promise<StoredFile>
  close(): Promise<void>
}

/**
 * Holds the copies that are served: the file that a user may overwrite at any moment is read once, then never again
 * (FORMAT.md §Security considerations). It is a folder of this process in the cache; a host that was killed has its own swept with the
 * cache's other unfinished work.
 *
 * @throws ZappError CACHE_UNTRUSTED, CACHE_NONE, CACHE_READ_ONLY
 */
export async function openStore(cacheDir: string): Promise<Store> {
  const cache = await openCache({ dir: cacheDir })
  const dir = await makeTemp(await makeLayout(cache.dir))
  const holders = new Map<string, number>()
  const draft = () => join(dir, `${randomUUID()}.draft`)

  async function copy(path: string): Promise<StoredFile> {
    const target = draft()
    try {
      await copyFile(path, target, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') throw fail('NOT_FOUND', path, { file: path }, error)
      throw fail('IO', path, { operation: 'copying the archive', reason: message }, error)
    }
    return adopt(target)
  }

  async function adopt(file: string): Promise<StoredFile> {
    await chmod(file, 0o600)
    const hash = createHash('sha256')
    await pipeline(createReadStream(file), hash)
    const hex = hash.digest('hex')
    const named = join(dir, `${hex}.zapp`)
    await rename(file, named)
    holders.set(named, (holders.get(named) ?? 0) + 1)
    return { file: named, digest: `sha256:${hex}`, release: () => release(named) }
  }

  async function release(named: string): Promise<void> {
    const left = (holders.get(named) ?? 1) - 1
    holders.set(named, left)
    if (left === 0) await rm(named, { force: true })
  }

  return { draft, copy, adopt, close: () => rm(dir, { recursive: true, force: true }) }
}
