import type { ChildProcess, SendHandle } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ZappError } from '../errors.ts'
import { afterMs } from './after-ms.ts'
import { HangWatch } from './hang-watch.ts'
import { Holds } from './holds.ts'
import { MemoryLimit } from './memory-limit.ts'
import { OwnProcess } from './own-process.ts'
import { privateFolder } from './private-folder.ts'
import { PYTHON_LOADER, type PythonCommand, pythonArgv } from './python-command.ts'
import type { Supervised } from './supervisor.ts'
import { typeOf, untilReady } from './until-ready.ts'
import { Upstream } from './upstream/upstream.ts'

/** How a worker is started. */
export interface PythonWorkerSpec extends PythonCommand {
  /** What messages call it: an entry point, or the app. */
  readonly name: string
  /** What the app shall see, and nothing else. */
  readonly env: Readonly<Record<string, string>>
  /** ms until it has to be ready. */
  readonly timeout: number
  /** Resident bytes above which it is replaced. */
  readonly memory?: number
  /** Told which limit it is over, and what becomes of it. */
  readonly onLimit: (error: ZappError) => void
  readonly onLine: (stream: 'stdout' | 'stderr', text: string) => void
}

/** How long requests may take that run when it is stopped. */
const DRAIN_MS = 30_000
/** For a worker to end after the grace that it was given. */
const DRAINED_MS = 2000

/**
 * A Python process that answers requests for one app, on a private socket and on connections that are handed to it.
 *
 *     starting ── "ready" ──▶ ready ── stop() ──▶ draining ──▶ ended
 *        └── "failed", no answer in time ───────────────────────▲
 *
 * It and we talk over Node's IPC channel, a JSON object a message. To us: `ready`, `failed` with findings, `retire` when
 * it has answered its number of requests. From us: `drain`. When the channel ends, because this process is gone, so does
 * the worker.
 */
export class PythonWorker implements Supervised {
  readonly ended: Promise<string>
  /** Resolves when it has answered its number of requests, or costs more than it may. */
  readonly worn: Promise<void>
  readonly upstream: Upstream
  state: 'starting' | 'ready' | 'draining' | 'ended' = 'starting'
  readonly hanging: HangWatch
  readonly #process: OwnProcess
  readonly #memory: MemoryLimit | undefined
  readonly #holds = new Holds()

  /**
   * Starts a worker and waits until it has imported the app and listens.
   *
   * @throws ZappError what the worker reports, with its code: mostly ENTRY_LOAD, ENTRY_EXPORT; ENTRY_LOAD too where it
   * ends or is not done in time. Nothing of it is left then
   */
  static async start(spec: PythonWorkerSpec, signal?: AbortSignal): Promise<PythonWorker> {
    const worker = new PythonWorker(spec, await privateFolder())
    try {
      await untilReady(worker.#process, { ...spec, signal })
      worker.state = 'ready'
      return worker
    } catch (error) {
      await worker.#process.stop(0)
      throw error
    }
  }

  private constructor(spec: PythonWorkerSpec, folder: string) {
    const socketPath = join(folder, 's')
    // It closes idle connections only when it drains, and then none is in use.
    this.upstream = new Upstream({ socketPath }, false)
    this.#process = new OwnProcess({
      argv: pythonArgv(spec, socketPath),
      cwd: spec.tree,
      env: { ...spec.env, PYTHONPATH: PYTHON_LOADER },
      third: 'ipc',
      onLine: spec.onLine,
    })
    const { name, memory: limit, requestTime, onLimit } = spec
    this.#memory = limit === undefined ? undefined : new MemoryLimit(this.#process, { limit, name, onExcess: onLimit })
    const target = () => this.upstream.target
    this.hanging = new HangWatch({ process: this.#process, name, target, requestTime, onHang: onLimit })
    this.worn = new Promise((resolve) => {
      this.child.on('message', (message) => {
        if (typeOf(message) === 'retire') resolve()
      })
      void this.#memory?.worn.then(resolve)
    })
    // Its output may be read for longer; nothing can be asked of it any more.
    this.child.once('exit', () => this.lose())
    // A message that could not be sent any more: that it is gone is told by `ended`.
    this.child.on('error', () => {})
    this.ended = this.#process.ended.then(async (how) => {
      this.lose()
      await rm(folder, { recursive: true, force: true }).catch(() => {})
      return how
    })
  }

  /** For messages beyond those of this class. */
  get child(): ChildProcess {
    return this.#process.child
  }

  /** How many pieces of work have it. */
  get running(): number {
    return this.#holds.count
  }

  /** Counts a piece of work, so that the worker is not drained before it is done. @returns to be called once */
  hold(): () => void {
    return this.#holds.take()
  }

  /** @returns whether it could be sent */
  send(message: object, handle?: SendHandle): boolean {
    if (!this.child.connected) return false
    this.child.send(message, handle, { keepOpen: true }, () => {})
    return true
  }

  /** It takes no connections any more: its process has ended, or is about to. */
  lose(): void {
    this.state = 'ended'
    this.upstream.destroy()
  }

  /** Waits for what is held, then lets the worker end; kills it where that takes longer. Idempotent. */
  async stop(graceMs = DRAIN_MS): Promise<void> {
    if (this.state !== 'ended') this.state = 'draining'
    const end = performance.now() + graceMs
    // What is on its way to the worker is not on its socket yet: a worker that stopped to accept now would lose it.
    await Promise.race([this.#holds.none(), this.ended, afterMs(graceMs)])
    const left = Math.max(0, Math.round(end - performance.now()))
    if (this.send({ type: 'drain', graceMs: left })) await Promise.race([this.ended, afterMs(left + DRAINED_MS)])
    if (this.child.exitCode === null && this.child.signalCode === null) this.#memory?.drained()
    await this.#process.stop(0)
    await this.ended
  }
}
