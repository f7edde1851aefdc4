import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ZappError } from '../../errors.ts'
import type { Certificate } from '../tls/certificate.ts'
import { type CertificateNews, Certificates, type ReadCertificates } from '../tls/certificates.ts'
import type { Secured } from '../tls/misdirected.ts'
import type { TlsServer } from '../tls/tls-server.ts'
import { type ListenAddress, placeOfAddress, type Redirect } from './listen-address.ts'
import { Listener } from './listener.ts'

export interface ListenersOptions {
  /** Whether a client may have one more. */
  admits(socket: Socket): boolean
  /** A connection that is not admitted. */
  onExcess(socket: Socket, isSecure: boolean): void
  /** A connection of a listener for apps. */
  onPlain(socket: Socket): void
  onSecure(socket: TLSSocket, secured: Secured): void
  /** A connection of a listener for TLS whose client speaks something else. */
  onNoTls(socket: Socket): void
  /** A connection of a listener that only leads to https. */
  onRedirect(socket: Socket, redirect: Redirect): void
  onNews(news: CertificateNews): void
}

/** All addresses that the host listens at. */
export class Listeners {
  readonly #options: ListenersOptions
  readonly #certificates: Certificates
  /** Also of those that close: what they had accepted may not be secured yet. */
  readonly #tls = new Map<Listener, TlsServer>()
  /** Loaded with the first listener for TLS. */
  #TlsServer: typeof TlsServer | undefined
  #open: readonly Listener[] = []
  #closed = false
  /** Changes wait for each other. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: ListenersOptions) {
    this.#options = options
    this.#certificates = new Certificates({
      onNews: options.onNews,
      onChange: () => void this.#inTurn(() => this.#readAgain()),
    })
  }

  get certificates(): readonly Certificate[] {
    return this.#certificates.inForce
  }

  get open(): readonly Listener[] {
    return this.#open
  }

  /**
   * Listens at these addresses and at no others. Those that stay are not touched; connections go on wherever they are.
   *
   * @param meanwhile done when the new ones are open and before anything else changes
   * @param isShared of a single address: see {@link Listener.open}
   * @throws ZappError PORT_IN_USE, IO, NOT_FOUND, TLS_*, what `meanwhile` throws: everything is as it was
   */
  use(addresses: readonly ListenAddress[], meanwhile: () => Promise<void>, isShared = false): Promise<void> {
    return this.#inTurn(() => this.#use(addresses, meanwhile, isShared))
  }

  /** Accepts no more. Resolves when the connections are not the listeners' any more. */
  close(): Promise<void> {
    return this.#inTurn(async () => {
      this.#closed = true
      this.#certificates.close()
      this.destroy()
      await Promise.all(this.#open.map((one) => one.close()))
    })
  }

  /** Ends connections that are not secured yet. */
  destroy(): void {
    for (const server of this.#tls.values()) server.destroy()
  }

  async #use(addresses: readonly ListenAddress[], meanwhile: () => Promise<void>, isShared: boolean): Promise<void> {
    const read = await this.#certificates.read(addresses.flatMap(({ tls = [] }) => tls))
    if (addresses.some(({ tls }) => tls)) this.#TlsServer ??= (await import('../tls/tls-server.ts')).TlsServer
    const before = new Map(this.#open.map((one) => [placeOfAddress(one.address), one]))
    const next = addresses.map((address) => {
      const listener = before.get(placeOfAddress(address)) ?? new Listener(address, (...args) => this.#accept(...args))
      return { listener, address }
    })
    const fresh = next.filter(({ listener }) => !this.#open.includes(listener))
    const gone = this.#open.filter((one) => next.every(({ listener }) => listener !== one))
    const opened: Listener[] = []
    const stopped: Listener[] = []
    try {
      for (const { listener, address } of fresh) {
        this.#set(listener, address, read)
        const rivals = gone.filter((one) => one.port === address.port && !stopped.includes(one))
        await listener.open(isShared).catch((error: ZappError) => {
          if (error.code !== 'PORT_IN_USE' || rivals.length === 0) throw error
          // The same port of another address: one has to go before the other can come.
          stopped.push(...rivals)
          for (const rival of rivals) void rival.close()
          return listener.open(isShared)
        })
        opened.push(listener)
      }
      await meanwhile()
    } catch (error) {
      for (const one of opened) void one.close()
      for (const { listener } of fresh) this.#tls.delete(listener)
      for (const one of stopped) await one.open()
      throw error
    }
    read.apply()
    for (const { listener, address } of next) this.#set(listener, address, read)
    for (const one of gone) if (!stopped.includes(one)) void one.close().then(() => this.#tls.delete(one))
    this.#open = next.map(({ listener }) => listener)
  }

  /** Files of certificates have changed. */
  async #readAgain(): Promise<void> {
    if (this.#closed) return
    const read = await this.#certificates.read(this.#open.flatMap(({ address: { tls = [] } }) => tls))
    read.apply()
    for (const one of this.#open) this.#set(one, one.address, read)
  }

  #set(listener: Listener, address: ListenAddress, read: ReadCertificates): void {
    listener.address = address
    if (!address.tls) return
    const { onSecure, onNoTls: onPlain } = this.#options
    const certificates = address.tls.map((files) => read.get(files))
    const server = this.#tls.get(listener)
    if (server) server.use(certificates)
    else if (this.#TlsServer) this.#tls.set(listener, new this.#TlsServer(certificates, { onSecure, onPlain }))
  }

  #accept(socket: Socket, listener: Listener): void {
    const { redirect, tls } = listener.address
    if (!this.#options.admits(socket)) this.#options.onExcess(socket, tls !== undefined)
    else if (tls) this.#tls.get(listener)?.take(socket)
    else if (redirect) this.#options.onRedirect(socket, redirect)
    else this.#options.onPlain(socket)
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => {})
    return turn
  }
}
