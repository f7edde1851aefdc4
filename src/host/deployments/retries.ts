/** Before an app that nothing serves any more is tried again: doubled each time, up to the second. */
const FIRST_RETRY_MS = 30_000
const LAST_RETRY_MS = 300_000

/** Tries again what failed: what it waits for, a database for instance, may come. */
export class Retries {
  readonly #again: () => void
  #timer: NodeJS.Timeout | undefined
  #delay = FIRST_RETRY_MS

  constructor(again: () => void) {
    this.#again = again
  }

  later(): void {
    if (this.#timer) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#again()
    }, this.#delay)
    this.#delay = Math.min(2 * this.#delay, LAST_RETRY_MS)
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** It works: what fails after this is tried again soon. */
  succeeded(): void {
    this.end()
    this.#delay = FIRST_RETRY_MS
  }
}
