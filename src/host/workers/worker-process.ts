import type { ChildProcess } from 'node:child_process'
import { Agent } from 'node:http'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { fail, ZappError } from '../../errors.ts'
import type { EntryWatch } from '../../runtimes/entry-watch.ts'
import type { LogLine } from '../../runtimes/log-lines.ts'
import { MemoryLimit } from '../../runtimes/memory-limit.ts'
import { OwnProcess } from '../../runtimes/own-process.ts'
import { privateFolder, removePrivateFolder, sealSocket, socketOf } from '../../runtimes/private-folder.ts'
import type { Supervised } from '../../runtimes/supervisor.ts'
import type { Target, Upstream } from '../../runtimes/upstream.ts'
import type { AccessFormat, AccessRecord } from '../access-log.ts'
import { LONGEST_MS } from '../deadline.ts'
import type { BoundHandle } from '../front/bind.ts'
import type { Place } from '../front/place.ts'
import type { Territory } from '../territory.ts'
import type { SystemUser } from '../users/system-user.ts'
import { HandOver, type Lost } from './hand-over.ts'
import type { Launch } from './launch.ts'
import { type FromWorker, type Report, type ToWorker, unpackRecord } from './messages.ts'
import { Pulse } from './pulse.ts'
import { readFromWorker } from './read-message.ts'

export interface WorkerSpec {
  /** What messages call it: the app. */
  readonly name: string
  /** As the access log calls it. */
  readonly app: { readonly id: string; readonly version: string }
  readonly launch: (socket: string) => Launch
  /** Whose process it is. Default: the host's own user. */
  readonly user?: SystemUser | undefined
  /** ms until it has to be ready. */
  readonly timeout: number
  /** Resident bytes above which it is replaced. */
  readonly memory?: number | undefined
  /** ms until a request must have its answer. One that hangs for longer is killed. */
  readonly requestTime?: number | undefined
  readonly onLine: (stream: 'stdout' | 'stderr', text: string) => void
  /** Of programs that it started. */
  readonly onLog: (line: LogLine) => void
  /** Told of processes that it started for entries. */
  readonly entries: EntryWatch
  readonly onError: (error: unknown, where: string) => void
  readonly onAccess: (record: AccessRecord) => void
  readonly onReport: (report: Report) => void
  /** It gives a connection back: with what was read of it, on which nothing runs. */
  readonly onReturn: (socket: Socket, bytes: Buffer, draining: boolean) => void
  /** It is gone, and had not confirmed these. */
  readonly onLost: (lost: Lost) => void
}

/** For one that asked to be replaced: as long as a version that is replaced has. */
const DRAIN_MS = 30_000
/** For a worker to end after the grace that it was given. */
const ENDING_MS = 2000
/** On top of the limit for requests: what it did at a stretch may end, and it answers them with 504 itself. */
const HANGING_MS = 5000
/** What a worker may have printed after it said that it failed. */
const FAILED_MS = 2000

/**
 * A process that answers for one app, on connections that are handed to it and on a private socket.
 *
 *     starting ── "ready" ──▶ ready ── stop() ──▶ draining ──▶ ended
 *        └── "failed", not in time ─────────────────────────────▲
 */
export class WorkerProcess implements Supervised, Upstream {
  readonly ended: Promise<string>
  /** Resolves when it has answered its number of requests, or costs more than it may. */
  readonly worn: Promise<void>
  readonly target: Target
  /** Idle connections are ours to close. */
  readonly agent = new Agent({ keepAlive: true, maxFreeSockets: 64 })
  readonly freshAgent = this.agent
  state: 'starting' | 'ready' | 'draining' | 'ended' = 'starting'
  readonly #spec: WorkerSpec
  readonly #socket: string
  readonly #process: OwnProcess
  readonly #connections: HandOver
  /** Of connections that it has, and that are counted. By id. */
  readonly #places = new Map<number, Place>()
  /** Told what it says, and at its end undefined. */
  readonly #listeners = new Set<(message: FromWorker | undefined) => void>()
  #isGone = false
  readonly #drained: Promise<void>
  readonly #memory: MemoryLimit | undefined
  #pulse: Pulse | undefined
  #isWorn = false
  #asking = 0
  #onAsked = () => {}
  #killAt: number = Number.POSITIVE_INFINITY
  #killTimer: NodeJS.Timeout | undefined

  /**
   * Starts a worker and waits until it can answer.
   *
   * @throws ZappError what loading the app throws; ENTRY_LOAD where it ends or is not done in time. Nothing is left then
   */
  static async start(spec: WorkerSpec, signal?: AbortSignal): Promise<WorkerProcess> {
    const folder = await privateFolder()
    const socket = spec.user ? await socketOf(spec.user, folder) : join(folder, 's')
    const worker = new WorkerProcess(spec, folder, socket)
    try {
      await worker.#ready(signal)
      return worker
    } catch (error) {
      await worker.#process.stop(0)
      throw error
    }
  }

