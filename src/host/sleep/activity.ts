import type { ServerResponse } from 'node:http'
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

  /** Until it closes: a response, or a connection, that counts whatever goes over it. */
  begin(running: ServerResponse | Duplex): void {
    this.#running++
    running.once('close', () => {
      this.#running--
      this.touch()
    })
  }
}
