import type { Finding, ZappError } from '../errors.ts'
import type { LogLine } from '../runtimes/load.ts'
import type { AppView, StateChange } from './app-view.ts'
import type { CertificateNews } from './tls/certificates.ts'

/** What happens to an app, and each request. */
export type HostEvent =
  /** Requests that were answered, a line each, without the last end; only where they are to be printed. */
  | { readonly type: 'access'; readonly lines: string }
  | { readonly type: 'state'; readonly change: StateChange }
  /** The app answers requests. `ms`: from the start of loading. */
  | { readonly type: 'live'; readonly app: AppView; readonly ms: number }
  /** A new version failed. `kept`: the version before it goes on serving. */
  | { readonly type: 'failed'; readonly app: AppView; readonly error: ZappError; readonly kept: boolean }
  /** A version died right after the switch: the one before serves again. */
  | { readonly type: 'rolledback'; readonly app: AppView; readonly error: ZappError }
  | { readonly type: 'removed'; readonly app: AppView }
  /** A zip was made an archive for this run. */
  | { readonly type: 'repacked'; readonly source: string }
  /** Of two files for one mount this one was left aside. */
  | { readonly type: 'shadowed'; readonly source: string; readonly by: string; readonly mount: string }
  /** What a program of the app printed. `app` is its id. */
  | {
      readonly type: 'log'
      readonly app: string
      readonly name: string
      readonly version: string
      readonly line: LogLine
    }
  /** An error inside an app or while answering a request. `app` is its id, `""` for the host itself. */
  | {
      readonly type: 'error'
      readonly app: string
      readonly name: string
      readonly error: unknown
      readonly where: string
    }
  /** The settings ask for something that does not go together with an app; `app` is `""` for what concerns several. */
  | { readonly type: 'warned'; readonly app: string; readonly name: string; readonly finding: Finding }
  /** The settings file was read again. `error`: it has mistakes, and the old settings stay. */
  | { readonly type: 'reloaded'; readonly error?: ZappError }
  /** A certificate came into force, or was refused and the one before it kept. */
  | ({ readonly type: 'certificate' } & CertificateNews)
