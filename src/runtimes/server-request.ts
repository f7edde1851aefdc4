/** The types have fields where the standard has an accessor and a method, and what is a field cannot be overridden. */
const Native = Request as unknown as new (url: string, init: RequestInit) => Omit<Request, 'signal' | 'clone'>

/**
 * A request whose signal costs nothing until somebody asks for it: most handlers never do, and to make a Request follow a
 * signal takes longer than all the rest of it.
 */
export class ServerRequest extends Native {
  #gone: AbortController | undefined
  #aborted = false

  get signal(): AbortSignal {
    if (this.#gone === undefined) {
      this.#gone = new AbortController()
      if (this.#aborted) this.#gone.abort()
    }
    return this.#gone.signal
  }

  clone(): Request {
    return new Request(Request.prototype.clone.call(this), { signal: this.signal })
  }

  /** The client has gone. */
  abort(): void {
    this.#aborted = true
    this.#gone?.abort()
    // `new Request(request)` and `fetch(request)` do not ask for `signal`: they follow the one that Request has within.
    const within: AbortSignal = Reflect.get(Request.prototype, 'signal', this)
    Object.defineProperty(within, 'aborted', { value: true }).dispatchEvent(new Event('abort'))
  }
}
