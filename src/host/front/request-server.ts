import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { statusInstead } from '../../runtimes/answer-instead.ts'
import type { AccessRecord } from '../access-log.ts'
import { checkRequest } from '../check-request.ts'
import { endWith, type Reply, sendReply } from '../reply.ts'
import { isWebSocket, replayWithoutUpgrade, watchStatus } from '../upgrade.ts'
import { identify, newRequestId, peerOf, type Trust } from './client.ts'
import { closeAtOnce, readOn, stopReading } from './connection.ts'
import { isEventStream } from './event-stream.ts'
import { createHttpServer } from './http-server.ts'
import { afterAnswers, forget, leaveAt, requestBytes } from './leave.ts'
import { type OnlyRequest, openExchange } from './only-request.ts'
import { replyTo, TOO_SLOW } from './parser-error.ts'
import { type Answers, type Found, RequestLog } from './request-log.ts'
import { type Asked, ServedConnection } from './served-connection.ts'
import { ServedConnections } from './served-connections.ts'
import { PATIENCE, type Patience, SlowClients } from './slow-clients.ts'

export interface RequestServerOptions {
  /**
   * @param path decoded, begins with "/"
   * @param host as it was sent, in lower case
   * @param req its target in origin form
   */
  readonly find: (path: string, method: string, host: string | undefined, req: IncomingMessage) => Found<Answers>
  readonly log: (record: AccessRecord) => void
  /** Of proxies, which may say who the client is. Default: nobody may. */
  readonly trust?: Trust | undefined
  /**
   * Whether a client that says it sends no more still has its answer. Default: it is taken for gone, as Node does, so that an
   * app is told at once.
   */
  readonly halfOpen?: boolean
  /** With clients that are slow. */
  readonly patience?: Partial<Patience> | undefined
  /** Whether a request is for somebody else. Its connection then goes to {@link onLeave}, and all that was read with it. */
  readonly leaves?: (req: IncomingMessage) => boolean
  /** Takes a connection on which nothing runs, and what of it was read and not answered. */
  readonly onLeave?: (socket: Socket, bytes: Buffer) => void
}

/**
 * Answers what comes over connections that it is given: lets {@link checkRequest} judge each request, passes it to the
 * app whose it is, and logs it. The same in the host, for connections that stay there, and in a worker, for those it holds.
 */
export class RequestServer {
  readonly #server: Server
  readonly #options: RequestServerOptions
  readonly #log: RequestLog
  readonly #connections = new ServedConnections()
  readonly #slow: SlowClients
  readonly #halfOpenMs: number
  readonly #leaving = new WeakSet<IncomingMessage>()
  #lastEnd = performance.now()
  #phase: 'open' | 'leaving' | 'closing' = 'open'

