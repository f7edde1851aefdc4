import type { Socket } from 'node:net'

const places = new WeakMap<Socket, Place>()

/**
 * What a client's connection takes up among those that its address may have, in whichever process it is: the socket there
 * is another one, the place is the same. It is given up once, when the connection ends.
 */
export class Place {
  /** By which processes tell each other of it. */
  readonly id: number
  readonly #onEnd: (id: number) => void
  #holder: unknown
  #isOver = false

  constructor(id: number, onEnd: (id: number) => void) {
    this.id = id
    this.#onEnd = onEnd
  }

  /** The connection is this one from now on. */
  take(socket: Socket): void {
    this.#holder = socket
    places.set(socket, this)
    socket.once('close', () => this.#holder === socket && this.end())
  }

  /** Somebody else tells when the connection ends: the socket that is here closes before. */
  give(holder: object): void {
    this.#holder = holder
  }

  /** Idempotent. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#onEnd(this.id)
  }
}

/** undefined for a connection that is not counted. */
export function placeOf(socket: Socket): Place | undefined {
  return places.get(socket)
}
