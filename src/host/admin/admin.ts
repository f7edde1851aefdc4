import { rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fail } from '../../errors.ts'
import { type ListenAddress, placeOfAddress, urlOfAddress } from '../front/listen-address.ts'
import type { Host } from '../host.ts'
import type { AdminTls } from './admin-tls.ts'
import { badRequest, type Call, errorView, findingView, sendError, sendJson } from './call.ts'
import { type ConsoleFile, consoleFiles } from './console-files.ts'
import { openApi } from './openapi.ts'
import { operations } from './operations.ts'
import { hasToken } from './token.ts'
import { isTomcatText, tomcatText } from './tomcat-text.ts'

export interface AdminOptions {
  readonly host: Host
  readonly token: string
  /** Where to listen: never the address of the apps. A socket's file is made with mode 0600. */
  readonly at: ListenAddress | { readonly socket: string }
  /** Speaks HTTPS there. */
  readonly tls?: AdminTls | undefined
  /** The version of this program. */
  readonly version: string
}

export interface Admin {
  /** `http://127.0.0.1:8081/`, with TLS `https://…`, or `unix:<path>`. */
  readonly url: string
  close(): Promise<void>
}

/** Nobody has a use for what these pages hold, but the console that asked for them. */
const ALWAYS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
}

/**
 * The admin listener: JSON API, its OpenAPI document, metrics, Tomcat's text verbs, and the console.
 *
 * Everything but the console's files, the document and `/healthz` asks for the token. It travels in the Authorization
 * header and in no cookie; a request that a page of another site caused is refused all the same, because a browser may
 * remember the password of Basic.
 *
 * @throws ZappError PORT_IN_USE, IO
 */
export async function startAdmin({ host, token, at, tls, version }: AdminOptions): Promise<Admin> {
  const table = operations({ version })
  const routes = table.map((operation) => ({ operation, pattern: patternOf(operation.path) }))
  const document = openApi(table, { version })
  const files = await consoleFiles()
  const listener: RequestListener = (req, res) => {
    answer(req, res).catch((error: unknown) => sendError({ req, res }, error))
  }
  const server = tls ? tls.createServer(listener) : createServer(listener)
  // Uploads may be large and slow, logs are followed for days.
  server.requestTimeout = 0
  // A descriptor may be missing to accept a connection: that is its client's misfortune, and no end of the host.
  server.on('error', () => {})

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(ALWAYS)) res.setHeader(name, value)
    const [path = '', search = ''] = (req.url ?? '').split('?')
    if (isCrossSite(req)) return refuse(res, 403, 'ADMIN_REQUEST', 'it comes from a page of another site')
    const reads = req.method === 'GET' || req.method === 'HEAD'
    const file = files.get(path)
    if (file && reads) return sendFile(file, req, res)
    if (path === '/api/openapi.json' && reads) return sendJson(res, 200, document)
    if (path === '/healthz' && reads) return sendJson(res, host.ready ? 200 : 503, { ready: host.ready })
    if (!hasToken(req.headers.authorization, token)) {
      const scheme = isTomcatText(path) ? 'Basic realm="Zapp", charset="UTF-8"' : 'Bearer realm="Zapp"'
      res.setHeader('WWW-Authenticate', scheme).setHeader('Connection', 'close')
      return refuse(res, 401, 'ADMIN_TOKEN')
    }
    const call = { req, res, query: new URLSearchParams(search), params: {}, signal: goneSignal(res) }
    if (isTomcatText(path)) return tomcatText(path, call, host)
    await dispatch(path, call)
  }

  async function dispatch(path: string, call: Call): Promise<void> {
    const method = call.req.method === 'HEAD' ? 'GET' : call.req.method
    const allowed: string[] = []
    for (const { operation, pattern } of routes) {
      const match = pattern.exec(path)
      if (!match) continue
      allowed.push(operation.method)
      if (operation.method === method) return operation.run({ ...call, params: decoded(match.groups ?? {}) }, host)
    }
    if (allowed.length === 0) throw fail('ADMIN_UNKNOWN', '', { path })
    call.res.setHeader('Allow', allowed.join(', '))
    refuse(call.res, 405, 'ADMIN_REQUEST', `the method must be one of ${allowed.join(', ')}`)
  }

  const url = await listen(server, at)
  return {
    url,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      // Answers that have just come to their end, those of who follows logs, are written in this turn of the event loop.
      await new Promise(setImmediate)
      server.closeAllConnections()
      await closed
      if ('socket' in at) await rm(at.socket, { force: true })
    },
  }
}

function sendFile({ body, headers }: ConsoleFile, req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(200, { ...headers, 'Content-Length': body.length })
  res.end(req.method === 'HEAD' ? undefined : body)
}

function refuse(res: ServerResponse, status: number, code: 'ADMIN_REQUEST' | 'ADMIN_TOKEN', problem = ''): void {
  const error = fail(code, '', { problem })
  sendJson(res, status, { error: { ...errorView(error), findings: error.findings.map(findingView) } })
}

/** Fetch Metadata, which every browser sends: `none` is a person who typed the address. */
function isCrossSite({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site']
  return site !== undefined && site !== 'same-origin' && site !== 'none'
}

/** `/api/apps/{id}` as an expression with a group of that name. */
function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`)
}

/** @throws ZappError ADMIN_REQUEST */
function decoded(params: Readonly<Record<string, string>>): Record<string, string> {
  try {
    return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, decodeURIComponent(value)]))
  } catch {
    throw badRequest('the path must be percent-encoded UTF-8')
  }
}

/**
 * Aborts when the connection has ended, by the client or by {@link Admin.close}. Not AbortSignal.any with a signal for the
 * latter: that one would keep 180 bytes of every request for good (Node 20).
 */
function goneSignal(res: ServerResponse): AbortSignal {
  const gone = new AbortController()
  res.once('close', () => gone.abort())
  return gone.signal
}

function listen(server: Server, at: AdminOptions['at']): Promise<string> {
  const address = 'socket' in at ? at.socket : placeOfAddress(at)
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') reject(fail('PORT_IN_USE', '', { address }, error))
      else reject(fail('IO', '', { operation: `listening on ${address}`, reason: error.message }, error))
    })
    if (!('socket' in at)) {
      const { host, port } = at
      server.listen({ host, port }, () => resolve(urlOfAddress(at, (server.address() as AddressInfo).port)))
      return
    }
    // Made before anybody could change its mode: what it may be is decided as it is made.
    const before = process.umask(0o177)
    server.listen(at.socket, () => resolve(`unix:${at.socket}`))
    process.umask(before)
  })
}
