import { readFields } from '../../runtimes/read-fields.ts'

/** What decides whose a request is. */
export interface Head {
  readonly method: string
  /** As it was sent. */
  readonly target: string
  /** As it was sent; undefined in HTTP/1.0. */
  readonly host: string | undefined
  /** The rest, where that is all there, and nothing is to follow on the connection. */
  readonly only: OnlyHead | undefined
}

export interface OnlyHead {
  readonly version: '1.0' | '1.1'
  /** Name, value, name, value … */
  readonly fields: string[]
}

const MAX_LINE = 8 * 1024
const MAX_HEAD = 16 * 1024

const REQUEST_LINE = /^([A-Z]+) ([\x21-\x7e]+) HTTP\/1\.([01])$/
const HOST = /^host:[ \t]*([^\s,]*)[ \t]*$/i
const OTHER_FIELD = /^(?!host)[A-Za-z0-9!#$%&'*+.^_`|~-]+:/i
/** Whose requests hardly ever have a body. */
const PLAIN_METHOD = /^(?:GET|HEAD)$/
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
    const [, host] = HOST.exec(line) ?? []
    if (host !== undefined || (line === '' && minor === '0')) {
      const isOnly = bytes.length === text.length && PLAIN_METHOD.test(method) && isLast(text, minor)
      return { method, target, host, only: isOnly ? readOnly(text, end + 2, minor) : undefined }
    }
    if (!OTHER_FIELD.test(line) && !HOST_LIKE.test(line)) return 'odd'
    at = next + 2
  }
}

/** Undefined for what Node's parser is to judge. */
function readOnly(text: string, at: number, minor: string | undefined): OnlyHead | undefined {
  const fields = readFields(text.slice(at, -2))
  return fields && { version: minor === '0' ? '1.0' : '1.1', fields }
}

/** RFC 9112 §9.3. */
function isLast(text: string, minor: string | undefined): boolean {
  // Else the head is not complete, or something follows it already.
  if (text.indexOf('\r\n\r\n') !== text.length - 4 || GOES_ON.test(text)) return false
  return minor === '0' ? !KEEP_ALIVE.test(text) : CLOSE.test(text)
}
