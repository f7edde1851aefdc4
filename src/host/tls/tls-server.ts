import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { Certificate } from './certificate.ts'
import { Chooser } from './chooser.ts'
import type { Secured } from './misdirected.ts'

export interface TlsServerOptions {
  onSecure(socket: TLSSocket, secured: Secured): void
  /** Told of a client that speaks, but not TLS. What it sent is in the connection still. */
  onPlain(socket: Socket): void
}

/** For the first byte, and then for the handshake: as long as a head may take (S01). */
const HANDSHAKE_MS = 15_000
/** The first byte of every TLS connection: a record of type handshake, RFC 8446 §5.1. */
const HANDSHAKE = 0x16

/** Speaks TLS on connections that somebody else has accepted. */
export class TlsServer {
  readonly #options: TlsServerOptions
  #certificates: readonly Certificate[]
  /** It never listens. */
  #server: Server
  /** Connections that are not secured yet, by {@link nameOf}: the socket that comes out is another one. */
  readonly #waiting = new Map<string, Socket>()

  /** @param certificates at least one */
  constructor(certificates: readonly Certificate[], options: TlsServerOptions) {
    this.#options = options
    this.#certificates = certificates
    this.#server = this.#serverWith(certificates)
  }

  /** With other certificates from the next connection on. */
  use(certificates: readonly Certificate[]): void {
    const isSame = certificates.length === this.#certificates.length
    // Its session tickets go on being good.
    if (isSame && certificates.every((one, i) => one === this.#certificates[i])) return
    this.#certificates = certificates
    this.#server = this.#serverWith(certificates)
  }

  /** @param socket one of which nothing was read */
  take(socket: Socket): void {
    const name = nameOf(socket)
    const leave = () => {
      clearTimeout(timer)
      this.#waiting.delete(name)
    }
    const timer = setTimeout(() => socket.destroy(), HANDSHAKE_MS)
    this.#waiting.set(name, socket)
    socket.on('error', ignore).once('close', leave)
    socket.once('readable', () => {
      clearTimeout(timer)
      const bytes: Buffer | null = socket.read()
      if (bytes === null) return void socket.destroy()
      // It goes on with what is in the stream.
      socket.unshift(bytes)
      if (bytes[0] === HANDSHAKE) return void this.#server.emit('connection', socket)
      socket.off('close', leave)
      leave()
      this.#options.onPlain(socket)
    })
  }

  #serverWith(certificates: readonly Certificate[]): Server {
    const chooser = new Chooser(certificates)
    const server = createServer({
      ...chooser.first.pem,
      ...{ allowHalfOpen: true, ALPNProtocols: ['http/1.1'], handshakeTimeout: HANDSHAKE_MS },
      SNICallback: (name, choose) => choose(null, chooser.choose(name).context),
    })
    server.on('secureConnection', (socket: TLSSocket & { readonly servername?: string | false | null }) => {
      this.#waiting.delete(nameOf(socket))
      // Nothing in HTTP needs it, and it costs us more than the client.
      socket.disableRenegotiation()
      const name = socket.servername || undefined
      this.#options.onSecure(socket, { name: name?.toLowerCase(), certificate: chooser.choose(name) })
    })
    server.on('tlsClientError', (_, socket) => socket.destroy())
    return server
  }

  /** Ends connections that are not secured yet. */
  destroy(): void {
    for (const socket of this.#waiting.values()) socket.destroy()
  }
}

/** What a connection and the secured one on top of it have in common. */
function nameOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return [remoteAddress, remotePort, localAddress, localPort].join(' ')
}

function ignore(): void {}
