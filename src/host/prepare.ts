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
  /** Closes the archive and lets the copy go. Once. */
  release(): Promise<void>
}

/**
 * Takes an app into the store and checks every byte of it (passes 1 to 8). A project is packed first, so that it behaves
 * as its archive would, and a zip repacked. Both are reproducible: what did not change gives the same digest.
 *
 * @throws ZappError what keeps the archive from being read or the project from being packed
 */
export async function prepare(source: Source, store: Store, signal: AbortSignal): Promise<StoredApp> {
  const stored = await take(source, store, signal)
  try {
    const archive = await openArchive(stored.file)
    const release = async () => {
      await archive.close()
      await stored.release()
    }
    try {
      throwIfErrors(await archive.verify())
    } catch (error) {
      await archive.close()
      throw error
    }
    return { archive, file: stored.file, digest: stored.digest, release }
  } catch (error) {
    await stored.release()
    throw error
  }
}

function take(source: Source, store: Store, signal: AbortSignal): Promise<StoredFile> {
  if (source.kind === 'project') return make(store, (out) => pack(source.path, { out, signal }))
  if (isZip(source)) return make(store, (out) => repack(source.path, { out, signal }))
  return store.copy(source.path)
}

async function make(store: Store, write: (draft: string) => Promise<unknown>): Promise<StoredFile> {
  const draft = store.draft()
  await write(draft)
  return store.adopt(draft)
}
