import { type Archive, openArchive } from '../archive/archive.ts'
import { repack } from '../archive/repack.ts'
import { throwIfErrors } from '../errors.ts'
import { pack } from '../pack/pack.ts'
import { isZip, type Source } from './sources.ts'
import type { Store, StoredFile } from './store.ts'

/** An archive that has been checked whole, open on its private copy. */
export interface StoredApp {
  readonly archive: Archive
  /** The copy. */
  readonly file: string
  /** `sha256:<hex>` of the copy. */
  readonly digest: string
  /** Closes the archive and lets the copy go. Idempotent. */
  release(): Promise<void>
}

/**
 * Takes an app into the store. A project is packed first, so that it behaves as its archive would, and a zip repacked.
 * Both are reproducible: what did not change gives the same digest.
 *
 * @throws ZappError what keeps the file from being copied or the project from being packed
 */
export function takeIn(source: Pick<Source, 'path' | 'kind'>, store: Store, signal: AbortSignal): Promise<StoredFile> {
  if (source.kind === 'project') return make(store, (out) => pack(source.path, { out, signal }))
  if (isZip(source)) return make(store, (out) => repack(source.path, { out, signal }))
  return store.copy(source.path)
}

async function make(store: Store, write: (draft: string) => Promise<unknown>): Promise<StoredFile> {
  const draft = store.draft()
  await write(draft)
  return store.adopt(draft)
}

/**
 * Opens what is in the store, and checks every byte of it (passes 1 to 8) unless that was done before. Takes the file
 * over, also where it rejects.
 *
 * @throws ZappError what is wrong with the archive
 */
export async function openStored(stored: StoredFile, store: Store): Promise<StoredApp> {
  try {
    const archive = await openArchive(stored.file)
    try {
      if (!(await store.isChecked(stored))) {
        throwIfErrors(await archive.verify())
        await store.setChecked(stored)
      }
    } catch (error) {
      await archive.close()
      throw error
    }
    let released: Promise<void> | undefined
    const release = () => {
      released ??= archive.close().then(() => stored.release())
      return released
    }
    return { archive, file: stored.file, digest: stored.digest, release }
  } catch (error) {
    await stored.release()
    throw error
  }
}
