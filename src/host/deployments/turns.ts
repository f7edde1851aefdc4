/** Work that is done one after the other. */
export class Turns {
  readonly #onRest: () => void
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0

  /** @param onRest told whenever nothing is left to do */
  constructor(onRest: () => void) {
    this.#onRest = onRest
  }

  next<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting++
    const done = this.#last
      .catch(() => {})
      .then(work)
      .finally(() => {
        if (--this.#waiting === 0) this.#onRest()
      })
    this.#last = done
    return done
  }

  /** Resolves when nothing is left to do. Never rejects. */
  async rest(): Promise<void> {
    while (this.#waiting > 0) await this.#last.catch(() => {})
  }
}
