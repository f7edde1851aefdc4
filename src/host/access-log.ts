/** One request, or what a client sent in the place of one. */
export interface AccessRecord {
  /** When the head of the request was complete. */
  readonly time: Date
  /** Address of the peer. */
  readonly peer: string
  /** As received; `-` where nothing could be read, as in `target` and `httpVersion`. */
  readonly method: string
  /** The request target as it was sent, one character per byte. */
  readonly target: string
  readonly httpVersion: string
  /** 0 when the connection ended before there was an answer. */
  readonly status: number
  /** Bytes sent, head included. */
  readonly bytes: number
  readonly ms: number
  /** Id of the app that answered, its mount and virtual host; `-` when the host answered by itself. */
  readonly app: string
  /** Of that app; `""` when the host answered. */
  readonly version: string
  /** The connection ended before the response did. */
  readonly aborted: boolean
}

/**
 * One line without its end, safe to print and to split at spaces outside of quotes: whatever the client sent is escaped.
 *
 *     2026-01-31T12:00:00.000Z 127.0.0.1 "GET /shop/ HTTP/1.1" 200 5123 3.2ms /shop
 */
export function formatAccess(record: AccessRecord): string {
  const { time, peer, method, target, httpVersion, status, bytes, ms, app, aborted } = record
  const line = method === '-' ? '-' : `${method} ${escapeField(target)} HTTP/${httpVersion}`
  const words = [time.toISOString(), peer, `"${line}"`, status, bytes, `${ms.toFixed(1)}ms`, app]
  return `${words.join(' ')}${aborted ? ' aborted' : ''}`
}

/** As nginx and Apache do: `\xHH` for quotes, backslashes and everything beyond printable ASCII. */
function escapeField(text: string): string {
  return text.replace(/[^\x20-\x7e]|["\\]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
