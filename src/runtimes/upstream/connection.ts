import { connect, type Socket } from 'node:net'
import { type AnswerListener, AnswerParser } from './answer-parser.ts'
import type { Target } from './upstream.ts'

/** Who is told of what happens to a request. */
export interface ExchangeListener extends AnswerListener {
  /** All that has come so far was told. */
  onRead(): void
  /** More can be sent. */
  onDrain(): void
  /** The connection is gone, and the answer not whole. */
  onError(error: NodeJS.ErrnoException): void
}

/** Every connection reads into the same bytes: nothing is kept of them beyond the moment. */
const BYTES = Buffer.allocUnsafeSlow(64 * 1024)

/** A connection to a process that answers: one request after the other. */
export class Connection {
  /** It has carried a request before. */
  isReused = false
  readonly #socket: Socket
  readonly #parser = new AnswerParser()
  #listener: ExchangeListener | undefined

  constructor(target: Target, onClose: () => void) {
    const onread = { buffer: BYTES, callback: (length: number) => this.#read(BYTES.subarray(0, length)) }
    const where = 'socketPath' in target ? { path: target.socketPath } : target
    this.#socket = connect({ ...where, noDelay: true, onread })
    this.#socket.on('end', () => this.#end())
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('drain', () => this.#listener?.onDrain())
    this.#socket.on('close', onClose)
  }

  /** Another request may be sent over it. */
  get isFree(): boolean {
    return this.#parser.isIdle && this.#parser.staysOpen && !this.#socket.destroyed
  }

  /** @param head request line and fields, with the empty line, one character for each byte */
  send(head: string, toHead: boolean, listener: ExchangeListener): void {
    this.#listener = listener
    this.#parser.expect(listener, toHead)
    this.#socket.write(head, 'latin1')
  }

  /** Calls back when it is connected; not where it never is. */
  whenConnected(work: () => void): void {
    if (this.#socket.connecting) this.#socket.once('connect', work)
    else work()
  }

  /** Of the body of the request. @returns false where more is to wait for onDrain */
  write(bytes: Buffer): boolean {
    return this.#socket.write(bytes)
  }

  /** The same as a chunk, RFC 9112 §7.1; that without bytes is the last one. */
  writeChunk(bytes: Buffer): boolean {
    this.#socket.cork()
    this.#socket.write(`${bytes.length.toString(16)}\r\n`, 'latin1')
    if (bytes.length > 0) this.#socket.write(bytes)
    const mayGoOn = this.#socket.write('\r\n', 'latin1')
    this.#socket.uncork()
    return mayGoOn
  }

  /** Reads no more, until {@link resume}. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Nobody is told of anything any more. */
  letGo(): void {
    this.#listener = undefined
  }

  /** Its process is gone. */
  cut(): void {
    this.#fail(closed())
  }

  destroy(): void {
    this.letGo()
    this.#socket.destroy()
  }

  #read(bytes: Buffer): boolean {
    try {
      this.#parser.read(bytes)
      this.#listener?.onRead()
    } catch (error) {
      this.#fail(error as Error)
    }
    return true
  }

  #end(): void {
    if (this.#parser.end()) this.#socket.destroy()
    else this.#fail(closed())
  }

  #fail(error: NodeJS.ErrnoException): void {
    const listener = this.#listener
    this.destroy()
    listener?.onError(error)
  }
}

function closed(): Error {
  return Object.assign(new Error('it closed the connection'), { code: 'ECONNRESET' })
}
