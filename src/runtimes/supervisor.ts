import { setTimeout as sleep } from 'node:timers/promises'
import { BackOff } from './back-off.ts'

/** What runs until it ends by itself or is stopped. */
export interface Supervised {
  /** Resolves when it has ended, with how in words. */
  readonly ended: Promise<string>
  /** Resolves when it asks to be replaced while it still works. */
  readonly worn?: Promise<void>
  /** Lets it finish what it has begun. Idempotent. Resolves when it is gone. */
  stop(): Promise<void>
}

export interface SupervisorOptions<T extends Supervised> {
  /** Resolves when it is up; leaves nothing behind where it rejects. */
  readonly start: (signal: AbortSignal) => Promise<T>
  /** Told when one is up, that given to the constructor excepted. */
  readonly onUp?: () => void
  /** Told how one ended that nobody had asked to. */
  readonly onEnded: (how: string) => void
  /** Told why one did not come up again. */
  readonly onFailed: (error: unknown) => void
}

/** What ran for as long is taken to be well: the next delay is the first one again. */
const WELL_MS = 60_000

/**
 * Keeps one of a kind running.
 *
 *     starting ──── up ────▶ running ──── ends ────▶ waiting ──── delay ────▶ starting
 *        ▲                    │   ▲                     ▲                        │
 *        │          is worn   │   │ the next one is up  └─── does not come up ───┘
 *        └──── the next ──────┘   └─ the old one finishes and ends
 */
export class Supervisor<T extends Supervised> {
  readonly #options: SupervisorOptions<T>
  readonly #closing = new AbortController()
  readonly #leaving = new Map<T, Promise<void>>()
  readonly #kept: Promise<void>
  #current: T | undefined

  /** @param first one that is up already; without it the first is started too, and again where that fails */
  constructor(options: SupervisorOptions<T>, first?: T) {
    this.#options = options
    if (first) this.#take(first)
    this.#kept = this.#keep(first)
  }

  /** The one that works, if one does. */
  get current(): T | undefined {
    return this.#current
  }

  /** Those that were replaced, and finish what they have begun. */
  get leaving(): T[] {
    return [...this.#leaving.keys()]
  }

  /** Stops it, and starts no other. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all([this.#current?.stop(), this.#kept, ...this.#leaving.values()])
  }

  async #keep(first: T | undefined): Promise<void> {
    const { signal } = this.#closing
    const backOff = new BackOff()
    for (let last = first; ; ) {
      const since = performance.now()
      const how = last && (await Promise.race([last.ended, ...(last.worn ? [last.worn] : [])]))
      if (performance.now() - since > WELL_MS) backOff.reset()
      let next: T | undefined
      for (let waits = how !== undefined; next === undefined; waits = true) {
        if (waits) await sleep(backOff.next(), undefined, { signal }).catch(() => {})
        if (signal.aborted) return
        next = await this.#options.start(signal).catch((error: unknown) => {
          if (!signal.aborted) this.#options.onFailed(error)
          return undefined
        })
      }
      if (signal.aborted) return next.stop()
      this.#take(next)
      this.#options.onUp?.()
      if (last) this.#leave(last)
      last = next
    }
  }

  #take(next: T): void {
    this.#current = next
    void next.ended.then((how) => {
      if (this.#current === next) this.#current = undefined
      if (!this.#closing.signal.aborted && !this.#leaving.has(next)) this.#options.onEnded(how)
    })
  }

  #leave(last: T): void {
    const gone = last.stop().finally(() => this.#leaving.delete(last))
    this.#leaving.set(last, gone)
  }
}
