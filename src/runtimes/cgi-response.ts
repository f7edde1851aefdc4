import { BadAnswer } from './bad-answer.ts'
import { responseFields } from './upstream/proxy-fields.ts'

/** The header of a script's answer. */
export interface CgiHead {
  readonly status: number
  readonly reason: string | undefined
  /** Name, value, name, value: what goes on to the client. */
  readonly fields: readonly string[]
  /** Set where the script asks for another path of this server to be answered instead: RFC 3875 §6.2.2. */
  readonly local: string | undefined
  /** What its Content-Length says. */
  readonly length: number | undefined
}

/** RFC 9110 §5.6.2; RFC 3875 §6.3 allows no space before the colon and no folded lines. */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/s
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/
const STATUS = /^([2-5]\d\d)(?: (.*))?$/
/** Fields for the server, each at most once: §6.3. */
const ONCE: ReadonlySet<string> = new Set(['content-type', 'location', 'status', 'content-length'])
/** Known to be of use to servers only; §6.3.5 leaves the rest of `X-CGI-` to be deleted. */
const FOR_SERVERS = /^(?:status|x-cgi-.*)$/

/** Where the body begins: behind the first empty line, whether lines end in LF or CR LF. -1: there is no such line yet. */
export function endOfHead(bytes: Buffer): number {
  for (let line = 0; ; ) {
    const end = bytes.indexOf(0x0a, line)
    if (end === -1) return -1
    if (end === line || (end === line + 1 && bytes[line] === 0x0d)) return end + 1
    line = end + 1
  }
}

/**
 * Reads a header block, RFC 3875 §6.2 and §6.3.
 *
 * @param block up to and with its empty line
 * @throws BadAnswer
 */
export function parseHead(block: Buffer): CgiHead {
  const lines = block
    .toString('latin1')
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .filter((line) => line !== '')
  const rawHeaders: string[] = []
  const once = new Map<string, string>()
  for (const line of lines) {
    const [, name, text] = FIELD.exec(line) ?? []
    if (name === undefined || text === undefined) throw new BadAnswer(wrongLine(line))
    const value = text.trimEnd()
    if (CONTROL.test(value)) throw new BadAnswer(`its field ${name} holds a control character`)
    const key = name.toLowerCase()
    if (once.has(key)) throw new BadAnswer(`its header has the field ${name} twice`)
    if (ONCE.has(key)) once.set(key, value)
    if (!FOR_SERVERS.test(key)) rawHeaders.push(name, value)
  }
  if (!['content-type', 'location', 'status'].some((name) => once.has(name))) {
    throw new BadAnswer('its header has none of Content-Type, Location and Status')
  }
  return headOf(once, responseFields(rawHeaders, undefined))
}

/** Says something of a body: none comes with these statuses (RFC 9110 §8.6, §15.4.5). */
const OF_BODY = /^content-(?:type|length|encoding)$/i

function withoutBody(fields: readonly string[]): string[] {
  return fields.filter((_, i) => !OF_BODY.test(fields[i - (i % 2)]!))
}

function headOf(once: ReadonlyMap<string, string>, fields: readonly string[]): CgiHead {
  const [given, location] = [once.get('status'), once.get('location')]
  const [, code, reason] = STATUS.exec(given ?? '200') ?? []
  if (code === undefined)
    throw new BadAnswer(`its Status must be three digits from 200 to 599, got ${JSON.stringify(given)}`)
  const isRedirect = location !== undefined && code === '200'
  // A cookie would be lost on the way: the client is to take it along.
  const isLocal = isRedirect && /^\/(?!\/)/.test(location) && !fields.some((name) => /^set-cookie$/i.test(name))
  return {
    // A redirect without a Status: §6.2.3.
    ...(isRedirect ? { status: 302, reason: undefined } : { status: Number(code), reason }),
    fields: code === '204' || code === '304' ? withoutBody(fields) : fields,
    local: isLocal ? location : undefined,
    length: lengthOf(once.get('content-length')),
  }
}

function lengthOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new BadAnswer(`its Content-Length must be a number, got ${JSON.stringify(text)}`)
}

function wrongLine(line: string): string {
  if (line.startsWith('HTTP/'))
    return 'it began with a status line: scripts that speak HTTP themselves (nph-) are not supported'
  const shown = line.length > 80 ? `${line.slice(0, 80)}…` : line
  return `a line of its header is no field: ${JSON.stringify(shown)}`
}
