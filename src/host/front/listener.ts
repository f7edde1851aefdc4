import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { fail } from '../../errors.ts'
import { type Bound, bind } from './bind.ts'
import { limitConnections } from './descriptors.ts'
import { type ListenAddress, placeOfAddress } from './listen-address.ts'

/** Accepts connections at one address. */
export class Listener {
  /** What connections that it accepts are for. */
  address: ListenAddress
  readonly #onConnection: (socket: Socket, listener: Listener) => void
  #server: Server
  #bound: Bound | undefined
  #port = 0

  constructor(address: ListenAddress, onConnection: (socket: Socket, listener: Listener) => void) {
    this.address = address
    this.#onConnection = onConnection
    this.#server = this.#createServer()
  }

  /** The one that it has, where any would do. */
  get port(): number {
    return this.#port
  }

  /** What the processes of an app can accept on, where it was opened for them. */
  get handle(): Bound['handle'] | undefined {
    return this.#bound?.handle
  }

  /**
   * @param isShared it is for the processes of an app: nobody accepts before {@link accept}
   * @throws ZappError PORT_IN_USE, IO
   */
  async open(isShared = false): Promise<void> {
    const { host, port } = this.address
    try {
      this.#bound = isShared ? await bind(host, port) : undefined
      if (!this.#bound) {
        this.#server = this.#createServer()
        this.#server.listen({ host, port })
        await once(this.#server, 'listening')
      }
      this.#port = (this.#bound?.address ?? (this.#server.address() as AddressInfo)).port
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const address = placeOfAddress(this.address)
      if (code === 'EADDRINUSE') throw fail('PORT_IN_USE', '', { address }, error)
      throw fail('IO', '', { operation: `listening on ${address}`, reason: message }, error)
    }
  }

  /** Accepts beside the processes of an app, or where none of them does any more. */
  accept(): void {
    if (this.#bound && !this.#server.listening) this.#server.listen(this.#bound.handle)
  }

  /** Accepts no more, at once; resolves when the last connection that it accepted is not ours any more. */
  async close(): Promise<void> {
    if (!this.#server.listening) return this.#bound?.handle.close()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  #createServer(): Server {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true })
    limitConnections(server)
    return server.on('connection', (socket) => {
      if (!socket.destroyed) this.#onConnection(socket, this)
    })
  }
}
