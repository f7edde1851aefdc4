import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { fail } from '../../errors.ts'
import { Holds } from '../../runtimes/holds.ts'
import { OwnProcess } from '../../runtimes/own-process.ts'
import { privateFolder, removePrivateFolder, sealSocket, socketOf } from '../../runtimes/private-folder.ts'
import type { ProcessLimits } from '../../runtimes/process-limits.ts'
import type { Supervised } from '../../runtimes/supervisor.ts'
import { untilReady } from '../../runtimes/until-ready.ts'
import { Upstream } from '../../runtimes/upstream/upstream.ts'
import type { AccessFormat } from '../access-log.ts'
import { LONGEST_MS } from '../deadline.ts'
import type { BoundHandle } from '../front/bind.ts'
import type { Territory } from '../territory.ts'
import type { SystemUser } from '../users/system-user.ts'
import { HandOver, type Lost } from './hand-over.ts'
import { HeldPlaces } from './held-places.ts'
import type { Launch } from './launch.ts'
import type { FromWorker } from './messages.ts'
import { WorkerChannel } from './worker-channel.ts'
import { WorkerLimits } from './worker-limits.ts'
import { handOn, type WorkerNews } from './worker-news.ts'

export interface WorkerSpec extends WorkerNews {
  /** What messages call it: the app. */
  readonly name: string
  readonly launch: (socket: string) => Launch
  /** Whose process it is. Default: the host's own user. */
  readonly user?: SystemUser | undefined
  /** ms until it has to be ready. */
  readonly timeout: number
  readonly limits: ProcessLimits
  readonly onLine: (stream: 'stdout' | 'stderr', text: string) => void
  /** It gives a connection back: with what was read of it, on which nothing runs. */
  readonly onReturn: (socket: Socket, bytes: Buffer, draining: boolean) => void
  /** It is gone, and had not confirmed these. */
  readonly onLost: (lost: Lost) => void
}

/** For one that asked to be replaced: as long as a version that is replaced has. */
const DRAIN_MS = 30_000
/** For a worker to end after the grace that it was given. */
const ENDING_MS = 2000

/**
 * A process that answers for one app, on connections that are handed to it and on a private socket.
 *
 *     starting ── "ready" ──▶ ready ── stop() ──▶ draining ──▶ ended
 *        └── "failed", not in time ─────────────────────────────▲
 */
export class WorkerProcess implements Supervised {
  readonly ended: Promise<string>
  /** Resolves when it has answered its number of requests, or costs more than it may. */
  readonly worn: Promise<void>
  readonly upstream: Upstream
  state: 'starting' | 'ready' | 'draining' | 'ended' = 'starting'
  readonly #spec: WorkerSpec
  readonly #socket: string
  readonly #process: OwnProcess
  readonly #channel: WorkerChannel
  readonly #connections: HandOver
  readonly #places = new HeldPlaces()
  readonly #drained: Promise<void>
  readonly #limits: WorkerLimits
  #isWorn = false
  readonly #asking = new Holds()
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
    this.upstream = new Upstream({ socketPath: socket }, false)
    this.#process = new OwnProcess({
      argv,
      cwd,
      env,
      user: spec.user,
      third: 'ipc',
      onLine: spec.onLine,
    })
    this.#connections = new HandOver(this.#child, 'connection', (place) => this.#places.add(place))
    this.#channel = new WorkerChannel(this.#process, {
      onMessage: (message, handle) => this.#told(message, handle),
      onNonsense: (error) => spec.onError(error, 'what its process says'),
    })
    // Whichever comes first: after a kill in the middle of a message the channel's end is never told.
    this.#child.once('exit', () => this.#lost())
    this.#child.once('disconnect', () => this.#lost())
    this.ended = this.#process.ended.then(async (how) => {
      this.upstream.destroy()
      clearTimeout(this.#killTimer)
      await removePrivateFolder(folder)
      this.#channel.gone()
      return how
    })
    this.#drained = this.#channel.said('drained')
    const ask = () => this.#channel.say({ type: 'activity' })
    this.#limits = new WorkerLimits(this.#process, { ...spec, ask })
    this.worn = new Promise((resolve) => {
      void this.#channel.said('retire').then(() => this.state !== 'ended' && resolve())
      void this.#limits.worn.then(resolve)
    })
    void this.worn.then(() => {
      this.#isWorn = true
    })
    if (start) this.#channel.say(start)
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** It was killed because it did not respond any more. */
  get hangs(): boolean {
    return this.#limits.hangs
  }

  /** Connections that wait to be handed over, and requests on its private socket. */
  get load(): number {
    return this.#connections.length + this.#asking.count
  }

  /** @returns false where it cannot take it; it is the caller's then */
  take(socket: Socket, bytes: Buffer): boolean {
    return this.state === 'ready' && this.#connections.give(socket, bytes)
  }

  /** Lets it accept connections itself, until it drains. Resolves when it does, or is gone. */
  async listen(handle: BoundHandle): Promise<void> {
    if (this.state !== 'ready') return
    this.#connections.share(handle)
    await this.#channel.said('listening')
  }

  tell(territory: Territory): void {
    if (this.state === 'ready') this.#channel.say({ type: 'territory', territory })
  }

  logAs(format: AccessFormat | 'off'): void {
    if (this.state === 'ready') this.#channel.say({ type: 'accessLog', format })
  }

  /** ms in which nothing ran on its connections; 0 while something does. Without bound where it is gone. */
  async idleMs(): Promise<number> {
    const told = this.#channel.answer('activity')
    this.#channel.say({ type: 'activity' })
    return (await told)?.idleMs ?? Number.POSITIVE_INFINITY
  }

  /** Counts a request over the private socket, which stays open for it. @returns to be called once */
  ask(): () => void {
    return this.#asking.take()
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
    this.#channel.say({ type: 'drain', graceMs: Math.min(graceMs, LONGEST_MS), last })
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
        this.#limits.drained()
        void this.#process.stop(0)
      }, graceMs + ENDING_MS)
    }
    void this.drain(graceMs, false)
    void this.#asking.none().then(() => this.#channel.say({ type: 'end' }))
    await this.ended
  }

  get #child(): ChildProcess {
    return this.#process.child
  }

  #told(message: FromWorker, handle: Socket | undefined): void {
    switch (message.type) {
      case 'activity':
        this.#limits.heard(message.isDebugged)
        break
      case 'return':
        if (!handle) break
        this.#places.goesBack(message.place, handle)
        this.#spec.onReturn(handle, Buffer.from(message.head, 'latin1'), this.state !== 'ready')
        break
      case 'ended':
        this.#places.ended(message.places)
        break
      default:
        handOn(message, this.#spec)
    }
  }

  #lost(): void {
    if (this.state === 'ended') return
    this.state = 'ended'
    // One that has lost its channel can be told nothing any more.
    this.#process.signal('SIGKILL')
    this.#places.close()
    this.#spec.onLost(this.#connections.close())
  }

  async #ready(signal: AbortSignal | undefined): Promise<void> {
    const { name, user, timeout } = this.#spec
    await untilReady(this.#process, { name, timeout, signal })
    if (user && !(await sealSocket(user, this.#socket))) {
      throw fail('ENTRY_LOAD', name, { module: name, reason: 'its socket is not where it must be' })
    }
    this.state = 'ready'
    this.#limits.ready()
  }
}
