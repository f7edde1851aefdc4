import { fail, type ZappError } from '../errors.ts'
import { isStopped } from './is-stopped.ts'
import type { OwnProcess } from './own-process.ts'

export interface PulseOptions {
  readonly process: OwnProcess
  /** What messages call the app. */
  readonly name: string
  /** ms in which the process must answer. */
  readonly bound: number
  /** Sends the question, whose answer is {@link Pulse.heard}. */
  readonly ask: () => void
  /** Told once, before the process is killed: PROCESS_HANGS. */
  readonly onHang: (error: ZappError) => void
}

/** On top of the limit for requests: what it did at a stretch may end. */
export const HANGING_MS = 5000
/** Looks are counted, not time: while this process or the whole machine stood still, nobody could have answered. */
const LOOKS = 5

/**
 * Kills a process that does not answer any more: its event loop is in an endless loop, say. Nothing in it could notice, as
 * its own timers need the same loop.
 *
 *     asked ── answers ──▶ asked again at the next look
 *       └── does not, at so many looks ── somebody debugs it ──▶ looks count anew
 *                                       └── nobody does ───────▶ killed
 */
export class Pulse {
  /** It was killed for that. */
  isLost = false
  readonly #options: PulseOptions
  #isAsked = false
  #isDebugged = false
  #silent = 0
  #looking: NodeJS.Timeout | undefined

  constructor(options: PulseOptions) {
    this.#options = options
    void options.process.ended.then(() => this.end())
  }

  /** From now on it has to answer. */
  begin(): void {
    this.#looking ??= setInterval(() => void this.#look(), this.#options.bound / LOOKS).unref()
  }

  /** @param isDebugged it may stand at a breakpoint from now on */
  heard(isDebugged: boolean): void {
    this.#isAsked = false
    this.#isDebugged = isDebugged
    this.#silent = 0
  }

  /** Asks it no more. */
  end(): void {
    clearInterval(this.#looking)
    this.#looking = undefined
    // For a look that is under way.
    this.#isAsked = false
    this.#silent = 0
  }

  async #look(): Promise<void> {
    const { process, ask } = this.#options
    if (!this.#isAsked) {
      this.#isAsked = true
      ask()
    } else if (this.#isDebugged || process.pid === undefined || (await isStopped(process.pid))) {
      this.#silent = 0
    } else if (++this.#silent === LOOKS && this.#isAsked) {
      this.#kill()
    }
  }

  #kill(): void {
    const { process, name, bound, onHang } = this.#options
    this.isLost = true
    onHang(fail('PROCESS_HANGS', name, { name, pid: process.pid ?? 0, seconds: bound / 1000 }))
    void process.stop(0)
  }
}
