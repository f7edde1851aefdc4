import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { peerOf } from './client.ts'
import type { Answers, Found } from './request-log.ts'

/** A request that is being answered. */
export interface Asked {
  readonly req: IncomingMessage
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
  /** Responses that are not over, in the order of their requests; hardly ever more than one. */
  readonly running: ServerResponse[] = []
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
  }

  /** Nothing has come over it. */
  get isSilent(): boolean {
    return this.socket.bytesRead === 0 && !this.begun
  }

  /** @returns whether it was running */
  over(res: ServerResponse): boolean {
    const at = this.running.indexOf(res)
    if (at !== -1) this.running.splice(at, 1)
    return at !== -1
  }
}
