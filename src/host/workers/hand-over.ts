import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import type { BoundHandle } from '../front/bind.ts'
import { type Place, placeOf } from '../front/place.ts'

/** The other end of an IPC channel: a child, or for a child its parent. */
export type Peer = Pick<ChildProcess, 'connected'> & {
  send?(message: object, handle: Socket, options: { keepOpen: true }, callback: (error: Error | null) => void): boolean
  on(event: 'internalMessage', listener: (message: { readonly cmd?: string }) => void): unknown
}

/** A connection that is not being read, and what was read of it. */
export interface Passed {
  readonly socket: Socket
  readonly bytes: Buffer
}

/** A socket to listen on, of which both ends keep a copy. */
interface Shared {
  readonly handle: BoundHandle
}

/** What the other end had not confirmed when it was lost. */
export interface Lost {
  /** It may have been read from: nobody else can go on with it. */
  readonly sent: Passed | undefined
  readonly waiting: readonly Passed[]
}

/** More than that would wait for longer than a client does. */
const MAX_WAITING = 512
/** A process that is out of descriptors gets some back as connections end. */
const REFUSED_MS = 50

/**
 * Gives connections to another process, one after the other: Node sends the next descriptor only when the one before is
 * confirmed, and what it holds back meanwhile nobody could see, count or rescue. Our own descriptor stays open until then.
 *
 *     waiting ── the one before is confirmed ──▶ sent ── confirmed ──▶ closed here
 *        └── the process is lost: goes to another ─┴── the process is lost: 502
 */
export class HandOver {
  readonly #peer: Peer
  readonly #type: string
  readonly #onGive: (place: Place) => void
  readonly #waiting: (Passed | Shared)[] = []
  #sent: Passed | Shared | undefined
  #open = true
  #onIdle = () => {}

  /**
   * @param type of the messages
   * @param onGive told of each that is counted, before the other end has it; it is told again where it is sent again
   */
  constructor(peer: Peer, type: 'connection' | 'return', onGive: (place: Place) => void = () => {}) {
    this.#peer = peer
    this.#type = type
    this.#onGive = onGive
    peer.on('internalMessage', ({ cmd }) => {
      if (cmd === 'NODE_HANDLE_ACK') this.#confirmed()
      if (cmd === 'NODE_HANDLE_NACK') this.#refused()
    })
  }

  /** How many wait or are on their way. */
  get length(): number {
    return this.#waiting.length + (this.#sent ? 1 : 0)
  }

  /** @returns false where it cannot be taken; it is the caller's then */
  give(socket: Socket, bytes: Buffer): boolean {
    if (!this.#open || !this.#peer.connected || this.#waiting.length >= MAX_WAITING) return false
    // Else Node would keep books on it in both processes, and the server it came from would wait for it.
    Object.assign(socket, { server: undefined })
    this.#waiting.push({ socket, bytes })
    if (!this.#sent) this.#next()
    return true
  }

  /** Lets the other end listen too. */
  share(handle: BoundHandle): void {
    if (!this.#open) return
    this.#waiting.push({ handle })
    if (!this.#sent) this.#next()
  }

  /** Takes no more. @returns what is still here */
  end(): Passed[] {
    this.#open = false
    return this.#waiting.splice(0).filter(isConnection)
  }

  /** Resolves when nothing waits and nothing is on its way. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve
      if (this.length === 0) resolve()
    })
  }

  /** The other end is gone. */
  close(): Lost {
    const sent = this.#sent && isConnection(this.#sent) ? this.#sent : undefined
    const lost = { sent, waiting: this.end() }
    this.#sent = undefined
    this.#onIdle()
    return lost
  }

  #next(): void {
    let next = this.#waiting.shift()
    while (next && isConnection(next) && next.socket.destroyed) next = this.#waiting.shift()
    this.#sent = next
    if (!next) {
      this.#onIdle()
      return
    }
    // Where it cannot be sent the channel is at its end: close() follows.
    const send = (message: object, handle: unknown) =>
      this.#peer.send?.(message, handle as Socket, { keepOpen: true }, () => {})
    // JSON holds one character for each byte, and nothing of a place that is undefined.
    if (isConnection(next))
      send({ type: this.#type, head: next.bytes.toString('latin1'), place: this.#place(next) }, next.socket)
    else send({ type: 'listen' }, next.handle)
  }

  #place({ socket }: Passed): number | undefined {
    const place = placeOf(socket)
    place?.give(this)
    if (place) this.#onGive(place)
    return place?.id
  }

  #confirmed(): void {
    if (this.#sent && isConnection(this.#sent)) this.#sent.socket.destroy()
    this.#sent = undefined
    this.#next()
  }

  #refused(): void {
    const refused = this.#sent
    this.#sent = undefined
    if (!refused) return
    this.#waiting.unshift(refused)
    setTimeout(() => {
      if (!this.#sent) this.#next()
    }, REFUSED_MS)
  }
}

function isConnection(one: Passed | Shared): one is Passed {
  return 'socket' in one
}
