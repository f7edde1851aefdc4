interface Ending {
  readonly closed?: boolean
  on(event: 'close', listener: () => void): unknown
  destroy(): unknown
}

/** What still runs in an app that is to be closed: responses, upgraded sockets, bodies that are being read. */
export class Running {
  closing = false
  readonly #all = new Set<Ending>()
  readonly #dispose: () => Promise<void>
  /** One for all, called with what has closed: each request would make its own otherwise. */
  readonly #onClose: (this: Ending) => void
  #closed: Promise<void> | undefined
  #onIdle = () => {}

  /** @param dispose called once, when the app is closing and nothing runs any more */
  constructor(dispose: () => Promise<void>) {
    this.#dispose = dispose
    const ended = (running: Ending) => {
      this.#all.delete(running)
      if (this.#all.size === 0) this.#onIdle()
    }
    this.#onClose = function () {
      ended(this)
    }
  }

  add<T extends Ending>(running: T): T {
    // Closed before it came here, while a middleware was at work: it will not say so again.
    if (running.closed) return running
    this.#all.add(running)
    running.on('close', this.#onClose)
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
