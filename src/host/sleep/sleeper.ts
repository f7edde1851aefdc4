import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { ERRORS, type ZappError } from '../../errors.ts'
import type { Manifest } from '../../format/manifest-types.ts'
import { LONGEST_MS } from '../deadline.ts'
import type { Connections, Deployment, Faltering, Rest } from '../deployment.ts'
import type { StoredApp } from '../prepare.ts'
import { type Reply, refusal } from '../reply.ts'
import type { Territory } from '../territory.ts'
import { Activity } from './activity.ts'
import type { ArchiveAnswers } from './archive-answers.ts'
import { IdleWatch } from './idle-watch.ts'
import { WaitingRequests } from './waiting-requests.ts'
import { Waking } from './waking.ts'

export interface SleeperOptions {
  /** It falls asleep when nothing was asked of it for so long. */
  readonly idleMs: number
  /** It begins asleep. */
  readonly asleep: boolean
  /** Makes what is awake: another one each time, which does not let go of the stored app. */
  readonly make: (stored: StoredApp) => Deployment
  /** What it answers while it sleeps. */
  readonly answers: ArchiveAnswers
  /** Whether it could start, as far as that can be told without starting it. @throws ZappError */
  readonly check: () => Promise<void>
  /** Bounds how many apps wake at once. */
  readonly limit: <T>(work: () => Promise<T>) => Promise<T>
  readonly onError: (error: unknown, where: string) => void
}

/** What begins in the moment in which the app falls asleep ends by itself: it is not cut for that. */
const UNHURRIED_MS = 86_400_000

/**
 * An app whose processes end while nobody asks for it, and start with the next request.
 *
 *                     nothing runs, and nothing was asked for `idleMs`: its processes are told to drain
 *            ┌──────────────────────────────────────────────────────────────────────────┐
 *            │                                                                          ▼
 *     ┌──▶ awake ◀── started ── waking ◀── a request that needs its code ─────────── asleep ◀── start(), where it may
 *     │      │                     │                                                   ▲ │
 *     │      │                     └── does not start: 503, and tried again later ─────┘ │
 *   start()  └──────────────── stop(): what waits is still answered ─────────────────────┴───▶ stopped
 *
 * Nothing is lost in between. Falling asleep is a drain: its processes give back the connections that they hold, and what
 * they have begun they finish. Whatever comes meanwhile finds the app asleep and wakes it, beside those that still end.
 */
export class Sleeper implements Deployment {
  readonly manifest: Manifest
  readonly digest: string
  readonly died: Promise<ZappError | undefined>
  readonly faltered: Promise<Faltering>
  readonly connections: Connections
  readonly rest: { -readonly [K in keyof Omit<Rest, 'error'>]: Rest[K] } & Pick<Rest, 'error'>
  readonly #stored: StoredApp
  readonly #options: SleeperOptions
  readonly #activity = new Activity()
  readonly #idle: IdleWatch
  readonly #waking: Waking
  readonly #waiting: WaitingRequests
  /** What has fallen asleep, or is being stopped, until it is gone. */
  readonly #ending = new Set<Deployment>()
  readonly #cut = new AbortController()
  #awake: Deployment | undefined
  #territory: Territory | undefined
  #deadline = Number.POSITIVE_INFINITY
  #stopped: Promise<void> | undefined
  #onDied: (error: ZappError | undefined) => void = () => {}
  #onFaltered: (faltering: Faltering) => void = () => {}

