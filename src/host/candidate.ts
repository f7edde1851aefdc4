import { fail, ZappError } from '../errors.ts'
import { compareVersions, type Place, placeOf } from './names.ts'
import type { StoredApp } from './prepare.ts'
import type { Source } from './sources.ts'
import type { AppStatus } from './status.ts'

/** What was found at one path, at its last reading. */
export interface Candidate {
  readonly source: Source
  readonly place: Place
  readonly name: string
  readonly title: string
  readonly description: string
  /** `""` when it could not be read. */
  readonly digest: string
  /** Until a deployment takes it over. */
  stored: StoredApp | undefined
  /** Why it cannot serve, once that is known. */
  error: ZappError | undefined
  /** That it cannot serve, or has to stand aside, was logged. */
  told: boolean
}

/** @param mount the one to use whatever the names say */
export function candidate(source: Source, result: StoredApp | ZappError, mount: string | undefined): Candidate {
  const stored = result instanceof Error ? undefined : result
  const manifest = stored?.archive.manifest
  const place = placeOf(source.stem, manifest)
  return {
    source,
    place: mount === undefined ? place : { ...place, mount },
    name: manifest?.name ?? source.stem,
    title: manifest?.title ?? '',
    description: manifest?.description ?? '',
    digest: stored?.digest ?? '',
    stored,
    error: result instanceof Error ? result : undefined,
    told: false,
  }
}

export function statusOf(one: Candidate, state: AppStatus['state'], error?: ZappError): AppStatus {
  const { name, place, title, description, source } = one
  const about = { name, version: place.version, title, description, mount: place.mount, source: source.path, state }
  return error ? { ...about, error } : about
}

/** For sorting: the higher version first, then the later change. */
export function byPreference(a: Candidate, b: Candidate): number {
  return compareVersions(b.place.version, a.place.version) || b.source.modifiedMs - a.source.modifiedMs
}

export function asZappError(error: unknown): ZappError {
  if (error instanceof ZappError) return error
  return fail('INTERNAL', '', { reason: error instanceof Error ? error.message : String(error) }, error)
}