  constructor(options: RequestServerOptions) {
    this.#options = options
    this.#log = new RequestLog(options.log)
    const patience = { ...PATIENCE, ...options.patience }
    this.#halfOpenMs = patience.halfOpenMs
    this.#slow = new SlowClients(
      patience,
      () => this.#connections,
      (socket) => this.#notARequest(TOO_SLOW, socket),
    )
    this.#server = createHttpServer(options.halfOpen === true)
    this.#server.on('connection', (socket: Socket) => this.#connection(socket))
    this.#server.on('request', (req, res) => this.#request(req, res))
    this.#server.on('checkContinue', (req, res) => this.#request(req, res))
    this.#server.on('checkExpectation', (req, res) => this.#request(req, res))
    this.#server.on('upgrade', (req, socket, head) => this.#upgrade(req, socket, head))
    this.#server.on('connect', (req, socket) => this.#upgrade(req, socket, Buffer.alloc(0)))
    this.#server.on('clientError', (error, socket) => this.#notARequest(error, socket as Socket))
    // It never listens by itself; with this event it begins to look after timeouts and idle connections.
    this.#server.emit('listening')
  }

  /** ms in which nothing ran; 0 while something does, and while a connection is upgraded. */
  get idleMs(): number {
    return this.#connections.isBusy ? 0 : performance.now() - this.#lastEnd
  }

  /** Takes a connection that was accepted a moment ago. */
  accept(socket: Socket): void {
    this.#server.emit('connection', socket)
  }

  /** Takes a connection that is not being read. @param bytes what was read of it */
  adopt(socket: Socket, bytes: Buffer): void {
    this.#server.emit('connection', socket)
    if (bytes.length > 0) {
      this.#of(socket).begun = true
      socket.unshift(bytes)
    }
    readOn(socket)
  }

  /** Answers the only request of a connection, which is read for nothing but its end. */
  answer(socket: Socket, request: OnlyRequest): void {
    this.#serve(socket)
    // What Node's parser takes for nothing, too; all else is no end, RFC 9112 §9.6.
    socket.on('data', (bytes: Buffer) => /[^\r\n]/.test(bytes.toString('latin1')) && socket.destroy())
    readOn(socket)
    this.#request(...openExchange(socket, request))
  }

  /** Ends a connection, whatever its request was, with an answer or without. */
  refuse(socket: Socket, reply: Reply | undefined): void {
    socket.once('close', this.#log.unread(socket, reply?.status ?? 0))
    if (reply) endWith(socket, reply)
    else socket.destroy()
  }

  /** Resolves when the last connection has ended or left. Running requests go on, what is idle ends. */
  close(): Promise<void> {
    this.#phase = 'closing'
    for (const res of this.#connections.responses) if (!res.headersSent) res.setHeader('Connection', 'close')
    for (const { socket, upgraded } of this.#connections) if (upgraded) socket.end()
    this.#endIdle()
    return this.#connections.empty()
  }

  /**
   * From now on every connection leaves as soon as nothing runs on it. Resolves when the last has left or ended; one
   * that was upgraded stays.
   */
  leave(): Promise<void> {
    this.#phase = 'leaving'
    this.#dismissIdle()
    return this.#connections.empty()
  }

  /** Ends every connection: streams of events and upgraded ones in their own way, others in the middle of what they do. */
  cut(): void {
    for (const res of this.#connections.responses) if (isEventStream(res)) res.end()
    for (const { socket, upgraded } of this.#connections) {
      if (upgraded) socket.end(() => socket.destroy())
      else socket.destroySoon()
    }
  }

  /** Ends every connection, whatever it is doing. */
  destroy(): void {
    for (const { socket } of this.#connections) socket.destroy()
  }

  #connection(socket: Socket): void {
    const { leaves } = this.#options
    // A request that is replayed comes as a connection of its own.
    if (!this.#connections.get(socket)) this.#serve(socket)
    if (!leaves) return
    leaveAt(socket, (req) => {
      if (this.#phase !== 'leaving' && !leaves(req)) return false
      this.#leaving.add(req)
      return true
    })
  }

  #serve(socket: Socket): void {
    const connection = new ServedConnection(socket, (peer) => this.#options.trust?.(peer) ?? false)
    this.#connections.add(connection)
    if (!connection.isEncrypted) closeAtOnce(socket)
    socket.once('close', () => {
      // Node does not tell pipelined responses that still wait for their turn; those who answer wait for it, too.
      for (const { res } of [...connection.running]) if (res?.socket === null && !res.destroyed) res.emit('close')
      this.#forget(socket)
    })
    if (this.#options.halfOpen) socket.once('end', () => connection.sendsNoMore(this.#halfOpenMs))
    this.#slow.watch()
  }

  /** Of a connection that has not been forgotten: while a request on it runs. */
  #of(socket: Duplex): ServedConnection {
    return this.#connections.get(socket) as ServedConnection
  }

  #forget(socket: Socket): void {
    this.#connections.remove(socket)
    if (this.#connections.size === 0) this.#slow.rest()
  }

  #request(req: IncomingMessage, res: ServerResponse): void {
    const asked = this.#ask(req, res)
    asked.connection.running.push(asked)
    // Not `once`, which costs more; it happens once.
    res.on('close', () => this.#ended(asked))
    if (this.#phase === 'closing') res.setHeader('Connection', 'close')
    const { found } = asked
    if ('deployment' in found) {
      if (req.headers.expect !== undefined) res.writeContinue()
      found.deployment.handle(req, res)
    } else {
      sendReply(found, req, res)
    }
  }

  #ask(req: IncomingMessage, res: ServerResponse | undefined): Asked {
    const connection = this.#of(req.socket)
    const target = req.url ?? ''
    const [time, start] = [Date.now(), performance.now()]
    const id = connection.isProxy ? identify(req, connection, this.#options.trust as Trust) : newRequestId()
    const peer = connection.isProxy ? peerOf(req.socket) : connection.peer
    return { req, res, connection, target, id, found: this.#find(req, id), time, start, peer }
  }

  #find(req: IncomingMessage, id: string): Found<Answers> {
    const checked = checkRequest(req, id)
    // After a request that is not sound nothing on its connection can be trusted to be one.
    if (!('path' in checked)) return { ...checked, headers: { ...checked.headers, Connection: 'close' } }
    return this.#options.find(checked.path.decoded || '/', req.method ?? '', req.headers.host?.toLowerCase(), req)
  }

  /** Logs a request when its response has ended, in whatever way. */
  #ended(asked: Asked): void {
    const { connection, res } = asked
    if (!res || !connection.over(asked)) return
    this.#lastEnd = performance.now()
    const refused = connection.refused ?? (res.headersSent ? undefined : statusInstead.get(connection.socket))
    const status = res.headersSent ? res.statusCode : (refused ?? 0)
    this.#log.answered(asked, this.#lastEnd, status, !res.writableFinished && refused === undefined)
    // The connection turns idle after this event.
    if (this.#phase === 'closing') setImmediate(() => this.#endIdle())
    if (this.#phase === 'leaving') setImmediate(() => this.#dismissIdle())
  }

  /** Node's parser is off this connection: from here on it is ours or the app's. */
  #upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    const connection = this.#of(socket)
    if (this.#leaving.has(req)) {
      this.#leaveWith(req, connection, head)
      return
    }
    socket.on('error', () => socket.destroy())
    // An earlier response is not finished: whatever is written now would land in the middle of it.
    if (connection.running.length > 0) {
      socket.destroy()
    } else if (req.method === 'CONNECT' || isWebSocket(req)) {
      this.#switchProtocol(req, connection, head)
    } else {
      connection.begun = true
      replayWithoutUpgrade(this.#server, req, socket, head)
    }
  }

  #switchProtocol(req: IncomingMessage, connection: ServedConnection, head: Buffer): void {
    const { socket } = connection
    const asked = this.#ask(req, undefined)
    const { found } = asked
    const status = watchStatus(socket)
    socket.once('close', () => {
      this.#lastEnd = performance.now()
      this.#log.answered(asked, this.#lastEnd, status(), false)
    })
    if ('deployment' in found) {
      connection.upgraded = true
      found.deployment.upgrade(req, socket, head)
    } else {
      endWith(socket, found)
    }
  }

  #endIdle(): void {
    this.#connections.forIdle(this.#server, (socket) => socket.destroy())
  }

  #dismissIdle(): void {
    this.#connections.forIdle(this.#server, (socket) => this.#dismiss(socket, Buffer.alloc(0)))
  }

  /** A request for somebody else goes, with all that came behind it, when the answers before it are sent. */
  #leaveWith(req: IncomingMessage, connection: ServedConnection, head: Buffer): void {
    const { socket } = connection
    const bytes = Buffer.concat([requestBytes(req), head, stopReading(socket)])
    afterAnswers(connection, () => this.#dismiss(socket, bytes))
  }

  #dismiss(socket: Socket, bytes: Buffer): void {
    stopReading(socket)
    forget(socket)
    this.#forget(socket)
    this.#options.onLeave?.(socket, bytes)
  }

  #notARequest(error: NodeJS.ErrnoException, socket: Socket): void {
    const connection = this.#connections.get(socket)
    const reply = replyTo(error, socket, connection)
    if (!reply) {
      socket.destroy()
    } else if (connection?.running.length) {
      connection.refused = reply.status
      endWith(socket, reply)
    } else {
      this.refuse(socket, reply)
    }
  }
}
