import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { fail } from '../errors.ts'
import type { AccessRecord } from './access-log.ts'
import { checkRequest, peerOf } from './check-request.ts'
import type { Deployment } from './deployment.ts'
import { type Reply, rawReply, refusal, sendReply } from './reply.ts'
import { isWebSocket, replayWithoutUpgrade, watchStatus } from './upgrade.ts'

/** Who answers a request: an app, or the host itself. */
export type Found = { readonly mount: string; readonly deployment: Deployment } | Reply

export interface FrontOptions {
  /** @param path decoded, begins with "/" */
  readonly find: (path: string, method: string) => Found
  readonly log: (record: AccessRecord) => void
}

const LIMITS = {
  /** Bytes of request line and fields: what servers in front of us use as well. */
  maxHeaderSize: 16 * 1024,
  /** A head that is not complete by then is answered 408 (S01). */
  headersTimeout: 15_000,
  /** Off: an upload may be large and slow. What a body may cost is for the app to say. */
  requestTimeout: 0,
  /** Longer than the 60 s of usual load balancers, so that it is never they who write into a closed connection. */
  keepAliveTimeout: 65_000,
} as const

/** What Node's parser makes of bytes that are no request; everything else is 400. */
const PARSER_ERRORS: Readonly<Record<string, Reply>> = {
  ERR_HTTP_REQUEST_TIMEOUT: refusal(408, 'The request did not arrive in time.'),
  HPE_HEADER_OVERFLOW: refusal(431, 'The header fields are larger than 16 KiB.'),
  HPE_INVALID_METHOD: refusal(501, 'This method is not known.'),
  HPE_INVALID_VERSION: refusal(505, 'This server speaks HTTP/1.1.'),
  HPE_PAUSED_H2_UPGRADE: refusal(505, 'This server speaks HTTP/1.1.'),
}

/** Accepts connections, lets {@link checkRequest} judge each request, and passes it to the app whose mount it is under. */
export class Front {
  readonly #server: Server
  readonly #options: FrontOptions
  readonly #sockets = new Set<Socket>()
  readonly #running = new Set<ServerResponse>()
  readonly #upgraded = new Set<Duplex>()
  /** Status that went out over an app's head, because the body of its request was none. */
  readonly #refused = new WeakMap<Duplex, number>()
  #closing = false

  constructor(options: FrontOptions) {
    this.#options = options
    // Host is judged with all the rest, so that its refusal is logged with all the rest.
    const ours = { requireHostHeader: false, insecureHTTPParser: false, shouldUpgradeCallback: isWebSocket }
    this.#server = createServer({ ...LIMITS, ...ours })
    // 0: none is dropped silently. checkRequest counts them.
    this.#server.maxHeadersCount = 0
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    this.#server.on('request', (req, res) => this.#request(req, res))
    this.#server.on('checkContinue', (req, res) => this.#request(req, res))
    this.#server.on('checkExpectation', (req, res) => this.#request(req, res))
    this.#server.on('upgrade', (req, socket, head) => this.#upgrade(req, socket, head))
    this.#server.on('connect', (req, socket) => this.#upgrade(req, socket, Buffer.alloc(0)))
    this.#server.on('clientError', (error, socket) => this.#notARequest(error, socket as Socket))
  }

