import type { Readable } from 'node:stream'
import type { ArchiveDiff } from '../archive/diff.ts'
import type { Finding } from '../errors.ts'
import type { AppView, VersionView } from './app-view.ts'
import type { HostEvent } from './host-event.ts'
import type { AppMetrics } from './metrics.ts'
import type { Certificate } from './tls/certificate.ts'

/**
 * A host that serves. What the command line, the admin API and the console do to it, they do through this.
 *
 * An app is named by its id (`/shop`, `/` for the root, `shop.example/` on a virtual host), or by the name in its
 * manifest where only one app has it; APP_UNKNOWN where none does. Calls for one app wait for each other; those for
 * others run beside it. What is rejected has changed nothing that serves.
 */
export interface Host {
  /** The first that serves apps. */
  readonly address: Address
  /** All at which it listens now. */
  readonly listeners: readonly (Address & {
    /** It serves no app, and leads to https alone. */
    readonly isRedirect: boolean
  })[]
  /** Of its listeners, in force now. */
  readonly certificates: readonly Pick<Certificate, 'files' | 'names' | 'validTo'>[]
  /** Since it started: connections of addresses that had as many as the settings give one. */
  readonly refusedConnections: number
  /** As they are now, by id. */
  readonly apps: readonly AppView[]
  /** When this host started. */
  readonly since: Date
  /** False before every app was tried, and from {@link close} on: a load balancer is told by it. */
  readonly ready: boolean

  /** Where administrators reach it; undefined without a state folder. */
  readonly admin: AdminAddress | undefined

  /** @throws ZappError APP_UNKNOWN */
  app(app: string): AppView

  /**
   * Takes an archive into the store, checks every byte, starts it beside what serves its mount, and switches.
   * Resolves when it serves. The bytes that serve already, at that mount, are answered with `unchanged`. Of uploads that
   * wait while another one of the app starts, only the last is started.
   *
   * @throws ZappError what is wrong with the archive or kept it from going live; MOUNT_PATH, HOST_NAME; ADMIN_REQUEST
   * for a version that is none, or not the one that the same bytes have; DEPLOY_SUPERSEDED
   */
  deploy(input: DeployInput, options?: DeployOptions): Promise<DeployResult>
  /**
   * What {@link deploy} would do, without doing it. The archive stays in the store for 15 minutes: deploy it by its
   * digest, without a second upload.
   *
   * @throws ZappError what is wrong with the archive; NOT_FOUND for a digest that is not in the store
   */
  plan(input: DeployInput, options?: DeployOptions): Promise<DeployPlan>
  /**
   * Ends an app and forgets its versions. Its archive is removed from the watched folder, as Tomcat's manager does: it
   * would come back else.
   *
   * @throws ZappError APP_UNKNOWN; APP_FIXED for a project folder and an app that the host was started with; DATA_SHARED
   */
  undeploy(
    app: string,
    options?: {
      /** Default true. Else the data folders that its manifest names are removed, once its processes have ended. */
      readonly keepData?: boolean
    },
  ): Promise<void>
  /** Ends its processes and answers 503 until {@link start}, also after a restart of the host. */
  stop(app: string): Promise<AppView>
  /** @throws ZappError APP_UNKNOWN; what keeps it from starting */
  start(app: string): Promise<AppView>
  /** The version that serves, started anew beside itself: nothing is dropped. */
  restart(app: string): Promise<AppView>
  /**
   * Back to a version that is kept: the one before the current, or the one of that digest. It stays there, also when the
   * host restarts, until other bytes are deployed.
   *
   * @throws ZappError APP_UNKNOWN, VERSION_UNKNOWN; what keeps it from starting
   */
  rollback(app: string, digest?: string): Promise<AppView>

  /** What the app's programs printed and what became of its versions; the last 1,000 lines are kept. */
  logs(app: string, options?: LogOptions): AsyncIterable<LogEntry>
  /** By id. Counters go on through redeploys. */
  metrics(): ReadonlyMap<string, AppMetrics>
  /** Told everything that happens from now on. @returns ends that */
  subscribe(listener: (event: HostEvent) => void): () => void

  /**
   * Reads the settings file again and applies what differs: no request is dropped. A file with a mistake changes
   * nothing.
   *
   * @throws ZappError with every mistake in its findings
   */
  reload(): Promise<void>
  /** Goes on in new log files, where somebody has moved the old ones away. */
  reopenLogs(): Promise<void>
  /**
   * Stops accepting, lets running requests finish for at most `drainMs` (default 10,000), then ends what is left.
   * A further call may shorten the wait: 0 ends everything at once.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>
}

export interface Address {
  readonly host: string
  readonly port: number
  /** What a browser on this machine opens; ends in "/". */
  readonly url: string
}

export interface AdminAddress {
  /** What a browser opens; undefined where only the socket in the state folder listens. */
  readonly url: string | undefined
  /** The file that holds the token. */
  readonly tokenFile: string
}

/** A file of this machine, a stream of any size, or what {@link Host.plan} left in the store. */
export type DeployInput = { readonly path: string } | { readonly stream: Readable } | { readonly digest: string }

/** Where nothing says, the archive goes to `/<manifest name>` at the manifest's version. */
export interface DeployOptions {
  /** A file's name as in the watched folder: `a#b##2.zapp`. What is given below wins over it. */
  readonly name?: string
  /** The mount: `/`, `/shop`, `/a/b`. */
  readonly path?: string
  readonly version?: string
  /** A virtual host. Default: the one that serves every name that no other has. */
  readonly host?: string
}

export interface DeployResult {
  readonly app: AppView
  readonly deployed: VersionView
  /** What served before. */
  readonly previous?: VersionView
  /** The same bytes served already: nothing was started. */
  readonly unchanged: boolean
  /** From the whole archive to the switch. */
  readonly ms: number
}

export interface DeployPlan {
  /** Of the app as it would be; it need not exist yet. */
  readonly id: string
  readonly name: string
  readonly version: string
  readonly digest: string
  /** What serves there now. */
  readonly live?: VersionView
  /** Against what serves there now. */
  readonly diff?: ArchiveDiff
  /** Needs that are not met and configuration that is missing: with these it would not start. */
  readonly findings: readonly Finding[]
}

export interface LogOptions {
  /** How many of the kept lines to begin with. Default all. */
  readonly lines?: number
  /** Go on with what comes, until the signal or the end of the host. */
  readonly follow?: boolean
  readonly signal?: AbortSignal
}

export interface LogEntry {
  readonly time: Date
  /** `""` where no version printed it. */
  readonly version: string
  /** `host`: a change of state or an error, in words. */
  readonly stream: 'stdout' | 'stderr' | 'host'
  /** Name of the entry or process, `""` for the host's own. */
  readonly entry: string
  /** Not made safe to print. */
  readonly text: string
}
