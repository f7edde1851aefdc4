import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { fail, type ZappError } from '../../errors.ts'
import type { Health, Manifest } from '../../format/manifest-types.ts'
import { runsInProcess } from '../../runtimes/entry-kinds.ts'
import type { LogLine } from '../../runtimes/log-lines.ts'
import type { AccessFormat, AccessRecord } from '../access-log.ts'
import { withDeadline } from '../deadline.ts'
import { Deaths } from '../deaths.ts'
import type { Connections, Deployment, Faltering } from '../deployment.ts'
import type { BoundHandle } from '../front/bind.ts'
import type { StoredApp } from '../prepare.ts'
import type { AppLimits } from '../settings/app-settings.ts'
import type { Territory } from '../territory.ts'
import { askStatus } from './ask-status.ts'
import type { Lost } from './hand-over.ts'
import { type Launcher, type LaunchOptions, prepareLaunch } from './launch.ts'
import type { Report } from './messages.ts'
import { PassingOn } from './passing-on.ts'
import { WorkerGroup } from './worker-group.ts'
import { WorkerProcess } from './worker-process.ts'

export interface IsolatedOptions extends LaunchOptions {
  /** How requests are logged now. */
  readonly accessLog: () => AccessFormat | 'off'
  readonly limits?: AppLimits | undefined
  /** Instead of the manifest's. */
  readonly health?: Health | undefined
  readonly onError: (error: unknown, where: string) => void
  readonly onLog: (line: LogLine) => void
  readonly onAccess: (record: AccessRecord) => void
  readonly onReport: (report: Report) => void
  /** A process took the place of one that ended, or had to go. */
  readonly onRestart: () => void
  /** A connection comes back. `mixed`: it asked for another app, while this one goes on. */
  readonly onReturn: (socket: Socket, bytes: Buffer, mixed: boolean) => void
  /** A connection ends, because the process that may have read from it is gone. */
  readonly onCut: (socket: Socket) => void
}

/** Ample for connecting to a database; an app that waits for ever must not keep the others waiting. */
const START_MS = 30_000

/**
 * Runs an app in processes of its own, which share nothing with the host and other apps. One that dies is started again.
 *
 *     created ── start() ──▶ up ── too many deaths ──▶ failed: 503
 *                            └─────── stop() ──▶ stopping: connections come back ──▶ stopped
 */
export class Isolated implements Deployment {
  readonly manifest: Manifest
  readonly digest: string
  readonly died: Promise<ZappError | undefined>
  readonly faltered: Promise<Faltering>
  readonly connections: Connections
  readonly #stored: StoredApp
  readonly #options: IsolatedOptions
  readonly #workers: WorkerGroup
  readonly #passing: PassingOn
  readonly #deaths: Deaths
  #launcher: Launcher | undefined
  #territory: Territory | undefined
  #shared: BoundHandle | undefined
  #phase: 'created' | 'up' | 'failed' | 'stopping' = 'created'

