import type { ZappError } from '../errors.ts'

/**
 * What becomes of one version, from its file to its end (deployments/generation.ts).
 *
 *     checked ──▶ migrating ──▶ starting ──▶ live ──▶ draining ──▶ stopped
 *                    │            │          │ │ ▲
 *                    └──▶ failed ◀┴──────────┘ ▼ │ a request
 *                                    died     sleeping
 */
export type VersionState =
  | 'checked'
  | 'starting'
  | 'migrating'
  | 'live'
  | 'sleeping'
  | 'draining'
  | 'stopped'
  | 'failed'

/**
 * What the outside sees of an app.
 *
 *     starting ──▶ live ◀──▶ degraded   an older version serves, because a newer one failed or was rolled back
 *        │          │ ▲          │
 *        ▼          ▼ │          │
 *      failed ◀── stopped ◀──────┘      by hand; failed: nothing serves, 503
 *
 * An app that is `live` and has no process, because nobody asks for it, is `sleeping`: its next request starts it.
 */
export type AppState = 'starting' | 'live' | 'sleeping' | 'degraded' | 'failed' | 'stopped'

/** Requests are answered: it runs, or starts for the next one. */
export function isUp({ state }: Pick<AppView, 'state'>): boolean {
  return state === 'live' || state === 'sleeping' || state === 'degraded'
}

/** A version that is kept: it can be gone back to. */
export interface VersionView {
  readonly version: string
  /** `sha256:<hex>` of the archive. */
  readonly digest: string
  readonly deployedAt: Date
  /** It serves, or would if the app were started. */
  readonly current: boolean
}

/** An app as the outside sees it. */
export interface AppView {
  /** Virtual host and mount in one: `/shop`, `/`, `shop.example/`. */
  readonly id: string
  /** The manifest's, or the file's while that could not be read. */
  readonly name: string
  /** Of what serves, else of what does not; `""` when the manifest could not be read. */
  readonly version: string
  readonly title: string
  readonly description: string
  /** `""`: the host that answers for every name which no other has. */
  readonly host: string
  /** `""` for the root, else `/shop`. */
  readonly mount: string
  /** The file or folder as it was given or found; `""` for an upload. */
  readonly source: string
  /** `sha256:<hex>` of what serves, `""` while nothing does. */
  readonly digest: string
  readonly state: AppState
  /** Of that state. */
  readonly since: Date
  /**
   * Why the newest version does not serve. With state `degraded`: an older one still does; with `sleeping`: why it did not
   * wake the last time.
   */
  readonly error?: ZappError
  /** The newest first, at most three, the current one among them. */
  readonly versions: readonly VersionView[]
  /** Versions that still end what they have begun. */
  readonly draining: number
  /** Of what serves: workers, programs, background processes. Empty while it runs in the host's own process. */
  readonly pids: readonly number[]
}

/** A version changed its state. */
export interface StateChange {
  readonly time: Date
  /** Id of the app. */
  readonly app: string
  readonly name: string
  readonly version: string
  readonly digest: string
  readonly from: VersionState | ''
  readonly to: VersionState
  /** In words, without the version: `"the health check passed"`. */
  readonly cause: string
}
