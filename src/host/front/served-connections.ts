import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { idleOf } from './idle.ts'
import { Members } from './members.ts'
import type { ServedConnection } from './served-connection.ts'

const SERVED = Symbol('served connection')

interface Served extends Duplex {
  [SERVED]?: { readonly connection: ServedConnection; readonly leave: () => void } | undefined
}

/** All connections that a server has, until they end or leave. */
export class ServedConnections {
  readonly #all = new Members<ServedConnection>()
  #onEmpty = () => {}

  get size(): number {
    return this.#all.size
  }

  /** Something runs on one of them, or speaks another protocol. */
  get isBusy(): boolean {
    return [...this.#all].some(({ running, upgraded }) => upgraded || running.length > 0)
  }

  /** That are not over. */
  get responses(): ServerResponse[] {
    return [...this.#all].flatMap(({ running }) => running.flatMap(({ res }) => res ?? []))
  }

  [Symbol.iterator](): Iterator<ServedConnection> {
    return this.#all[Symbol.iterator]()
  }

  /** undefined once it has left or ended; while a request on it runs it has not. */
  get(socket: Served): ServedConnection | undefined {
    return socket[SERVED]?.connection
  }

  add(connection: ServedConnection): void {
    const socket: Served = connection.socket
    socket[SERVED] = { connection, leave: this.#all.add(connection) }
  }

  remove(socket: Served): void {
    socket[SERVED]?.leave()
    socket[SERVED] = undefined
    if (this.#all.size === 0) this.#onEmpty()
  }

  /** Resolves when there is none. */
  empty(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve
      if (this.#all.size === 0) resolve()
    })
  }

  /**
   * Does something to what is idle, now or when the client has taken an answer that it is slow to take: of such a connection
   * Node says that it is idle as soon as the app has written everything.
   *
   * @param server that reads them
   */
  forIdle(server: Server, work: (socket: Socket) => void): void {
    const all = [...this.#all]
    // Node takes a connection that has sent nothing yet for a busy one. Browsers keep such in reserve.
    const silent = all.filter(({ isSilent }) => isSilent).map(({ socket }) => socket)
    const sockets = all.map(({ socket }) => socket)
    for (const socket of [...idleOf(server, sockets), ...silent]) {
      if (socket.writableLength === 0) work(socket)
      else socket.once('drain', () => setImmediate(() => this.forIdle(server, work)))
    }
  }
}