  /** @throws ZappError PORT_IN_USE, IO */
  listen(host: string, port: number): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
        if (error.code === 'EADDRINUSE') reject(fail('PORT_IN_USE', '', { address }, error))
        else reject(fail('IO', '', { operation: `listening on ${address}`, reason: error.message }, error))
      })
      this.#server.listen({ host, port }, () => resolve(this.#server.address() as AddressInfo))
    })
  }

  /** Accepts no more, and resolves when the last connection has ended. Running requests go on. */
  close(): Promise<void> {
    this.#closing = true
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const res of this.#running) if (!res.headersSent) res.setHeader('Connection', 'close')
    for (const socket of this.#upgraded) socket.end()
    // Node takes a connection that has sent nothing yet for a busy one. Browsers keep such in reserve.
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy()
    return closed
  }

  /** Ends every connection, whatever it is doing. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #request(req: IncomingMessage, res: ServerResponse): void {
    const target = req.url ?? ''
    const found = this.#find(req)
    this.#follow(req, res, target, found)
    if (this.#closing) res.setHeader('Connection', 'close')
    if ('deployment' in found) {
      if (req.headers.expect !== undefined) res.writeContinue()
      found.deployment.handle(req, res)
    } else {
      sendReply(found, req, res)
    }
  }

  #find(req: IncomingMessage): Found {
    const checked = checkRequest(req)
    // After a request that is not sound nothing on its connection can be trusted to be one.
    if (!('path' in checked)) return { ...checked, headers: { ...checked.headers, Connection: 'close' } }
    return this.#options.find(checked.path.decoded || '/', req.method ?? '')
  }

  /** Logs the request when its response has ended, in whatever way. */
  #follow(req: IncomingMessage, res: ServerResponse, target: string, found: Found): void {
    const { socket } = req
    const log = this.#logLater(req, target, found)
    const ended = () => {
      if (!this.#running.delete(res)) return
      const refused = this.#refused.get(socket)
      log(res.headersSent ? res.statusCode : (refused ?? 0), !res.writableFinished && refused === undefined)
      // The connection turns idle after this event.
      if (this.#closing) setImmediate(() => this.#server.closeIdleConnections())
    }
    this.#running.add(res)
    res.once('close', ended)
    // A pipelined response that still waits for its turn is not told when the connection ends.
    if (res.socket === null) socket.once('close', ended)
  }

  #logLater(req: IncomingMessage, target: string, found: Found): (status: number, aborted: boolean) => void {
    const { socket, method = '-', httpVersion } = req
    const [time, start, before, peer] = [new Date(), performance.now(), socket.bytesWritten, peerOf(req)]
    const app = 'deployment' in found ? found.mount || '/' : '-'
    return (status, aborted) => {
      const bytes = socket.bytesWritten - before
      this.#options.log({
        time,
        peer,
        method,
        target,
        httpVersion,
        status,
        bytes,
        ms: performance.now() - start,
        app,
        aborted,
      })
    }
  }

  /** Node's parser is off this connection: from here on it is ours or the app's. */
  #upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    // An earlier response is not finished: whatever is written now would land in the middle of it.
    if (this.#runningOn(socket).length > 0) {
      socket.destroy()
    } else if (req.method === 'CONNECT' || isWebSocket(req)) {
      this.#switchProtocol(req, socket, head)
    } else {
      replayWithoutUpgrade(this.#server, req, socket, head)
    }
  }

  #switchProtocol(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    const target = req.url ?? ''
    const found = this.#find(req)
    const log = this.#logLater(req, target, found)
    const status = watchStatus(socket)
    socket.once('close', () => {
      this.#upgraded.delete(socket)
      log(status(), false)
    })
    if ('deployment' in found) {
      this.#upgraded.add(socket)
      found.deployment.upgrade(req, socket, head)
    } else {
      endWith(socket, found)
    }
  }

  #notARequest(error: NodeJS.ErrnoException, socket: Socket): void {
    const nobodyIsThere = error.code === 'ECONNRESET' || !socket.writable || socket.bytesRead === 0
    const [first, ...others] = this.#runningOn(socket)
    // An answer now may only be to a request that broke off in its own body; else it would be taken for that of another.
    const mayAnswer = !first || (others.length === 0 && !first.req.complete && !first.headersSent)
    if (nobodyIsThere || !mayAnswer) {
      socket.destroy()
      return
    }
    const reply = PARSER_ERRORS[error.code ?? ''] ?? refusal(400, 'This is not an HTTP/1.1 request.')
    if (first) this.#refused.set(socket, reply.status)
    else socket.once('close', this.#unreadLater(socket, reply.status))
    endWith(socket, reply)
  }

  /** Logs bytes that were no request. */
  #unreadLater(socket: Socket, status: number): () => void {
    const [time, peer, before] = [new Date(), peerOf({ socket }), socket.bytesWritten]
    return () => {
      const [bytes, ms] = [socket.bytesWritten - before, Date.now() - time.getTime()]
      const unread = { method: '-', target: '-', httpVersion: '-', app: '-', aborted: false }
      this.#options.log({ time, peer, status, bytes, ms, ...unread })
    }
  }

  #runningOn(socket: Duplex): ServerResponse[] {
    return [...this.#running].filter((res) => res.req.socket === socket)
  }
}

function endWith(socket: Duplex, reply: Reply): void {
  socket.end(rawReply(reply), () => socket.destroy())
}
