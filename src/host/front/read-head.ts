/** What decides whose a request is. */
export interface Head {
  readonly method: string
  /** As it was sent. */
  readonly target: string
  /** As it was sent; undefined in HTTP/1.0. */
  readonly host: string | undefined
  /** All of the request is there, and no other will follow on its connection. */
  readonly isOnly: boolean
}

const MAX_LINE = 8 * 1024
const MAX_HEAD = 16 * 1024

const REQUEST_LINE = /^([A-Z]+) ([\x21-\x7e]+) HTTP\/1\.([01])$/
const HOST = /^host:[ \t]*([^\s,]*)[ \t]*$/i
const OTHER_FIELD = /^(?!host)[A-Za-z0-9!#$%&'*+.^_`|~-]+:/i
const CLOSE = /\r\nconnection:[ \t]*close[ \t]*\r\n/i
const KEEP_ALIVE = /\r\nconnection:[^\r]*keep-alive/i
/** What follows the head is a body, or another protocol. */
const GOES_ON = /\r\n(?:content-length|transfer-encoding|upgrade):/i
const HOST_LIKE = /^host[A-Za-z0-9!#$%&'*+.^_`|~-]+:/i

/**
 * The part of a head that decides whose a request is; what follows may still be on its way. It judges nothing: whoever
 * answers reads the same bytes again, and all of them.
 *
 * @returns `more` while that part is not complete; `odd` for anything that is not the usual: a method in lower case, a TLS
 * hello, a folded field, more than 16 KiB
 */
export function readHead(bytes: Buffer): Head | 'more' | 'odd' {
  const text = bytes.toString('latin1', 0, MAX_HEAD)
  // RFC 9112 §2.2: one empty line before the request is to be ignored.
  const start = text.startsWith('\r\n') ? 2 : 0
  const end = text.indexOf('\r\n', start)
  if (end === -1) return text.length - start > MAX_LINE || !/^[\r\nA-Z]/.test(text) ? 'odd' : 'more'
  const [, method, target, minor] = REQUEST_LINE.exec(text.slice(start, end)) ?? []
  if (method === undefined || target === undefined) return 'odd'
  for (let at = end + 2; ; ) {
    const next = text.indexOf('\r\n', at)
    if (next === -1) return bytes.length >= MAX_HEAD ? 'odd' : 'more'
    const line = text.slice(at, next)
    if (line === '') return minor === '0' ? { method, target, host: undefined, isOnly: isOnly(text, minor) } : 'odd'
    const [, host] = HOST.exec(line) ?? []
    if (host !== undefined) return { method, target, host, isOnly: isOnly(text, minor) }
    if (!OTHER_FIELD.test(line) && !HOST_LIKE.test(line)) return 'odd'
    at = next + 2
  }
}

/** RFC 9112 §9.3. */
function isOnly(text: string, minor: string | undefined): boolean {
  // Else the head is not complete, or something follows it already.
  if (text.indexOf('\r\n\r\n') !== text.length - 4 || GOES_ON.test(text)) return false
  return minor === '0' ? !KEEP_ALIVE.test(text) : CLOSE.test(text)
}
