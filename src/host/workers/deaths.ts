/** The deaths of an app's processes within the last while. */
export class Deaths {
  readonly #limit: { readonly count: number; readonly within: number }
  readonly #recent: { readonly at: number; readonly isDown: boolean }[] = []

  /** @param limit so many deaths in so many ms are too many */
  constructor(limit: { readonly count: number; readonly within: number }) {
    this.#limit = limit
  }

  get count(): number {
    return this.#recent.length
  }

  /** Starting them again does not help: not even one of them stays. */
  get areTooMany(): boolean {
    return this.count >= this.#limit.count && (this.#recent.at(-1)?.isDown ?? false)
  }

  /** When no process was left for the first time, once that has happened twice. */
  get faltersSince(): number | undefined {
    const [first, second] = this.#recent.filter(({ isDown }) => isDown)
    return second && first?.at
  }

  /** One more, or one that did not come up again. @param isDown no process is left */
  add(isDown: boolean): void {
    const now = performance.now()
    this.#recent.push({ at: now, isDown })
    while ((this.#recent[0]?.at ?? now) < now - this.#limit.within) this.#recent.shift()
  }
}
