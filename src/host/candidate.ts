import type { ZappError } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { compareVersions, type Place } from './names.ts'
import type { Source } from './sources.ts'
import type { StoredFile } from './store.ts'

/** With the virtual host, `""` for the default one. */
export interface AppPlace extends Place {
  readonly host: string
}

/** What was found at one path, at its last reading. */
export interface Candidate {
  readonly source: Source
  readonly place: AppPlace
  /** Absent when it could not be read. */
  readonly manifest: Manifest | undefined
  /** `""` when there was nothing to hash. */
  readonly digest: string
  /** When an archive was hashed, ms since the epoch. */
  readonly hashedMs: number
  /** Keeps its bytes in the store while the file is there. */
  readonly held: StoredFile | undefined
  /** Why it cannot serve, once that is known. */
  error: ZappError | undefined
  /** That it cannot serve, or has to stand aside, was logged. */
  told: boolean
}

/** For sorting: the higher version first, then the later change. */
export function byPreference(a: Candidate, b: Candidate): number {
  return compareVersions(b.place.version, a.place.version) || b.source.modifiedMs - a.source.modifiedMs
}
