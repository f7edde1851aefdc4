import type { IncomingMessage, ServerResponse } from 'node:http'
import { request } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { fail, type ZappError } from '../../errors.ts'
import type { Health, Manifest } from '../../format/manifest-types.ts'
import { runsInProcess } from '../../runtimes/entry-kinds.ts'
import type { LogLine } from '../../runtimes/log-lines.ts'
import { proxyRequest, proxyUpgrade } from '../../runtimes/proxy.ts'
import { Supervisor } from '../../runtimes/supervisor.ts'
import type { AccessFormat, AccessRecord } from '../access-log.ts'
import { withDeadline } from '../deadline.ts'
import { Deaths } from '../deaths.ts'
import type { Connections, Deployment, Faltering } from '../deployment.ts'
import type { BoundHandle } from '../front/bind.ts'
import type { StoredApp } from '../prepare.ts'
import { rawReply, refusal, sendReply } from '../reply.ts'
import type { AppLimits } from '../settings/app-settings.ts'
import type { Territory } from '../territory.ts'
import type { Lost } from './hand-over.ts'
import { type LaunchOptions, prepareLaunch } from './launch.ts'
import type { Report } from './messages.ts'
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
/** Requests wait for as long for a process that is being started again. */
const WAIT_MS = 5000

const UNAVAILABLE = refusal(503, 'The app is not running.', { 'Retry-After': '10' })
const UNANSWERED = refusal(502, 'The app did not answer.')
const LATE = refusal(504, 'The app did not answer in time.')

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
  readonly #supervisors: Supervisor<WorkerProcess>[] = []
  readonly #deaths: Deaths
  readonly #waiting = new Set<() => void>()
  #turn = 0
  #territory: Territory | undefined
  #shared: BoundHandle | undefined
  #phase: 'created' | 'up' | 'failed' | 'stopping' = 'created'
  #release = async () => {}

  constructor(stored: StoredApp, options: IsolatedOptions) {
    this.manifest = stored.manifest
    this.digest = stored.digest
    this.#stored = stored
    this.#options = options
    this.#deaths = new Deaths(stored.manifest.name, options.limits)
    this.died = this.#deaths.died
    this.faltered = this.#deaths.faltered
    this.connections = {
      claim: (territory) => {
        this.#territory = territory
        for (const worker of this.#workers) worker.tell(territory)
      },
      listen: async (handle) => {
        this.#shared = handle
        await Promise.all(this.#workers.map((worker) => worker.listen(handle)))
      },
      take: (socket, bytes) => this.#territory !== undefined && this.#byLoad().some((one) => one.take(socket, bytes)),
      end: async () => {
        await Promise.all(this.#workers.map((worker) => worker.drain(Number.POSITIVE_INFINITY, true)))
      },
      logAs: (format) => {
        for (const worker of this.#workers) worker.logAs(format)
      },
      cut: () => this.#workers.forEach((worker) => void worker.drain(0, true)),
    }
  }

  get pids(): number[] {
    return this.#workers.flatMap(({ pid }) => pid ?? [])
  }

  async start(stopping?: AbortSignal): Promise<void> {
    const { app, user, onError, onLog, onAccess, onReport, onRestart } = this.#options
    const { manifest } = this
    const launcher = await prepareLaunch(this.#stored, this.#options)
    this.#release = launcher.release
    const { entry } = launcher
    const start = async (signal?: AbortSignal) => {
      const worker = await WorkerProcess.start(
        {
          ...{ name: manifest.name, app, launch: launcher.launch, user },
          timeout: START_MS + (this.#health?.timeout ?? 0),
          // Where no code of the app runs in it, each program that it starts has the limit.
          memory: user && !runsInProcess(manifest) ? undefined : this.#options.limits?.memory,
          requestTime: this.#options.limits?.requestTime,
          ...{ onLog, onError, onAccess, onReport },
          entries: { ended: (how, isDown) => this.#mourn(how, isDown), up },
          onLine: (stream, text) => onLog({ entry, stream, text }),
          onReturn: (socket, bytes, draining) => this.#options.onReturn(socket, bytes, !draining),
          onLost: (lost) => this.#rescue(lost),
        },
        signal,
      )
      worker.logAs(this.#options.accessLog())
      if (this.#territory) worker.tell(this.#territory)
      if (this.#shared) await worker.listen(this.#shared)
      return worker
    }
    const mourn = (how: string) => {
      if (this.#phase === 'up') onError(new Error(how), 'the process ended')
      this.#mourn(how, this.#ready.length === 0)
    }
    const onEnded = (how: string) => mourn(`the process of ${manifest.name}: ${how}`)
    const onFailed = (error: unknown) => {
      onError(error, 'starting it again')
      mourn(error instanceof Error ? error.message : String(error))
    }
    const up = () => {
      onRestart()
      this.#deaths.up()
    }
    const onUp = () => {
      up()
      this.#wake()
    }
    const first = await Promise.allSettled(Array.from({ length: launcher.processes }, () => start(stopping)))
    for (const one of first) {
      if (one.status === 'fulfilled') {
        this.#supervisors.push(new Supervisor({ start, onUp, onEnded, onFailed }, one.value))
      }
    }
    const failed = first.find((one) => one.status === 'rejected')
    if (failed) throw failed.reason
    this.#phase = 'up'
  }

  async health(signal: AbortSignal): Promise<void> {
    const { name } = this.manifest
    // One that was ready may have ended while others were still starting.
    if (this.#ready.length < this.#supervisors.length) {
      throw fail('ENTRY_LOAD', name, { module: name, reason: 'a process ended right after it was ready' })
    }
    const health = this.#health
    if (!health) return
    const path = this.#options.mount + health.path
    const answers = await withDeadline(signal, health.timeout, (end) =>
      Promise.all(this.#workers.map((worker) => statusOf(worker, path, health.host ?? 'localhost', end))),
    )
    const got = answers.find((answer) => typeof answer === 'string' || answer < 200 || answer > 299)
    if (got === undefined) return
    throw fail('HEALTH_FAILED', name, { path: health.path, timeout: health.timeout, got })
  }

  handle(req: IncomingMessage, res: ServerResponse): void {
    void this.#handle(req, res)
  }

  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    void this.#upgrade(req, socket, head)
  }

  async idleMs(): Promise<number> {
    return Math.min(...(await Promise.all(this.#workers.map((worker) => worker.idleMs()))))
  }

  async stop(graceMs: number): Promise<void> {
    this.#phase = 'stopping'
    this.#wake()
    const leaving = this.#supervisors.flatMap((one) => one.leaving)
    const stopped = [...this.#workers, ...leaving].map((worker) => worker.stop(graceMs))
    await Promise.all([...stopped, ...this.#supervisors.map((one) => one.close())])
    await this.#release()
    await this.#stored.release()
    this.#deaths.stopped()
  }

  get #health(): Health | undefined {
    return this.#options.health ?? this.manifest.health
  }

  get #workers(): WorkerProcess[] {
    return this.#supervisors.flatMap(({ current }) => current ?? [])
  }

  get #ready(): WorkerProcess[] {
    return this.#workers.filter(({ state }) => state === 'ready')
  }

  /** Those with the least to do come first; among equals they take turns. */
  #byLoad(): WorkerProcess[] {
    const ready = this.#ready
    const from = this.#turn++ % (ready.length || 1)
    return [...ready.slice(from), ...ready.slice(0, from)].sort((a, b) => a.load - b.load)
  }

  async #handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const worker = this.#byLoad()[0] ?? (await this.#restarted())
    if (!worker) return sendReply(UNAVAILABLE, req, res)
    const done = worker.ask()
    try {
      await proxyRequest(worker, req, res)
    } catch (error) {
      this.#options.onError(error, 'passing a request on')
      if (!res.headersSent) sendReply(worker.hangs ? LATE : UNANSWERED, req, res)
      else if (!res.writableEnded) res.destroy()
    } finally {
      done()
    }
  }

  async #upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const worker = this.#byLoad()[0] ?? (await this.#restarted())
    if (!worker) return void socket.end(rawReply(UNAVAILABLE), () => socket.destroy())
    const done = worker.ask()
    socket.once('close', done)
    await proxyUpgrade(worker, req, socket, head).catch((error) => {
      this.#options.onError(error, 'passing an upgrade on')
      socket.end(rawReply(worker.hangs ? LATE : UNANSWERED), () => socket.destroy())
    })
  }

  /** A process that in a moment answers. */
  async #restarted(): Promise<WorkerProcess | undefined> {
    if (this.#phase !== 'up') return undefined
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, WAIT_MS)
      this.#waiting.add(() => {
        clearTimeout(timer)
        resolve()
      })
    })
    return this.#byLoad()[0]
  }

  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  #rescue({ sent, waiting }: Lost): void {
    if (sent) this.#options.onCut(sent.socket)
    for (const { socket, bytes } of waiting) this.#options.onReturn(socket, bytes, false)
  }

  #mourn(how: string, isDown: boolean): void {
    if (this.#phase !== 'up' || !this.#deaths.add(how, isDown)) return
    this.#phase = 'failed'
    this.#wake()
    for (const supervisor of this.#supervisors) void supervisor.close()
  }
}

/** What it answers, or why it does not. */
function statusOf(
  { target }: WorkerProcess,
  path: string,
  host: string,
  signal: AbortSignal,
): Promise<string | number> {
  return new Promise((resolve) => {
    const asked = request({ ...target, path, headers: { Host: host }, signal, agent: false })
    asked.once('response', (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    asked.once('error', (error) => resolve(signal.aborted ? 'no answer' : error.message))
    asked.end()
  })
}
