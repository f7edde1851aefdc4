import type { AccessFormat } from './access-log.ts'
import type { HostEvent } from './host-event.ts'
import type { PairFiles } from './tls/certificate.ts'

export interface ServeApp {
  /** An archive, a zip with a manifest, a project folder, or a folder that holds archives and project folders. */
  readonly path: string
  /** `""`, `"/"` or `"/shop"`; not for a folder of apps. Default: the root for the only app, else by its name. */
  readonly mount?: string
}

export interface ServeOptions {
  /** Beside the `folders` of the settings file; where there is none of either, the working folder. */
  readonly apps: readonly ServeApp[]
  /**
   * Address to listen on. With it, `port` or `tls` the host listens there alone, also where the settings file has several.
   * Default: the settings file's, else `127.0.0.1`.
   */
  readonly host?: string
  /** Default: the settings file's, else 8080, or 8443 with `tls`; 0 takes any free one. */
  readonly port?: number
  /** Speaks TLS with this certificate. Absolute paths. */
  readonly tls?: Pick<PairFiles, 'cert' | 'key'>
  /** Values given one by one: each reaches the apps that declare it; CONFIG_UNKNOWN when no app does. */
  readonly config?: Readonly<Record<string, string>>
  /** A file of NAME=VALUE lines. `config` wins over it; names that no app declares are left aside. */
  readonly envFile?: string
  /** A settings file (`zapp.host.json`), which wins over both. */
  readonly settings?: string
  /** The environment that settings name variables of. Default: none. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Cache folder. Default: the loader's choice. */
  readonly cache?: string
  /** Folder that gets one folder of data folders for each app, by its name. Default: the loader's choice. */
  readonly data?: string
  /**
   * State folder, of this host alone: what was deployed, its last versions, and what was done by hand are found there
   * when the host starts again. Default: none, everything is forgotten at the end.
   */
  readonly state?: string
  /** Where administrators reach the host with a browser. With a state folder they always do so by a socket in it. */
  readonly admin?: { readonly host: string; readonly port: number }
  /** Follow the files: deploy what changes and what appears, take down what disappears. Default: with a state folder. */
  readonly watch?: boolean
  /** How requests are logged. Default: the settings file's, else `zapp`. */
  readonly accessLog?: AccessFormat | 'off'
  /** How long after a switch a version that dies is rolled back, ms. Default 10,000. */
  readonly watchMs?: number
  /** Everything worth saying, as data; the caller makes text of it. Must not throw. */
  readonly log?: (event: HostEvent) => void
}
