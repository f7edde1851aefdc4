import { asZappError, type ZappError } from '../../errors.ts'
import { BackOff } from '../../runtimes/back-off.ts'
import type { Deployment } from '../deployment.ts'

export interface WakingOptions {
  readonly make: () => Deployment
  /** Bounds how many apps wake at once. */
  readonly limit: <T>(work: () => Promise<T>) => Promise<T>
  /** Where it aborts nobody waits any longer. */
  readonly signal: AbortSignal
  readonly onError: (error: unknown, where: string) => void
}

/** Starts an app that sleeps: once, however many ask, and not for each of them where it does not come up. */
export class Waking {
  /** Why it did not come up the last time. */
  error: ZappError | undefined
  readonly #options: WakingOptions
  readonly #backOff = new BackOff()
  #notBefore = 0
  #running: Promise<Deployment | undefined> | undefined

  constructor(options: WakingOptions) {
    this.#options = options
  }

  /** Seconds until it may be tried again, for `Retry-After`. */
  get retryAfter(): number {
    return Math.max(1, Math.ceil((this.#notBefore - performance.now()) / 1000))
  }

  /** @param onUp told before anybody else. @returns undefined: it does not come up, or did not a moment ago */
  async wake(onUp: (awake: Deployment, ms: number) => void): Promise<Deployment | undefined> {
    if (performance.now() < this.#notBefore) return undefined
    this.#running ??= this.#start(onUp).finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #start(onUp: (awake: Deployment, ms: number) => void): Promise<Deployment | undefined> {
    const { make, limit, signal, onError } = this.#options
    const begun = performance.now()
    const next = make()
    try {
      await limit(async () => {
        signal.throwIfAborted()
        await next.start(signal)
        await next.health(signal)
      })
      signal.throwIfAborted()
    } catch (failure) {
      await next.stop(0).catch((error) => onError(error, 'stopping'))
      if (signal.aborted) return undefined
      this.error = asZappError(failure)
      this.#notBefore = performance.now() + this.#backOff.next()
      onError(failure, 'waking')
      return undefined
    }
    this.error = undefined
    this.#backOff.reset()
    onUp(next, performance.now() - begun)
    return next
  }
}
