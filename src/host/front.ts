import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { judgeRequestPath } from '../mount/request-path.ts'
import type { AccessRecord } from './access-log.ts'
import type { Deployment } from './deployment.ts'
import type { AddressLimit } from './front/address-limit.ts'
import { peerOf, type Trust } from './front/client.ts'
import { stopReading } from './front/connection.ts'
import type { ListenAddress } from './front/listen-address.ts'
import type { Listener } from './front/listener.ts'
import { Listeners } from './front/listeners.ts'
import { Members } from './front/members.ts'
import { peek } from './front/peek.ts'
import type { Head } from './front/read-head.ts'
import { Redirects } from './front/redirects.ts'
import type { Found as Answer } from './front/request-log.ts'
import { RequestServer, type RequestServerOptions } from './front/request-server.ts'
import { refusal } from './reply.ts'
import type { Certificate } from './tls/certificate.ts'
import type { CertificateNews } from './tls/certificates.ts'
import { isMisdirected, type Secured } from './tls/misdirected.ts'

export type Found = Answer<Deployment>

export interface FrontOptions {
  /**
   * @param path decoded, begins with "/"
   * @param host as it was sent, in lower case
   */
  readonly find: (path: string, method: string, host: string | undefined) => Found
  /** All names of a virtual host, in lower case. Default: its own alone. */
  readonly namesOf?: (host: string) => readonly string[]
  readonly log: (record: AccessRecord) => void
  /**
   * Of proxies: their connections stay here, because they carry requests of many clients. Asked once for each connection,
   * and for what a proxy says of a client.
   */
  readonly trust?: Trust
  /** Default: an address may have as many connections as it likes. */
  readonly limit?: AddressLimit
  /** There is one app, and hardly ever another; addresses are set once. */
  readonly single?: boolean
  readonly onCertificate?: (news: CertificateNews) => void
}

/** A mount, and what serves it. */
export interface Route {
  /** Name of a virtual host in lower case, `""` for all that no other has. */
  readonly host: string
  /** `""` or `/shop`. */
  readonly mount: string
  readonly deployment?: Deployment | undefined
  /** Nothing serves it, and nothing is being started. */
  readonly failed: boolean
}

const NOTHING = Buffer.alloc(0)
/** RFC 6585 §4. */
const TOO_MANY = refusal(429, 'Your address has too many connections.', { 'Retry-After': '10' })
const MISDIRECTED = refusal(421, 'This connection is for another host.')

/**
 * Accepts connections and decides where each goes:
 *
 *     peeked ── its first request is for an app that takes connections ──▶ held by a process of the app
 *       │  ▲                                                                  │      │
 *       │  └── the process is being replaced: when nothing runs on it ────────┘      │ a request for another app
 *       │                                                                            ▼
 *       └── everything else ──────────────▶ answered here, requests passed on one by one, until it ends
 *
 * One whose app sleeps is answered here until that is awake; with the request after it is peeked at again.
 *
 * What is peeked at only decides where a connection goes. Each request is judged where it is answered, here or there, by
 * the same {@link RequestServer}. What came over TLS, what a proxy sends, and a connection for one request stay here.
 */
export class Front {
  readonly #options: FrontOptions
  readonly #listeners: Listeners
  readonly #here: RequestServer
  /** Takes connections whose app sleeps; with the first request after it has woken they go on to its process. */
  readonly #waiting: RequestServer
  readonly #redirects: Redirects
  readonly #secured = new WeakMap<Duplex, Secured>()
  /** Connections that are not yet anywhere. */
  readonly #peeked = new Members<Socket>()
  /** Whoever may hold connections. */
  readonly #holders = new Set<Deployment>()
  #closing = false
  #sharing: Promise<void> | undefined

