import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { peerOf } from './client.ts'
import { isEventStream } from './event-stream.ts'
import type { Answers, Found } from './request-log.ts'

/** A request that is being answered. */
export interface Asked {
  readonly req: IncomingMessage
  /** Undefined for one that wants another protocol. */
  readonly res: ServerResponse | undefined
  readonly connection: ServedConnection
  /** As it was sent. */
  readonly target: string
  readonly id: string
  readonly found: Found<Answers>
  /** Of the wall clock, ms since 1970. */
  readonly time: number
  /** Of the clock that nobody sets, ms. */
  readonly start: number
  /** Address of the client. */
  readonly peer: string
}

/** What a server knows of one of its connections. */
export class ServedConnection {
  readonly socket: Socket
  /** Address of whoever has connected. */
  readonly peer: string
  /** Whether that is a proxy which may say who the client is. */
  readonly isProxy: boolean
  /** Of the connection itself, whatever a proxy says of its client's. */
  readonly isEncrypted: boolean
  /** Requests whose responses are not over, in their order; hardly ever more than one. */
  readonly running: Asked[] = []
  /** Somebody else has read its first bytes. */
  begun = false
  /** It speaks another protocol now. */
  upgraded = false
  /** Status that went out over an app's head, because the body of its request was none. */
  refused: number | undefined
  /** Bytes that it had sent when its last response was over. */
  sent = 0

  constructor(socket: Socket, isTrusted: (peer: string) => boolean) {
    this.socket = socket
    this.peer = peerOf(socket)
    this.isProxy = isTrusted(this.peer)
    this.isEncrypted = 'encrypted' in socket && socket.encrypted === true
  }

  /** Nothing has come over it. */
  get isSilent(): boolean {
    return this.socket.bytesRead === 0 && !this.begun
  }

  /** @returns whether it was running */
  over(asked: Asked): boolean {
    const at = this.running.indexOf(asked)
    if (at !== -1) this.running.splice(at, 1)
    return at !== -1
  }

  /**
   * Its client has closed its side. It has gone, or waits for its answer; only what is sent to it can show which. Proxies
   * and browsers that listen to a stream of events never wait like that.
   *
   * @param ms that it may take nothing for
   */
  sendsNoMore(ms: number): void {
    const { socket, isProxy, running, upgraded } = this
    if (upgraded || running.length === 0) return
    if (isProxy || running.some(({ res }) => res && isEventStream(res))) socket.end()
    else socket.setTimeout(ms, () => socket.destroy())
  }
}
