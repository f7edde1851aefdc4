import type { ZappError } from '../errors.ts'
import type { OwnProcess } from './own-process.ts'
import { ping } from './ping.ts'
import { HANGING_MS, Pulse } from './pulse.ts'
import type { Target } from './upstream/upstream.ts'

export interface HangWatchOptions {
  readonly process: OwnProcess
  /** What messages call it. */
  readonly name: string
  readonly target: () => Target
  /** ms for a request. Without it none is late. */
  readonly requestTime: number | undefined
  /** Told before the process is killed: PROCESS_HANGS. */
  readonly onHang: (error: ZappError) => void
}

/** Whoever has few threads answers the question behind requests that are late already: so many of them, one after another. */
const LATE = 3

/**
 * Kills a process that answers nothing any more. There is no channel to ask it on, and no request of ours is for a program
 * that does well: it is asked only when a request has run into its time, and every answer of it clears it.
 *
 *     trusted ── a request is late ──▶ doubted, asked ── no sign of life, for as long as Pulse waits ──▶ killed
 *        ▲                                  │
 *        └── it answers: that, or a request ┘
 */
export class HangWatch {
  readonly #pulse: Pulse | undefined
  #asking: AbortController | undefined

  constructor({ process, name, target, requestTime, onHang }: HangWatchOptions) {
    const ask = async () => {
      const asking = this.#asking
      if (!asking) return
      await ping(target(), asking.signal)
      if (!asking.signal.aborted) this.heard()
    }
    if (requestTime === undefined) return
    this.#pulse = new Pulse({ process, name, bound: LATE * requestTime + HANGING_MS, ask: () => void ask(), onHang })
    void process.ended.then(() => this.#asking?.abort())
  }

  /** A request was not answered in time. */
  doubt(): void {
    if (!this.#pulse) return
    this.#asking ??= new AbortController()
    this.#pulse.begin()
  }

  /** It has answered something. */
  heard(): void {
    if (!this.#asking) return
    this.#asking.abort()
    this.#asking = undefined
    this.#pulse?.end()
  }
}