  constructor(options: FrontOptions) {
    this.#options = options
    const find: RequestServerOptions['find'] = (...asked) => this.#find(...asked)
    this.#here = new RequestServer({ ...options, find, halfOpen: true })
    this.#waiting = new RequestServer({
      ...{ ...options, find, halfOpen: true },
      leaves: (req) => !this.#closing && this.#takesFrom(req),
      onLeave: (socket, bytes) => this.#arrive(socket, bytes, true),
    })
    this.#redirects = new Redirects(options.log)
    this.#listeners = new Listeners({
      admits: (socket) => options.limit?.admit(socket) ?? true,
      // A handshake would cost more than whoever asks for it has a right to.
      onExcess: (socket, isSecure) => this.#here.refuse(socket.on('error', ignore), isSecure ? undefined : TOO_MANY),
      onPlain: (socket) => {
        if (options.trust?.(peerOf(socket))) this.#here.adopt(socket, NOTHING)
        else this.#arrive(socket, NOTHING, false)
      },
      onSecure: (socket, secured) => {
        // RFC 9110 §7.4: a gateway that is trusted answers for whom it connects to.
        if (!options.trust?.(peerOf(socket))) this.#secured.set(socket, secured)
        this.#here.adopt(socket, NOTHING)
      },
      onNoTls: (socket) => this.#here.refuse(socket, refusal(400, 'This address is for https alone.')),
      onRedirect: (socket, redirect) => this.#redirects.adopt(socket, redirect),
      onNews: (news) => options.onCertificate?.(news),
    })
  }

  /** As they are now. */
  get listeners(): readonly Listener[] {
    return this.#listeners.open
  }

  /** Those of all listeners, in force. */
  get certificates(): readonly Certificate[] {
    return this.#listeners.certificates
  }

  /**
   * Listens at these addresses and at no others, without touching those that stay.
   *
   * @param meanwhile done when the new ones are open and before anything else changes
   * @throws ZappError PORT_IN_USE, IO, NOT_FOUND, TLS_*, what `meanwhile` throws: everything is as it was
   */
  async listen(addresses: readonly ListenAddress[], meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    if (this.#closing) return
    const [only, other] = addresses
    const isShared = this.#options.single === true && !other && !only?.tls && !only?.redirect
    await this.#listeners.use(addresses, meanwhile, isShared)
  }

  /** Resolves when connections are accepted. */
  async ready(): Promise<void> {
    await this.#sharing
  }

  /** Tells every app which requests are its own. To be called whenever a mount or what serves it has changed. */
  claim(routes: readonly Route[]): void {
    const { namesOf = (host) => [host] } = this.#options
    const hosts = [...new Set(routes.map(({ host }) => host))].filter((host) => host !== '')
    const names = hosts.flatMap(namesOf)
    for (const { host, mount, deployment } of routes) {
      const below = routes.filter((other) => other.host === host && other.mount.startsWith(`${mount}/`))
      const territory = { mount, below: below.map((other) => other.mount) }
      if (host !== '') deployment?.connections?.claim({ ...territory, hosts: namesOf(host) })
      else deployment?.connections?.claim(names.length === 0 ? territory : { ...territory, notHosts: names })
    }
    this.#share(routes)
  }

  /**
   * Lets the processes of the only app accept connections. Where none can, or no more, the front answers, and goes on
   * accepting beside them from then on: it has one descriptor, and to stop would be to close that.
   */
  #share(routes: readonly Route[]): void {
    const handle = this.#listeners.open[0]?.handle
    const [only, other] = routes
    if (!handle || !only || this.#closing) return
    const { deployment } = only
    if (deployment?.connections?.listen && !other) {
      if (this.#holders.has(deployment)) return
      this.#sharing = deployment.connections.listen(handle)
      this.#hold(deployment)
      void deployment.died.then((error) => error && this.#accept())
    } else if (deployment || other || only.failed) {
      this.#accept()
    }
  }

  #accept(): void {
    if (!this.#closing) this.#listeners.open[0]?.accept()
  }

  /**
   * Takes a connection back that was handed over.
   * @param mixed it asks for several apps: it stays here until it ends
   */
  receive(socket: Socket, bytes: Buffer, mixed: boolean): void {
    if (this.#closing && bytes.length === 0) socket.destroy()
    else if (mixed || this.#closing) this.#here.adopt(socket, bytes)
    else this.#arrive(socket, bytes, true)
  }

  /** Logs what was answered on a connection that was handed over. */
  log(record: AccessRecord): void {
    this.#options.log(record)
  }

  /** Ends a connection that cannot go on: what was read of it is lost with the process that read it. */
  refuse(socket: Socket): void {
    this.#here.refuse(socket, refusal(502, 'The app did not answer.'))
  }

  /** Accepts no more, and resolves when the last connection has ended. Running requests go on. */
  async close(): Promise<void> {
    this.#closing = true
    const closed = this.#listeners.close()
    for (const socket of this.#peeked) socket.destroy()
    const ended = [...this.#holders].map((holder) => holder.connections?.end())
    await Promise.all([this.#here.close(), this.#waiting.close(), this.#redirects.close(), ...ended])
    await closed
  }

  /** Ends every connection, whatever it is doing. */
  cut(): void {
    for (const socket of this.#peeked) socket.destroy()
    for (const holder of this.#holders) holder.connections?.cut()
    this.#listeners.destroy()
    this.#redirects.destroy()
    this.#here.destroy()
    this.#waiting.destroy()
  }

  #arrive(socket: Socket, bytes: Buffer, again: boolean): void {
    const leave = this.#peeked.add(socket)
    socket.on('error', ignore).once('close', leave)
    peek(socket, {
      bytes,
      idle: again,
      onHead: (read, head) => {
        socket.off('close', leave)
        leave()
        this.#route(socket, read, head)
      },
    })
  }

  #route(socket: Socket, read: Buffer, head: Head | undefined): void {
    const deployment = head && this.#deploymentFor(head)
    const { connections, rest } = deployment ?? {}
    // To hand a connection over takes longer than to pass a request on.
    if (connections && head?.only && !rest?.isAsleep) {
      this.#here.answer(socket, { ...head, only: head.only })
      return
    }
    const more = stopReading(socket)
    const bytes = more.length > 0 ? Buffer.concat([read, more]) : read
    if (deployment && !this.#closing && connections?.take(socket, bytes)) this.#hold(deployment)
    else if (connections && rest?.isAsleep) this.#waiting.adopt(socket, bytes)
    else this.#here.adopt(socket, bytes)
  }

  /** Whether whose request it is takes connections, and is awake. */
  #takesFrom({ method = '', url: target = '', headers }: IncomingMessage): boolean {
    const deployment = this.#deploymentFor({ method, target, host: headers.host })
    return deployment?.connections !== undefined && !deployment.rest?.isAsleep
  }

  #hold(deployment: Deployment): void {
    if (this.#holders.has(deployment)) return
    this.#holders.add(deployment)
    void deployment.died.then(() => this.#holders.delete(deployment))
  }

  #find(path: string, method: string, host: string | undefined, { socket }: IncomingMessage): Found {
    const secured = this.#secured.get(socket)
    if (secured && isMisdirected(secured, host)) return MISDIRECTED
    return this.#options.find(path, method, host)
  }

  #deploymentFor({ method, target, host }: Omit<Head, 'only'>): Deployment | undefined {
    const path = judgeRequestPath({ method, target, headers: { get: () => host ?? null }, mount: '' })
    if (typeof path === 'number') return undefined
    const found = this.#options.find(path.decoded || '/', method, host?.toLowerCase())
    return 'deployment' in found ? found.deployment : undefined
  }
}

function ignore(): void {}
