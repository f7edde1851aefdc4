import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** When something was last asked, of requests that pass through this process. */
export class Activity {
  #running = 0
  #since = performance.now()

  /** ms in which nothing ran; 0 while something does. */
  get idleMs(): number {
    return this.#running > 0 ? 0 : performance.now() - this.#since
  }

  /** Something happened that is over already. */
  touch(): void {
    this.#since = performance.now()
  }

  request(req: IncomingMessage, res: ServerResponse): void {
    const ended = this.#begin()
    res.once('close', ended)
    // A pipelined response that still waits for its turn is not told when the connection ends.
    if (res.socket === null) req.socket.once('close', ended)
  }

  /** Open, it counts as activity, whatever goes over it. */
  connection(socket: Duplex): void {
    socket.once('close', this.#begin())
  }

  #begin(): () => void {
    let isRunning = true
    this.#running++
    return () => {
      if (!isRunning) return
      isRunning = false
      this.#running--
      this.touch()
    }
  }
}
