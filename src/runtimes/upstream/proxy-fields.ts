import type { IncomingMessage } from 'node:http'
import { PREFIX_FIELD } from '../fetch-call.ts'
import { FieldKinds } from '../field-kinds.ts'
import { HOP_BY_HOP } from '../hop-by-hop.ts'
import type { MountedRequest } from '../place.ts'

/** Only a proxy may say who the client is and how it came; `Proxy` would be taken for HTTP_PROXY by some programs. */
const NEVER_FROM_CLIENTS = /^(?:proxy|forwarded|x-real-ip|x-forwarded-.*)$|_/
/** Words to the web server in front, which would send a file or change its own doings at the program's bidding. */
const NEVER_FROM_PROGRAMS = /^(?:x-sendfile|x-lighttpd-send-?file|x-accel-.*)$/
/** Fields without which the message would be another one: nobody can have them dropped by naming them in Connection. */
const NOT_PER_HOP: ReadonlySet<string> = new Set(['host', 'content-length', 'content-type'])

/** Methods whose requests usually have a body: one that comes without says so (RFC 9110 §8.6). */
const WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

type Kind = 'dropped' | 'kept' | 'unless named'

const fromClients = kindsWithout(NEVER_FROM_CLIENTS)
const fromPrograms = kindsWithout(NEVER_FROM_PROGRAMS)

function kindsWithout(never: RegExp): FieldKinds<Kind> {
  return new FieldKinds((lower) => {
    if (HOP_BY_HOP.has(lower) || never.test(lower)) return 'dropped'
    return NOT_PER_HOP.has(lower) ? 'kept' : 'unless named'
  })
}

/**
 * The fields that a program gets, as a flat list. First goes what belongs to the client's connection, fields that it
 * names in Connection included, and what clients may not claim; then comes our own word on the same.
 */
export function requestFields(req: MountedRequest): string[] {
  const { rawHeaders, headers, method = 'GET', baseUrl = '' } = req
  const fields = endToEnd(rawHeaders, headers.connection, fromClients)
  if (headers.host === undefined) fields.push('Host', 'localhost')
  if (headers['transfer-encoding'] !== undefined) fields.push('Transfer-Encoding', 'chunked')
  else if (headers['content-length'] === undefined && WITH_BODY.has(method)) fields.push('Content-Length', '0')
  addForwarded(fields, req)
  if (baseUrl !== '') fields.push(PREFIX_FIELD, baseUrl)
  return fields
}

/**
 * The fields of a program's answer that go on to the client, as a flat list. Trailers do not, so neither does Trailer.
 *
 * @param raw the same, as they came
 * @param connection what its Connection field says
 */
export function responseFields(raw: readonly string[], connection: string | undefined): string[] {
  return endToEnd(raw, connection, fromPrograms)
}

function endToEnd(raw: readonly string[], connection: string | undefined, kinds: FieldKinds<Kind>): string[] {
  const named = namedIn(connection)
  const kept: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const kind = kinds.of(name)
    if (kind === 'dropped' || (kind === 'unless named' && named?.has(name.toLowerCase()))) continue
    kept.push(name, raw[i + 1]!)
  }
  return kept
}

/** Fields that a Connection field names; what it says nearly always is none. */
function namedIn(connection: string | undefined): ReadonlySet<string> | undefined {
  if (!connection || connection === 'keep-alive' || connection === 'close') return undefined
  return new Set(connection.split(',').map((option) => option.trim().toLowerCase()))
}

/** RFC 7239, and what was usual before it. A request that came through memory has no peer. */
function addForwarded(fields: string[], { socket, headers }: IncomingMessage): void {
  const { host } = headers
  const proto = 'encrypted' in socket && socket.encrypted ? 'https' : 'http'
  const peer = socket.remoteAddress?.replace(/^::ffff:/, '')
  const node = peer?.includes(':') ? `"[${peer}]"` : peer
  const pairs = `${node ? `for=${node};` : ''}${host ? `host="${host}";` : ''}proto=${proto}`
  fields.push('Forwarded', pairs)
  if (peer) fields.push('X-Forwarded-For', peer)
  fields.push('X-Forwarded-Proto', proto)
  if (host) fields.push('X-Forwarded-Host', host)
}
