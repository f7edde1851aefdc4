/** One request, or what a client sent in the place of one. */
export interface AccessRecord {
  /** When the head of the request was complete, ms since 1970. */
  readonly time: number
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
  /** The app was told it as X-Request-Id; `-` where no request was passed on or could be read. */
  readonly id: string
  /** As sent, one character per byte; `""` where there was none. */
  readonly referer: string
  readonly userAgent: string
}

export const ACCESS_FORMATS = ['zapp', 'common', 'combined', 'json'] as const
export type AccessFormat = (typeof ACCESS_FORMATS)[number]

/**
 * One line without its end, safe to print: whatever the client sent is escaped. All but `json` can be split at spaces
 * outside of quotes.
 *
 *     zapp      2026-01-31T12:00:00.000Z 127.0.0.1 "GET /shop/ HTTP/1.1" 200 5123 3.2ms /shop
 *     common    127.0.0.1 - - [31/Jan/2026:12:00:00 +0000] "GET /shop/ HTTP/1.1" 200 5123
 *     combined  as common, then "referer" "user agent"
 *     json      {"time":"2026-01-31T12:00:00.000Z","id":"…","peer":"127.0.0.1","method":"GET",…}
 */
export function formatAccess(record: AccessRecord, format: AccessFormat = 'zapp'): string {
  return FORMATS[format](record)
}

const FORMATS: Readonly<Record<AccessFormat, (record: AccessRecord) => string>> = {
  zapp(record) {
    const { time, peer, status, bytes, ms, app, aborted } = record
    const end = aborted ? ' aborted' : ''
    return `${isoTime(time)} ${peer} ${requestOf(record)} ${status} ${bytes} ${ms.toFixed(1)}ms ${app}${end}`
  },
  common,
  combined: (record) => `${common(record)} ${quoted(record.referer)} ${quoted(record.userAgent)}`,
  json(record) {
    const { id, peer, method, target, httpVersion, status, bytes, ms, app, version, aborted } = record
    const { referer, userAgent } = record
    const time = isoTime(record.time)
    const request = { method, target, protocol: httpVersion === '-' ? '-' : `HTTP/${httpVersion}` }
    const answer = { status, bytes, ms: Math.round(ms * 1000) / 1000, aborted, app, version }
    const line = JSON.stringify({ time, id, peer, ...request, ...answer, referer, userAgent })
    return line.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
  },
}

/** The NCSA's format. Bytes are those of the whole response, as Apache's %O; 499 is nginx's word for a client that left. */
function common(record: AccessRecord): string {
  const { time, peer, status, bytes } = record
  return `${peer} - - [${clockTime(time)}] ${requestOf(record)} ${status || 499} ${bytes}`
}

function requestOf({ method, target, httpVersion }: AccessRecord): string {
  return method === '-' ? '"-"' : `"${method} ${escapeField(target)} HTTP/${httpVersion}"`
}

function quoted(field: string): string {
  return `"${escapeField(field) || '-'}"`
}

const isoTime = remembering((time) => new Date(time).toISOString())

/** `31/Jan/2026:12:00:00 +0000` */
function clockTime(time: number): string {
  return ofSecond(time - (time % 1000))
}

const ofSecond = remembering((time) => {
  const [, day, month, year, clock] = new Date(time).toUTCString().split(' ')
  return `${day}/${month}/${year}:${clock} +0000`
})

/** Many requests fall into one moment, and to write it down is most of the work of a line. */
function remembering(write: (time: number) => string): (time: number) => string {
  let [last, text] = [Number.NaN, '']
  return (time) => {
    if (time === last) return text
    last = time
    text = write(time)
    return text
  }
}

const UNSAFE = /[^\x20-\x7e]|["\\]/

/** As nginx and Apache do: `\xHH` for quotes, backslashes and everything beyond printable ASCII. */
function escapeField(text: string): string {
  if (!UNSAFE.test(text)) return text
  return text.replace(/[^\x20-\x7e]|["\\]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
