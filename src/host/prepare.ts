import type { Archive } from '../archive/archive.ts'
import type { Finding } from '../errors.ts'
import type { ManifestSource } from '../format/manifest.ts'
import { normalizeManifest } from '../format/manifest-normalize.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { isZip, type Source } from './sources.ts'
import type { Store, StoredFile } from './store.ts'

/** An archive that has been checked whole, and its private copy. */
export interface StoredApp {
  readonly manifest: Manifest
  /** The copy. */
  readonly file: string
  /** `sha256:<hex>` of the copy. */
  readonly digest: string
  /** Opens the copy, the first time. Who answers for an app in a process of its own never asks. @throws ZappError IO */
  archive(): Promise<Archive>
  /** Closes the archive and lets the copy go. Idempotent. */
  release(): Promise<void>
}

/**
 * Takes an app into the store. A project is packed first, so that it behaves as its archive would, and a zip repacked.
 * Both are reproducible: what did not change gives the same digest.
 *
 * @param onWarning gets what a zip should not hold
 * @throws ZappError what keeps the file from being copied or the project from being packed
 */
export function takeIn(
  source: Pick<Source, 'path' | 'kind'>,
  store: Store,
  signal: AbortSignal,
  onWarning: (found: Finding) => void = () => {},
): Promise<StoredFile> {
  const { path: from } = source
  // Loaded for those who need it: a host of archives does not.
  if (source.kind === 'project') {
    const wheels = store.scratch(from)
    return make(store, async (out) => (await import('../pack/pack.ts')).pack(from, { out, signal, wheels }))
  }
  if (isZip(source)) {
    return make(store, async (out) => {
      const { warnings } = await (await import('../archive/repack.ts')).repack(from, { out, signal })
      for (const found of warnings) if (found.code === 'SECRET_KEPT') onWarning(found)
    })
  }
  return store.copy(from)
}

async function make(store: Store, write: (draft: string) => Promise<unknown>): Promise<StoredFile> {
  const draft = store.draft()
  await write(draft)
  return store.adopt(draft)
}

/**
 * Opens what is in the store, every byte of it checked. Takes the file over, also where it rejects.
 *
 * @throws ZappError what is wrong with the archive
 */
export async function openStored(stored: StoredFile, store: Store): Promise<StoredApp> {
  const { file, digest } = stored
  try {
    const manifest = normalizeManifest(JSON.parse(await store.manifestText(stored)) as ManifestSource)
    let opened: Promise<Archive> | undefined
    let released: Promise<void> | undefined
    const archive = () => {
      opened ??= import('../archive/judged-archive.ts')
        .then(({ openJudged }) => openJudged(file))
        .catch((error) => {
          // Whoever asks next tries again.
          opened = undefined
          throw error
        })
      return opened
    }
    const release = async () => {
      released ??= Promise.resolve(opened?.then((one) => one.close()).catch(() => {})).then(() => stored.release())
      await released
    }
    return { manifest, file, digest, archive, release }
  } catch (error) {
    await stored.release()
    throw error
  }
}
