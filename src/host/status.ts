import type { ZappError } from '../errors.ts'
import type { LogLine } from '../runtimes/load.ts'
import type { AccessRecord } from './access-log.ts'

/** An app as the outside sees it. */
export interface AppStatus {
  /** The manifest's, or the file's while that could not be read. */
  readonly name: string
  /** `""` when the manifest could not be read. */
  readonly version: string
  readonly title: string
  readonly description: string
  /** `""` for the root, else `/shop`. */
  readonly mount: string
  /** The file or folder as it was given or found. */
  readonly source: string
  readonly state: 'starting' | 'live' | 'failed'
  /** Why the newest version does not serve. With state `live`: an older one still does. */
  readonly error?: ZappError
}

/** What happens to an app, and each request. */
export type HostEvent =
  | { readonly type: 'access'; readonly record: AccessRecord }
  /** The app answers requests. `ms`: from the start of loading. */
  | { readonly type: 'live'; readonly app: AppStatus; readonly ms: number }
  /** A new version failed. `kept`: the version before it goes on serving. */
  | { readonly type: 'failed'; readonly app: AppStatus; readonly error: ZappError; readonly kept: boolean }
  | { readonly type: 'removed'; readonly app: AppStatus }
  /** A zip was made an archive for this run. */
  | { readonly type: 'repacked'; readonly source: string }
  /** Of two files for one mount this one was left aside. */
  | { readonly type: 'shadowed'; readonly source: string; readonly by: string; readonly mount: string }
  /** What a program of the app printed. `app` is the manifest's name. */
  | { readonly type: 'log'; readonly app: string; readonly line: LogLine }
  /** An error inside an app or while answering a request. `app` is the manifest's name. */
  | { readonly type: 'error'; readonly app: string; readonly error: unknown; readonly where: string }
