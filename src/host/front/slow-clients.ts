import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { ServedConnection } from './served-connection.ts'

export interface Patience {
  /** Bytes a second that a client has to send of a body, while nobody but the client is waited for; 0: any number. */
  readonly bodyRate: number
  /** ms of such waiting that a client has beyond that. */
  readonly bodyMs: number
  /** ms in which a client has to take anything of a response that is there for it. */
  readonly takeMs: number
  /** ms in which something has to be sent to a client that sends no more; else it is taken for gone. */
  readonly halfOpenMs: number
  /** ms between two looks. */
  readonly lookMs: number
}

/** As Apache's mod_reqtimeout: less is no network that anybody has, but a way to hold a server busy (S01). */
export const BODY_RATE = 500

export const PATIENCE: Patience = {
  bodyRate: BODY_RATE,
  bodyMs: 10_000,
  takeMs: 30_000,
  halfOpenMs: 60_000,
  lookMs: 2000,
}

/** What was seen of a connection at the last look. */
interface Seen {
  read: number
  /** ms that the client may still be waited for. */
  credit: number
  taken: number
  queued: number
  /** ms in which it has taken nothing. */
  stalled: number
}

/**
 * Finds clients that send a body, or take a response, so slowly that they only hold a connection. It looks at all of them
 * now and then, so that no request costs anything for it.
 */
export class SlowClients {
  readonly #patience: Patience
  readonly #connections: () => Iterable<ServedConnection>
  readonly #seen = new WeakMap<ServedConnection, Seen>()
  #timer: NodeJS.Timeout | undefined
  readonly #onSlowBody: (socket: Socket) => void

  /** @param onSlowBody answers a request whose body does not come; a response that is not taken is cut here */
  constructor(patience: Patience, connections: () => Iterable<ServedConnection>, onSlowBody: (socket: Socket) => void) {
    this.#patience = patience
    this.#connections = connections
    this.#onSlowBody = onSlowBody
  }

  /** Looks until {@link rest}. Idempotent. */
  watch(): void {
    this.#timer ??= setInterval(() => this.#look(), this.#patience.lookMs).unref()
  }

  rest(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(): void {
    for (const connection of this.#connections()) {
      const { socket } = connection
      const [read, taken, queued] = [socket.bytesRead, socket.bytesWritten - socket.writableLength, queueOf(socket)]
      const before = this.#seen.get(connection)
      const seen = before ?? { read, credit: this.#patience.bodyMs, taken, queued, stalled: 0 }
      if (before) this.#judge(connection, seen, taken !== seen.taken || queued < seen.queued || queued === 0)
      else this.#seen.set(connection, seen)
      Object.assign(seen, { read, taken, queued })
    }
  }

  #judge(connection: ServedConnection, seen: Seen, takes: boolean): void {
    const { bodyRate, bodyMs, takeMs, lookMs } = this.#patience
    const { socket } = connection
    seen.stalled = takes ? 0 : seen.stalled + lookMs
    if (seen.stalled >= takeMs) {
      socket.destroy()
      return
    }
    const req = connection.running[0]?.req ?? unreadOn(socket)
    if (!req || req.complete || bodyRate === 0) {
      seen.credit = bodyMs
    } else if (req.readableLength === 0) {
      // Nothing is there that the app could read: it is the client who is waited for.
      const earned = ((socket.bytesRead - seen.read) / bodyRate) * 1000
      seen.credit = Math.min(bodyMs, seen.credit + earned - lookMs)
      if (seen.credit >= 0) return
      if (connection.running.length > 0) this.#onSlowBody(socket)
      else socket.destroy()
    }
  }
}

/** A request that was answered before its body had come. */
function unreadOn(socket: Socket): IncomingMessage | undefined {
  const { parser } = socket as Socket & { parser?: { readonly incoming?: IncomingMessage | null } | null }
  return parser?.incoming ?? undefined
}

/** Bytes that the system has not taken yet, of a write that is under way. */
function queueOf(socket: Socket): number {
  const { _handle: handle } = socket as Socket & { _handle?: { readonly writeQueueSize?: number } | null }
  return handle?.writeQueueSize ?? 0
}
