import type { IncomingMessage } from 'node:http'
import { judgeRequestPath, type RequestPath } from '../mount/request-path.ts'
import { FieldKinds } from '../runtimes/field-kinds.ts'
import { isHostField } from '../runtimes/request-head.ts'
import { newRequestId, peerOf } from './front/client.ts'
import { type Reply, refusal } from './reply.ts'
import { isWebSocket } from './upgrade.ts'

export type Checked = { readonly path: RequestPath } | Reply

/** More than any browser or proxy sends; Node would drop fields beyond its own bound without a word (Q10). */
const MAX_FIELDS = 100
const MAX_TARGET = 8 * 1024

/** Twice in one request these mean different things to different readers (Q01). A bit for each. */
const ONCE: ReadonlyMap<string, number> = new Map([
  ['host', 1],
  ['content-type', 2],
  ['content-length', 4],
  ['authorization', 8],
])
/** Only the host may say who the client is, how it came, and which request this is (Q06); `Proxy` would become HTTP_PROXY (Q05). */
const NEVER_FROM_CLIENTS = /^(?:proxy|forwarded|x-real-ip|x-request-id|x-forwarded-.*)$|_/
/** Fields that frame or route the message; a client cannot have them dropped by naming them in Connection (Q07). */
const NOT_PER_HOP: ReadonlySet<string> = new Set(['host', 'content-length', 'transfer-encoding', 'content-type'])
/** Options of Connection that are no field names, and the one field that is needed for an upgrade. */
const CONNECTION_OPTIONS: ReadonlySet<string> = new Set(['close', 'keep-alive', 'upgrade', ''])

/**
 * What stands in front of everything: judges request line and fields as they came in, before any app sees them, and
 * changes `req` so that it holds only what a client may say. What Node's parser refuses by itself
 * never comes here; what is wrong with a path is judged again by the mount, FORMAT.md §Request paths.
 */
export function checkRequest(req: IncomingMessage, id: string = newRequestId()): Checked {
  const { method = '', url: target = '', rawHeaders: raw, httpVersion: version } = req
  if (version !== '1.1' && version !== '1.0') return refusal(505, 'This server speaks HTTP/1.1.')
  if (target.length > MAX_TARGET) return refusal(414, 'The address is too long.')
  if (raw.length > 2 * MAX_FIELDS) return refusal(431, `More than ${MAX_FIELDS} header fields.`)
  if (method === 'TRACE') return refusal(405, 'TRACE is not answered.', { Allow: METHODS })

  let dropped: Set<string> | undefined
  const drop = (name: string) => {
    dropped ??= new Set()
    dropped.add(name.toLowerCase())
  }
  let seen = 0
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    const meaning = meanings.of(name)
    if (meaning === ORDINARY) continue
    if (meaning === DROPPED) drop(name)
    else if ((seen & meaning) !== 0) return refusal(400, `The field ${name.toLowerCase()} came twice.`)
    else seen |= meaning
  }
  const { host, connection, expect, upgrade, 'transfer-encoding': coding } = req.headers
  if (host === undefined ? version === '1.1' : !isHostField(host)) return refusal(400, 'Host is missing or no host.')
  if (coding !== undefined && version === '1.0') return refusal(400, 'HTTP/1.0 has no transfer codings.')
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return refusal(501, 'Only chunked is understood.')
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') {
    return refusal(417, 'Only 100-continue can be expected.')
  }
  if (connection !== undefined && !CONNECTION_OPTIONS.has(connection)) {
    for (const option of connection.toLowerCase().split(',')) {
      const name = option.trim()
      if (CONNECTION_OPTIONS.has(name)) continue
      if (NOT_PER_HOP.has(name)) return refusal(400, 'Connection names a field that is not per hop.')
      drop(name)
    }
  }

  if (upgrade !== undefined && !isWebSocket(req)) drop('upgrade')

  const path = judgeRequestPath({ method, target, headers: { get: (name) => req.headers[name] as string }, mount: '' })
  if (typeof path === 'number') {
    return refusal(path, path === 405 ? 'CONNECT is not answered.' : 'The address is not valid here.')
  }
  // An absolute target names the same host as Host does: apps get the form that they know.
  if (!target.startsWith('/')) req.url = (path.raw || '/') + path.query
  if (dropped) dropFields(req, dropped)
  addFields(req, host, id)
  return { path }
}

const ORDINARY = 0
const DROPPED = -1

/** {@link ORDINARY}, {@link DROPPED}, or the bit of a field that may come once. */
const meanings = new FieldKinds((lower) => (NEVER_FROM_CLIENTS.test(lower) ? DROPPED : (ONCE.get(lower) ?? ORDINARY)))

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'

function dropFields(req: IncomingMessage, names: ReadonlySet<string>): void {
  const kept: string[] = []
  const distinct: NodeJS.Dict<string[]> = Object.create(null)
  for (let i = 0; i < req.rawHeaders.length; i += 2) {
    const [name = '', value = ''] = req.rawHeaders.slice(i, i + 2)
    if (names.has(name.toLowerCase())) continue
    kept.push(name, value)
    const values = distinct[name.toLowerCase()] ?? []
    distinct[name.toLowerCase()] = [...values, value]
  }
  for (const name of names) delete req.headers[name]
  req.rawHeaders = kept
  // Node makes this one lazily, out of as many fields as there were at first.
  req.headersDistinct = distinct
}

/** What a reverse proxy tells: apps that trust one get the truth, and never a client's claim. */
function addFields({ socket, rawHeaders, headers }: IncomingMessage, host: string | undefined, id: string): void {
  const [client, scheme] = [peerOf(socket), 'encrypted' in socket && socket.encrypted ? 'https' : 'http']
  rawHeaders.push('X-Forwarded-For', client, 'X-Forwarded-Proto', scheme, 'X-Request-Id', id)
  headers['x-forwarded-for'] = client
  headers['x-forwarded-proto'] = scheme
  headers['x-request-id'] = id
  if (host === undefined) return
  rawHeaders.push('X-Forwarded-Host', host)
  headers['x-forwarded-host'] = host
}
