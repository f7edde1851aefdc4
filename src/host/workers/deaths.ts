interface Death {
  readonly at: number
  /** How long the app had run by then. */
  readonly ranMs: number
  /** No process was left. */
  readonly isDown: boolean
}

/**
 * The deaths of an app's processes within the last while, in which it ran: that one takes long to start must not hide how
 * often it dies. Times are those of performance.now().
 */
export class Deaths {
  readonly #limit: { readonly count: number; readonly within: number }
  readonly #recent: Death[] = []
  #downMs = 0
  #downSince: number | undefined

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
    const at = performance.now()
    if (isDown) this.#downSince ??= at
    const ranMs = (this.#downSince ?? at) - this.#downMs
    this.#recent.push({ at, ranMs, isDown })
    while ((this.#recent[0]?.ranMs ?? ranMs) < ranMs - this.#limit.within) this.#recent.shift()
  }

  /** A process runs again. */
  up(): void {
    if (this.#downSince !== undefined) this.#downMs += performance.now() - this.#downSince
    this.#downSince = undefined
  }
}
