/** Before an app that did not start is started again: doubled each time, as for processes that end (runtimes/supervisor.ts). */
const FIRST_DELAY_MS = 100
const LAST_DELAY_MS = 30_000

/** Keeps an app that does not start from being started for every request. */
export class BackOff {
  #delay = FIRST_DELAY_MS
  #until = 0

  /** ms until it may be tried again. */
  get waitMs(): number {
    return Math.max(0, this.#until - performance.now())
  }

  failed(): void {
    this.#until = performance.now() + this.#delay
    this.#delay = Math.min(2 * this.#delay, LAST_DELAY_MS)
  }

  succeeded(): void {
    this.#delay = FIRST_DELAY_MS
    this.#until = 0
  }
}
