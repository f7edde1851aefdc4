interface Ending {
  readonly closed?: boolean
  once(event: 'close', listener: () => void): unknown
  destroy(): unknown
}

/** What still runs in an app that is to be closed: responses, upgraded sockets, bodies that are being read. */
export class Running {
  closing = false
  readonly #all = new Set<Ending>()
  readonly #dispose: () => Promise<void>
  #closed: Promise<void> | undefined
  #onIdle = () => {}

  /** @param dispose called once, when the app is closing and nothing runs any more */
  constructor(dispose: () => Promise<void>) {
    this.#dispose = dispose
  }

  add<T extends Ending>(running: T): T {
    // Closed before it came here, while a middleware was at work: it will not say so again.
    if (running.closed) return running
    this.#all.add(running)
    running.once('close', () => {
      this.#all.delete(running)
      if (this.#all.size === 0) this.#onIdle()
    })
    return running
  }

  close(graceMs: number): Promise<void> {
    this.closing = true
    const end = setTimeout(() => this.#all.forEach((running) => void running.destroy()), graceMs)
    this.#closed ??= this.#idle().then(this.#dispose)
    return this.#closed.finally(() => clearTimeout(end))
  }

  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve
      if (this.#all.size === 0) resolve()
    })
  }
}