  constructor(stored: StoredApp, options: IsolatedOptions) {
    this.manifest = stored.manifest
    this.digest = stored.digest
    this.#stored = stored
    this.#options = options
    this.#deaths = new Deaths(stored.manifest.name, options.limits)
    this.died = this.#deaths.died
    this.faltered = this.#deaths.faltered
    this.#workers = new WorkerGroup({
      start: (signal) => this.#startOne(signal),
      onUp: () => {
        this.#isUp()
        this.#passing.wake()
      },
      onEnded: (how) => this.#ended(`the process of ${this.manifest.name}: ${how}`),
      onFailed: (error) => {
        options.onError(error, 'starting it again')
        this.#ended(error instanceof Error ? error.message : String(error))
      },
    })
    this.#passing = new PassingOn({
      next: () => this.#workers.byLoad()[0],
      mayWait: () => this.#phase === 'up',
      onError: options.onError,
    })
    this.connections = this.#connect()
  }

  get pids(): number[] {
    return this.#workers.all.flatMap(({ pid }) => pid ?? [])
  }

  async start(stopping: AbortSignal = new AbortController().signal): Promise<void> {
    this.#launcher = await prepareLaunch(this.#stored, this.#options)
    await this.#workers.start(this.#launcher.processes, stopping)
    this.#phase = 'up'
  }

  async health(signal: AbortSignal): Promise<void> {
    const { name } = this.manifest
    // One that was ready may have ended while others were still starting.
    if (!this.#workers.isWhole) {
      throw fail('ENTRY_LOAD', name, { module: name, reason: 'a process ended right after it was ready' })
    }
    const health = this.#health
    if (!health) return
    const asked = { path: this.#options.mount + health.path, host: health.host ?? 'localhost' }
    const answers = await withDeadline(signal, health.timeout, (end) =>
      Promise.all(this.#workers.all.map((worker) => askStatus(worker, asked, end))),
    )
    const got = answers.find((answer) => typeof answer === 'string' || answer < 200 || answer > 299)
    if (got === undefined) return
    throw fail('HEALTH_FAILED', name, { path: health.path, timeout: health.timeout, got })
  }

  handle(req: IncomingMessage, res: ServerResponse): void {
    void this.#passing.handle(req, res)
  }

  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    void this.#passing.upgrade(req, socket, head)
  }

  async idleMs(): Promise<number> {
    return Math.min(...(await Promise.all(this.#workers.all.map((worker) => worker.idleMs()))))
  }

  async stop(graceMs: number): Promise<void> {
    this.#phase = 'stopping'
    this.#passing.wake()
    await this.#workers.stop(graceMs)
    await this.#launcher?.release()
    await this.#stored.release()
    this.#deaths.stopped()
  }

  get #health(): Health | undefined {
    return this.#options.health ?? this.manifest.health
  }

  #connect(): Connections {
    const workers = this.#workers
    return {
      claim: (territory) => {
        this.#territory = territory
        for (const worker of workers.all) worker.tell(territory)
      },
      listen: async (handle) => {
        this.#shared = handle
        await Promise.all(workers.all.map((worker) => worker.listen(handle)))
      },
      take: (socket, bytes) => this.#territory !== undefined && workers.byLoad().some((one) => one.take(socket, bytes)),
      end: async () => {
        await Promise.all(workers.all.map((worker) => worker.drain(Number.POSITIVE_INFINITY, true)))
      },
      logAs: (format) => {
        for (const worker of workers.all) worker.logAs(format)
      },
      cut: () => workers.all.forEach((worker) => void worker.drain(0, true)),
    }
  }

  async #startOne(signal: AbortSignal): Promise<WorkerProcess> {
    const { launch, entry } = this.#launcher as Launcher
    const { app, user, limits = {}, accessLog, onError, onLog, onAccess, onReport, onReturn } = this.#options
    const { memory, ...others } = limits
    // Where no code of the app runs in it, each program that it starts has the limit.
    const isBare = user && !runsInProcess(this.manifest)
    const worker = await WorkerProcess.start(
      {
        ...{ name: this.manifest.name, app, launch, user, limits: isBare ? others : limits },
        timeout: START_MS + (this.#health?.timeout ?? 0),
        ...{ onLog, onError, onAccess, onReport },
        entries: { ended: (how, isDown) => this.#mourn(how, isDown), up: () => this.#isUp() },
        onLine: (stream, text) => onLog({ entry, stream, text }),
        onReturn: (socket, bytes, draining) => onReturn(socket, bytes, !draining),
        onLost: (lost) => this.#rescue(lost),
      },
      signal,
    )
    worker.logAs(accessLog())
    if (this.#territory) worker.tell(this.#territory)
    if (this.#shared) await worker.listen(this.#shared)
    return worker
  }

  #isUp(): void {
    this.#options.onRestart()
    this.#deaths.up()
  }

  #rescue({ sent, waiting }: Lost): void {
    if (sent) this.#options.onCut(sent.socket)
    for (const { socket, bytes } of waiting) this.#options.onReturn(socket, bytes, false)
  }

  #ended(how: string): void {
    if (this.#phase === 'up') this.#options.onError(new Error(how), 'the process ended')
    this.#mourn(how, this.#workers.ready.length === 0)
  }

  #mourn(how: string, isDown: boolean): void {
    if (this.#phase !== 'up' || !this.#deaths.add(how, isDown)) return
    this.#phase = 'failed'
    this.#passing.wake()
    void this.#workers.close()
  }
}
