import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ZappError } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import type { AccessFormat } from './access-log.ts'
import type { BoundHandle } from './front/bind.ts'
import type { Territory } from './territory.ts'

/**
 * One version of an app at one mount. Where its code runs is the deployment's own business: the front knows no more
 * than this.
 *
 *               start()             health()            front switches to it
 *     created ───────────▶ started ───────────▶ healthy ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ▶ handle(), upgrade()
 *        │                    │                    │                                 │
 *        └────── throws ──────┴────── throws ──────┴──────────── stop() ─────────────┤ front switched away
 *                                                                                    ▼
 *                                         stopped ◀── all answered, or graceMs ── draining
 *
 * Every deployment that was created is stopped once, also one whose start or health threw.
 */
export interface Deployment {
  readonly manifest: Manifest
  /** `sha256:<hex>` of the archive that it serves. */
  readonly digest: string
  /**
   * Resolves once: with the reason when the app cannot be kept running (its process dies again and again), with undefined
   * when it was stopped. Never rejects.
   */
  readonly died: Promise<ZappError | undefined>
  /** Resolves when none of its processes is left a second time within a while. They go on being started again. */
  readonly faltered?: Promise<Faltering>
  /** Of its processes as they are now; empty while it runs in the host's own. */
  readonly pids: readonly number[]
  /** Of an app that sleeps while nobody asks for it. */
  readonly rest?: Rest
  /**
   * Makes the app able to answer.
   * @param signal where it aborts, nothing of it is wanted any more
   * @throws ZappError what keeps it from starting
   */
  start(signal?: AbortSignal): Promise<void>
  /**
   * Asks the manifest's health path; without one a started app is healthy.
   * @throws ZappError HEALTH_FAILED
   */
  health(signal: AbortSignal): Promise<void>
  /** Where its process takes whole connections: nothing of the front stands between it and the client then. */
  readonly connections?: Connections
  handle(req: IncomingMessage, res: ServerResponse): void
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void
  /** ms in which nothing ran on the connections that its processes hold; 0 while something does. */
  idleMs?(): Promise<number>
  /**
   * Lets running requests end for at most `graceMs`, then ends them, and lets go of everything. A further call can only
   * shorten the wait.
   */
  stop(graceMs: number): Promise<void>
}

export interface Faltering {
  readonly error: ZappError
  /** When none was left for the first time, as performance.now() tells. */
  readonly since: number
}

/** An app whose processes end while nobody asks for it: sleep/sleeper.ts. */
export interface Rest {
  /** It has no process; the next request starts one. */
  readonly isAsleep: boolean
  /** Of that, or of being awake. */
  readonly since: Date
  /** Why it did not wake the last time. */
  readonly error: ZappError | undefined
  /** Told, with the cause in words, when it has fallen asleep or is awake. */
  onTurn: (cause: string) => void
}

/** What a deployment does with connections that are handed over to its process. */
export interface Connections {
  /**
   * Says which requests are its own, once it serves and whenever that changes. Until then it takes no connection: whoever
   * holds one sees every request on it.
   */
  claim(territory: Territory): void
  /**
   * Lets its processes accept connections by themselves, where all are for this app. Resolves when they do. Absent where
   * there may be none.
   */
  listen?(handle: BoundHandle): Promise<void>
  /**
   * @param socket one that is not being read
   * @param bytes what was read of it
   * @returns false where no process can take it now: the requests are to come through {@link Deployment.handle}
   */
  take(socket: Socket, bytes: Buffer): boolean
  /** How its processes log requests from now on. */
  logAs(format: AccessFormat | 'off'): void
  /** The host stops: answers what runs, ends what is idle. Resolves when no connection is left. */
  end(): Promise<void>
  /** Ends every connection at once. */
  cut(): void
}
