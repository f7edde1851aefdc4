/** Counts pieces of work that have something, so that it is not ended under them. */
export class Holds {
  #count = 0
  #waiting: (() => void)[] = []

  get count(): number {
    return this.#count
  }

  /** @returns to be called once, when the work is done */
  take(): () => void {
    this.#count++
    return () => {
      if (--this.#count === 0) for (const resolve of this.#waiting.splice(0)) resolve()
    }
  }

  /** Resolves when no work has it. */
  async none(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}