  constructor(stored: StoredApp, options: SleeperOptions) {
    this.manifest = stored.manifest
    this.digest = stored.digest
    this.#stored = stored
    this.#options = options
    this.died = new Promise((resolve) => {
      this.#onDied = resolve
    })
    this.faltered = new Promise((resolve) => {
      this.#onFaltered = resolve
    })
    const { idleMs, asleep, answers, limit, onError } = options
    this.#idle = new IdleWatch(idleMs, this.#activity)
    const waking = new Waking({ limit, onError, signal: this.#cut.signal, make: () => this.#make() })
    this.#waking = waking
    this.rest = {
      isAsleep: asleep,
      since: new Date(),
      onTurn: () => {},
      get error() {
        return waking.error
      },
    }
    const unavailable = () => this.#unavailable()
    this.#waiting = new WaitingRequests({ answers, onError, unavailable, wake: () => this.#wake() })
    const all = () => this.#all.flatMap((one) => one.connections ?? [])
    // It listens nowhere by itself: who sleeps accepts nothing.
    this.connections = {
      claim: (territory) => {
        this.#territory = territory
        this.#awake?.connections?.claim(territory)
      },
      take: (socket, bytes) => {
        const isTaken = this.#awake?.connections?.take(socket, bytes) ?? false
        if (isTaken) this.#activity.touch()
        return isTaken
      },
      logAs: (format) => {
        for (const one of all()) one.logAs(format)
      },
      end: async () => {
        await Promise.all(all().map((one) => one.end()))
      },
      cut: () => {
        for (const one of all()) one.cut()
      },
    }
  }

  get pids(): readonly number[] {
    return this.#all.flatMap(({ pids }) => pids)
  }

  async start(signal?: AbortSignal): Promise<void> {
    if (this.#options.asleep) return this.#options.check()
    const first = this.#make()
    this.#awake = first
    await first.start(signal)
    this.#follow(first)
  }

  async health(signal: AbortSignal): Promise<void> {
    await this.#awake?.health(signal)
  }

  handle(req: IncomingMessage, res: ServerResponse): void {
    this.#activity.begin(res)
    if (this.#awake) this.#awake.handle(req, res)
    else this.#waiting.handle(req, res)
  }

  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#activity.begin(socket)
    if (this.#awake) this.#awake.upgrade(req, socket, head)
    else this.#waiting.upgrade(req, socket, head)
  }

  async stop(graceMs: number): Promise<void> {
    this.#idle.end()
    this.#deadline = Math.min(this.#deadline, performance.now() + graceMs)
    for (const one of this.#ending) void one.stop(graceMs).catch(() => {})
    const late = setTimeout(() => this.#cutWaiting(), Math.min(graceMs, LONGEST_MS))
    this.#stopped ??= this.#end()
    await this.#stopped.finally(() => clearTimeout(late))
  }

  /** What has processes. */
  get #all(): Deployment[] {
    return [...this.#ending, ...(this.#awake ? [this.#awake] : [])]
  }

  /** Another one each time; the stored app stays ours. */
  #make(): Deployment {
    return this.#options.make({ ...this.#stored, release: async () => {} })
  }

  #unavailable(): Reply {
    const { error, retryAfter } = this.#waking
    const reason = error ? ` ${error.code}, ${ERRORS[error.code].title}` : ''
    return refusal(503, `The app could not be started.${reason}`, { 'Retry-After': String(retryAfter) })
  }

  async #wake(): Promise<Deployment | undefined> {
    return (
      this.#awake ??
      this.#waking.wake((awake, ms) => {
        this.#awake = awake
        this.#follow(awake)
        this.#turn(`a request woke it, in ${Math.round(ms)} ms`)
      })
    )
  }

  /** It is awake: it dies, or falls asleep. */
  #follow(awake: Deployment): void {
    if (this.#territory) awake.connections?.claim(this.#territory)
    void awake.died.then((error) => {
      if (error && this.#awake === awake) this.#onDied(error)
    })
    void awake.faltered?.then((faltering) => this.#awake === awake && this.#onFaltered(faltering))
    if (!this.#stopped) this.#idle.start(awake, () => this.#fallAsleep(awake))
  }

  #fallAsleep(awake: Deployment): void {
    // From here on everything finds it asleep.
    this.#awake = undefined
    this.#ending.add(awake)
    this.#turn(`nothing was asked of it for ${this.#options.idleMs / 1000} s`)
    void awake
      .stop(UNHURRIED_MS)
      .catch((error) => this.#options.onError(error, 'falling asleep'))
      .finally(() => this.#ending.delete(awake))
  }

  #turn(cause: string): void {
    this.rest.isAsleep = this.#awake === undefined
    this.rest.since = new Date()
    this.rest.onTurn(cause)
  }

  async #end(): Promise<void> {
    this.#endAwake()
    await this.#waiting.passed()
    // Woken for those who waited.
    this.#endAwake()
    await Promise.all([...this.#ending].map((one) => one.stop(this.#graceMs)))
    await this.#options.answers.close()
    await this.#stored.release()
    this.#onDied(undefined)
  }

  #endAwake(): void {
    const { onError } = this.#options
    if (this.#awake) {
      this.#ending.add(this.#awake)
      void this.#awake.stop(this.#graceMs).catch((error) => onError(error, 'stopping'))
    }
    this.#awake = undefined
  }

  get #graceMs(): number {
    return Math.max(0, this.#deadline - performance.now())
  }

  /** Nobody waits any longer. */
  #cutWaiting(): void {
    this.#cut.abort()
    // They are told before.
    setImmediate(() => this.#waiting.cut())
  }
}
