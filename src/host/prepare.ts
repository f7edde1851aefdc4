import { type Archive, openArchive } from '../archive/archive.ts'
import { throwIfErrors } from '../errors.ts'
import { pack } from '../pack/pack.ts'
import type { Source } from './sources.ts'
import type { Store, StoredFile } from './store.ts'

/** An archive that has been checked whole, open on its private copy. */
export interface StoredApp {
  readonly archive: Archive
  /** `sha256:<hex>` of the copy. */
  readonly digest: string
  /** Closes the archive and lets the copy go. Once. */
  release(): Promise<void>
}

/**
 * Takes an app into the store and checks every byte of it (passes 1 to 8). A project is packed first, so that it behaves
 * as its archive would. Packing is reproducible: a project that did not change gives the same digest.
 *
 * @throws ZappError what keeps the archive from being read or the project from being packed
 */
export async function prepare(source: Source, store: Store, signal: AbortSignal): Promise<StoredApp> {
  const stored = source.kind === 'archive' ? await store.copy(source.path) : await packInto(source.path, store, signal)
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
    return { archive, digest: stored.digest, release }
  } catch (error) {
    await stored.release()
    throw error
  }
}

async function packInto(folder: string, store: Store, signal: AbortSignal): Promise<StoredFile> {
  const draft = store.draft()
  await pack(folder, { out: draft, signal })
  return store.adopt(draft)
}
