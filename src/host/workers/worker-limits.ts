import { MemoryLimit } from '../../runtimes/memory-limit.ts'
import type { OwnProcess } from '../../runtimes/own-process.ts'
import type { ProcessLimits } from '../../runtimes/process-limits.ts'
import { HANGING_MS, Pulse } from '../../runtimes/pulse.ts'

export interface WorkerLimitsOptions {
  /** What messages call it: the app. */
  readonly name: string
  readonly limits: ProcessLimits
  readonly onError: (error: unknown, where: string) => void
  /** Asks it whether its event loop turns. */
  readonly ask: () => void
}

/** Sees to it that a worker costs no more than it may. */
export class WorkerLimits {
  /** Resolves when it holds more memory than it may, and is to be replaced. */
  readonly worn: Promise<void>
  readonly #process: OwnProcess
  readonly #options: WorkerLimitsOptions
  readonly #memory: MemoryLimit | undefined
  #pulse: Pulse | undefined

  constructor(process: OwnProcess, options: WorkerLimitsOptions) {
    this.#process = process
    this.#options = options
    const { name, limits, onError } = options
    const onExcess = (error: unknown) => onError(error, 'memory')
    this.#memory =
      limits.memory === undefined ? undefined : new MemoryLimit(process, { limit: limits.memory, name, onExcess })
    this.worn = this.#memory?.worn ?? new Promise(() => {})
  }

  /** It was killed because it did not respond any more. */
  get hangs(): boolean {
    return this.#pulse?.isLost ?? false
  }

  /** From now on it has to respond: loading an app may take as long as it takes. */
  ready(): void {
    const { name, limits, onError, ask } = this.#options
    if (limits.requestTime === undefined) return
    const onHang = (error: unknown) => onError(error, 'its event loop')
    this.#pulse = new Pulse({ process: this.#process, name, bound: limits.requestTime + HANGING_MS, ask, onHang })
    this.#pulse.begin()
  }

  /** @param isDebugged it may stand at a breakpoint from now on */
  heard(isDebugged = false): void {
    this.#pulse?.heard(isDebugged)
  }

  /** It was replaced, had its time to end, and is killed. */
  drained(): void {
    this.#memory?.drained()
  }
}
