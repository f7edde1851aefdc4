/** Before what has ended is started again: doubled each time, up to the second. */
const FIRST_DELAY_MS = 100
const LAST_DELAY_MS = 30_000
/** What fell together, because a database went away say, is not to come back together: up to half as long again. */
const JITTER = 0.5

/** How long to wait before each further attempt: 0.1 s, 0.2 s, 0.4 s … 30 s, each with jitter on top (R09). */
export class BackOff {
  readonly #random: () => number
  #delay = FIRST_DELAY_MS

  /** @param random 0 to 1, 1 excluded */
  constructor(random: () => number = Math.random) {
    this.#random = random
  }

  /** ms before the next attempt. Each call is one more attempt in a row. */
  next(): number {
    const delay = this.#delay
    this.#delay = Math.min(2 * delay, LAST_DELAY_MS)
    return delay * (1 + JITTER * this.#random())
  }

  /** The next attempt is a first one again. */
  reset(): void {
    this.#delay = FIRST_DELAY_MS
  }
}
