import type { EntryAnswer } from '../mount/answer.ts'
import type { Running } from './running.ts'
import type { FetchHandler } from './running-entry.ts'

/* What a fetch handler is called with, and what it may answer. Standard globals only: it runs in every kind of host. */

/** Where fetch and server entries find the mount, and the prefix that their route stripped. Clients cannot set it. */
export const PREFIX_FIELD = 'X-Forwarded-Prefix'

/** Statuses whose responses have no body, in the Fetch Standard's words "null body status". */
export const NULL_BODY: ReadonlySet<number> = new Set([101, 103, 204, 205, 304])

/**
 * The address that a fetch handler sees: its own part of the path, as it was sent. Parsing a URL would make a slash of a
 * backslash, and so another path than the one that was routed; dot segments, which it would resolve, never get here.
 */
export function entryUrl(origin: string, { pathInfo, query }: Pick<EntryAnswer, 'pathInfo' | 'query'>): string {
  return origin + (pathInfo.replaceAll('\\', '%5C') || '/') + query
}

/** By shape and not by class: an app may bring a Response of its own. @throws TypeError */
export function checkResponse(value: unknown): Response {
  const { status, headers } = Object(value) as Partial<Response>
  if (typeof status === 'number' && typeof headers?.get === 'function') return value as Response
  throw new TypeError(`fetch must answer with a Response, got ${value === null ? 'null' : typeof value}`)
}

/**
 * Calls a handler without any detour. The answer breaks off with the request's signal, and keeps the app from being
 * closed until its body is read.
 *
 * @throws what the handler throws; the signal's reason
 */
export async function callFetch(
  handler: FetchHandler,
  request: Request,
  { scriptName, pathInfo, query, route }: EntryAnswer,
  running: Running,
): Promise<Response> {
  const { signal } = request
  signal.throwIfAborted()
  const done = new Ending(signal)
  running.add(done)
  try {
    const response = checkResponse(await Promise.race([handler(aimed()), done.broken]))
    const headers = new Headers(response.headers)
    for (const [name, value] of route.headers) if (!headers.has(name)) headers.set(name, value)
    const { status, statusText } = response
    if (response.body && request.method !== 'HEAD' && !NULL_BODY.has(status)) {
      const body = passOn(response.body, done.broken, () => done.close())
      return new Response(body, { status, statusText, headers })
    }
    await response.body?.cancel()
    done.close()
    return new Response(null, { status, statusText, headers })
  } catch (error) {
    done.close()
    throw error
  }

  function aimed(): Request {
    const { method, body } = request
    const headers = new Headers(request.headers)
    headers.delete(PREFIX_FIELD)
    if (scriptName !== '') headers.set(PREFIX_FIELD, scriptName)
    const url = entryUrl(new URL(request.url).origin, { pathInfo, query })
    if (!body) return new Request(url, { method, headers, signal })
    return new Request(url, { method, headers, signal, body: passOn(body, done.broken), duplex: 'half' })
  }
}

/** A body that breaks off with the call. It is read when the consumer pulls and not before. */
function passOn(
  body: ReadableStream<Uint8Array>,
  broken: Promise<never>,
  onEnd = () => {},
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        broken.catch((reason) => {
          controller.error(reason)
          reader.cancel(reason).catch(() => {})
        })
      },
      async pull(controller) {
        const chunk = await reader.read()
        if (!chunk.done) return controller.enqueue(chunk.value)
        controller.close()
        onEnd()
      },
      async cancel(reason) {
        onEnd()
        await reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

/** One call, from its beginning to the last byte of the answer. */
class Ending {
  /** Rejects when the call is broken off. */
  readonly broken: Promise<never>
  readonly #signal: AbortSignal
  readonly #abort: () => void
  #reject: (reason: unknown) => void = () => {}
  #onClose: (this: Ending) => void = () => {}

  constructor(signal: AbortSignal) {
    this.broken = new Promise((_, reject) => {
      this.#reject = reject
    })
    this.broken.catch(() => {})
    this.#signal = signal
    this.#abort = () => this.#break(signal.reason)
    signal.addEventListener('abort', this.#abort, { once: true })
  }

  on(_: 'close', listener: (this: Ending) => void): void {
    this.#onClose = listener
  }

  destroy(): void {
    this.#break(new Error('the app was taken down'))
  }

  close(): void {
    this.#signal.removeEventListener('abort', this.#abort)
    this.#onClose()
  }

  #break(reason: unknown): void {
    this.#reject(reason)
    this.close()
  }
}
