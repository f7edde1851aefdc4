/** Lends out things one by one, to who has waited longest. */
export class Turns<T> {
  readonly #free: T[]
  readonly #waiting = new Set<(thing: T | undefined) => void>()
  readonly #limit: number

  /** @param limit how many may wait */
  constructor(things: readonly T[], limit: number) {
    this.#free = [...things]
    this.#limit = limit
  }

  /** Whether one more may wait, or need not. */
  get hasRoom(): boolean {
    return this.#free.length > 0 || this.#waiting.size < this.#limit
  }

  /** undefined when it has left the queue: `leave` was called with what this gives to `onWait`. */
  take(onWait: (leave: () => void) => void): Promise<T | undefined> | T {
    const thing = this.#free.pop()
    if (thing !== undefined) return thing
    return new Promise((resolve) => {
      this.#waiting.add(resolve)
      onWait(() => {
        if (this.#waiting.delete(resolve)) resolve(undefined)
      })
    })
  }

  give(thing: T): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free.push(thing)
      return
    }
    this.#waiting.delete(next)
    next(thing)
  }
}
