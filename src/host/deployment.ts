import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ZappError } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'

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
  handle(req: IncomingMessage, res: ServerResponse): void
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Lets running requests end for at most `graceMs`, then ends them, and lets go of everything. */
  stop(graceMs: number): Promise<void>
}