  private constructor(spec: WorkerSpec, folder: string, socket: string) {
    this.#spec = spec
    const { argv, cwd, env, start } = spec.launch(socket)
    this.#socket = socket
    this.target = { socketPath: socket }
    this.#process = new OwnProcess({
      argv,
      cwd,
      env,
      user: spec.user,
      third: 'ipc',
      onLine: spec.onLine,
    })
    this.#connections = new HandOver(this.#child, 'connection', (place) => this.#places.set(place.id, place))
    this.#child.on('message', (message, handle) => this.#hear(message, handle as Socket | undefined))
    // A message that could not be sent any more. That it is gone is told by what follows.
    this.#child.on('error', () => {})
    // Whichever comes first: after a kill in the middle of a message the channel's end is never told.
    this.#child.once('exit', () => this.#lost())
    this.#child.once('disconnect', () => this.#lost())
    this.ended = this.#process.ended.then(async (how) => {
      this.agent.destroy()
      clearTimeout(this.#killTimer)
      await removePrivateFolder(folder)
      this.#isGone = true
      for (const listener of [...this.#listeners]) listener(undefined)
      return how
    })
    this.#drained = this.#said('drained')
    this.#memory = this.#limitMemory()
    this.worn = new Promise((resolve) => {
      void this.#said('retire').then(() => this.state !== 'ended' && resolve())
      void this.#memory?.worn.then(resolve)
    })
    void this.worn.then(() => {
      this.#isWorn = true
    })
    if (start) this.#say(start)
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** It was killed because it did not respond any more. */
  get hangs(): boolean {
    return this.#pulse?.isLost ?? false
  }

  /** Connections that wait to be handed over, and requests on its private socket. */
  get load(): number {
    return this.#connections.length + this.#asking
  }

  /** @returns false where it cannot take it; it is the caller's then */
  take(socket: Socket, bytes: Buffer): boolean {
    return this.state === 'ready' && this.#connections.give(socket, bytes)
  }

  /** Lets it accept connections itself, until it drains. Resolves when it does, or is gone. */
  async listen(handle: BoundHandle): Promise<void> {
    if (this.state !== 'ready') return
    this.#connections.share(handle)
    await this.#said('listening')
  }

  tell(territory: Territory): void {
    if (this.state === 'ready') this.#say({ type: 'territory', territory })
  }

  logAs(format: AccessFormat | 'off'): void {
    if (this.state === 'ready') this.#say({ type: 'accessLog', format })
  }

  /** ms in which nothing ran on its connections; 0 while something does. Without bound where it is gone. */
  async idleMs(): Promise<number> {
    const told = this.#answer('activity')
    this.#say({ type: 'activity' })
    return (await told)?.idleMs ?? Number.POSITIVE_INFINITY
  }

  /** Counts a request over the private socket, which stays open for it. @returns to be called once */
  ask(): () => void {
    this.#asking++
    return () => {
      if (--this.#asking === 0) this.#onAsked()
    }
  }

  /**
   * Takes no more connections and lets those it has go. Resolves when the last has gone.
   * @param last they end, instead of coming back
   */
  async drain(graceMs: number, last: boolean): Promise<void> {
    if (this.state === 'ready') this.state = 'draining'
    if (this.state !== 'draining') return
    // What it was sent arrives before this message, and nothing behind it.
    const waiting = this.#connections.end()
    this.#say({ type: 'drain', graceMs: Math.min(graceMs, LONGEST_MS), last })
    for (const { socket, bytes } of waiting) this.#spec.onReturn(socket, bytes, true)
    await this.#drained
  }

  /** Lets it finish, and kills it where that takes longer. A later call can only shorten the wait. */
  async stop(graceMs = this.#isWorn ? DRAIN_MS : Number.POSITIVE_INFINITY): Promise<void> {
    if (this.state === 'starting') return this.#process.stop(0)
    const killAt = performance.now() + graceMs + ENDING_MS
    if (killAt < this.#killAt) {
      this.#killAt = killAt
      clearTimeout(this.#killTimer)
      this.#killTimer = setTimeout(() => {
        this.#memory?.drained()
        void this.#process.stop(0)
      }, graceMs + ENDING_MS)
    }
    void this.drain(graceMs, false)
    this.#onAsked = () => this.#say({ type: 'end' })
    if (this.#asking === 0) this.#onAsked()
    await this.ended
  }

  #limitMemory(): MemoryLimit | undefined {
    const { memory, name, onError } = this.#spec
    if (memory === undefined) return undefined
    const onExcess = (error: ZappError) => onError(error, 'memory')
    return new MemoryLimit(this.#process, { limit: memory, name, onExcess })
  }

  #watchPulse(): Pulse | undefined {
    const { requestTime, name, onError } = this.#spec
    if (requestTime === undefined) return undefined
    return new Pulse({
      ...{ process: this.#process, name, bound: requestTime + HANGING_MS },
      ask: () => this.#say({ type: 'activity' }),
      onHang: (error) => onError(error, 'its event loop'),
    })
  }

  get #child(): ChildProcess {
    return this.#process.child
  }

  /** Resolves when it has said so, or is gone. */
  async #said(type: FromWorker['type']): Promise<void> {
    await this.#answer(type)
  }

  /** The next message of a type; undefined where it is gone before. */
  #answer<T extends FromWorker['type']>(type: T): Promise<(FromWorker & { readonly type: T }) | undefined> {
    if (this.#isGone) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const look = (message: FromWorker | undefined) => {
        if (message && message.type !== type) return
        this.#listeners.delete(look)
        resolve(message as (FromWorker & { readonly type: T }) | undefined)
      }
      this.#listeners.add(look)
    })
  }

  #say(message: ToWorker): void {
    if (this.#child.connected) this.#child.send(message, () => {})
  }

  /** A process that talks nonsense is ended: the app in it has the same channel. */
  #hear(message: unknown, handle: Socket | undefined): void {
    try {
      const said = readFromWorker(message)
      this.#told(said, handle)
      for (const listener of [...this.#listeners]) listener(said)
    } catch (error) {
      this.#spec.onError(error, 'what its process says')
      handle?.destroy()
      this.#process.signal('SIGKILL')
    }
  }

  #told(message: FromWorker, handle: Socket | undefined): void {
    const { app, entries, onLog, onError, onAccess, onReport, onReturn } = this.#spec
    switch (message.type) {
      case 'activity':
        this.#pulse?.heard(message.isDebugged === true)
        break
      case 'return':
        if (!handle) break
        this.#takePlace(message.place)?.take(handle)
        onReturn(handle, Buffer.from(message.head, 'latin1'), this.state !== 'ready')
        break
      case 'ended':
        for (const id of message.places) this.#takePlace(id)?.end()
        break
      case 'access':
        for (const record of message.records) onAccess(unpackRecord(record, message.texts, app))
        break
      case 'report':
        onReport(message)
        break
      case 'entryEnded':
        entries.ended(message.how, message.isDown)
        break
      case 'entryUp':
        entries.up()
        break
      case 'log':
        onLog(message.line)
        break
      case 'error':
        onError(Object.assign(new Error(message.error.message), message.error), message.where)
    }
  }

  #lost(): void {
    if (this.state === 'ended') return
    this.state = 'ended'
    // One that has lost its channel can be told nothing any more.
    this.#process.signal('SIGKILL')
    for (const place of this.#places.values()) place.end()
    this.#places.clear()
    this.#spec.onLost(this.#connections.close())
  }

  /** Of a connection that is not its any more. */
  #takePlace(id: number | undefined): Place | undefined {
    const place = this.#places.get(id ?? 0)
    if (place) this.#places.delete(place.id)
    return place
  }

  async #ready(signal: AbortSignal | undefined): Promise<void> {
    const { timeout, name } = this.#spec
    let giveUp = () => {}
    const told = new Promise<FromWorker | undefined>((resolve) => {
      void Promise.race([this.#answer('ready'), this.#answer('failed')]).then((answer) => answer && resolve(answer))
      giveUp = () => resolve(undefined)
      signal?.addEventListener('abort', giveUp)
      if (signal?.aborted) giveUp()
    })
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`it was not done after ${timeout / 1000} seconds`), timeout)
    })
    const answer = await Promise.race([told, this.ended, late]).finally(() => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
    })
    signal?.throwIfAborted()
    if (typeof answer === 'object' && answer.type === 'ready') {
      const { user } = this.#spec
      if (user && !(await sealSocket(user, this.#socket))) {
        throw fail('ENTRY_LOAD', name, { module: name, reason: 'its socket is not where it must be' })
      }
      this.state = 'ready'
      this.#pulse = this.#watchPulse()
      return
    }
    if (typeof answer === 'object' && answer.type === 'failed' && answer.findings[0]) {
      await Promise.race([this.ended, new Promise((resolve) => setTimeout(resolve, FAILED_MS).unref())])
      throw new ZappError(answer.findings[0], answer.findings)
    }
    throw fail('ENTRY_LOAD', name, { module: name, reason: String(answer) })
  }
}
