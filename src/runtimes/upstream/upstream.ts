import { Connection } from './connection.ts'

/** Where a process listens: what `http.request` and `net.connect` take. */
export type Target = { readonly socketPath: string } | { readonly host: string; readonly port: number }

/** Shorter than any usual server keeps an idle connection, so that it is never it who closes first. */
const IDLE_MS = 1000

/**
 * A process that answers requests over connections of ours. Idle ones are used again, the last one first, and closed when
 * nobody does.
 */
export class Upstream {
  readonly target: Target
  /** It may close a connection that is idle: a request that must not be sent twice goes over one that is not. */
  readonly closesIdle: boolean
  readonly #all = new Set<Connection>()
  #idle: { readonly connection: Connection; readonly since: number }[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(target: Target, closesIdle: boolean) {
    this.target = target
    this.closesIdle = closesIdle
  }

  /** @param fresh not one that was idle: the process may be closing it at this moment */
  take(fresh: boolean): Connection {
    while (!fresh) {
      const connection = this.#idle.pop()?.connection
      if (!connection) break
      if (connection.isFree) return connection
    }
    const connection = new Connection(this.target, () => this.#all.delete(connection))
    this.#all.add(connection)
    return connection
  }

  /** Takes a connection back when an answer has come. */
  giveBack(connection: Connection): void {
    connection.letGo()
    if (connection.isFree) {
      // It was paused for a client whose answer is over: an idle one is read, so that its end is seen.
      connection.resume()
      connection.isReused = true
      this.#idle.push({ connection, since: performance.now() })
      this.#timer ??= setInterval(() => this.#look(), IDLE_MS / 2).unref()
    } else {
      connection.destroy()
    }
  }

  /** Ends all, whatever they carry. */
  destroy(): void {
    for (const connection of this.#all) connection.cut()
  }

  #look(): void {
    const before = performance.now() - IDLE_MS / 2
    const old = this.#idle.findIndex(({ since }) => since > before)
    for (const { connection } of this.#idle.splice(0, old === -1 ? this.#idle.length : old)) connection.destroy()
    if (this.#idle.length > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
