import { fail, type ZappError } from '../../errors.ts'
import type { Candidate } from '../candidate.ts'
import { openStored, type StoredApp } from '../prepare.ts'
import type { VersionRecord } from '../state.ts'
import type { Store } from '../store.ts'

/** What an operator knows a version by. */
export interface Named {
  /** The manifest's, or the file's while that could not be read. */
  readonly name: string
  readonly version: string
  /** The file or folder that it came from; `""` for an upload. */
  readonly source: string
}

/** Something in the store that could serve an app. */
export interface Release extends Named {
  readonly digest: string
  readonly candidate?: Candidate
  /** Why it cannot, once that is known. */
  error: ZappError | undefined
  /** @throws ZappError */
  open(): Promise<StoredApp>
}

export function releaseOf(candidate: Candidate, store: Store): Release {
  const { digest } = candidate
  return {
    digest,
    ...nameOf(candidate),
    candidate,
    get error() {
      return candidate.error
    },
    set error(error) {
      candidate.error = error
    },
    open: () => openKept(digest, store),
  }
}

export function nameOf({ source, manifest, place }: Candidate): Named {
  return { name: manifest?.name ?? source.stem, version: place.version, source: source.path }
}

export function keptRelease({ digest, name, version, source }: VersionRecord, store: Store): Release {
  return { digest, name, version, source, error: undefined, open: () => openKept(digest, store) }
}

/** @throws ZappError NOT_FOUND; what is wrong with the archive */
export async function openKept(digest: string, store: Store): Promise<StoredApp> {
  const stored = await store.hold(digest)
  if (!stored) throw fail('NOT_FOUND', '', { file: digest })
  return openStored(stored, store)
}
