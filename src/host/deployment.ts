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
  /** Of its processes as they are now; empty while it runs in the host's own. */
  readonly pids: readonly number[]
  /**
   * Makes the app able to answer.
   * @throws ZappError what keeps it from starting
   */
  start(): Promise<void>
  /**
   * Asks the manifest's health path; without one a started app is healthy.
   * @throws ZappError HEALTH_FAILED
   */
  health(signal: AbortSignal): Promise<void>
  /** Where its process takes whole connections: nothing of the front stands between it and the client then. */
  readonly connections?: Connections
  handle(req: IncomingMessage, res: ServerResponse): void
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void
  /**
   * Lets running requests end for at most `graceMs`, then ends them, and lets go of everything. A further call can only
   * shorten the wait.
   */
  stop(graceMs: number): Promise<void>
}

/** What a deployment does with connections that are handed over to its process. */
export interface Connections {
  /**
   * Says which requests are its own, once it serves and whenever that changes. Until then it takes no connection: whoever
   * holds one sees every request on it.
   */
  claim(territory: Territory): void
  /** Lets its processes accept connections by themselves, where all are for this app. Resolves when they do. */
  listen(handle: BoundHandle): Promise<void>
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
