import { availableParallelism } from 'node:os'
import { createLimiter } from '../limiter.ts'
import { ValidatorProcess } from './validator-process.ts'

/** The processes leave one processor to those who serve, and more of them would only share memory and disk. */
const MOST = Math.min(4, Math.max(1, availableParallelism() - 1))
/** Starting one takes a tenth of a second: soon enough for the next file, too long for each of hundreds. */
const IDLE_MS = 1000

/**
 * Judges archives outside the host's own process (R18): its event loop and its memory belong to those who are served.
 * A process is started for the first archive, is asked for the next ones, and ends when none comes.
 */
export class Validators {
  readonly #limit = createLimiter(MOST)
  readonly #idle: ValidatorProcess[] = []
  readonly #all = new Set<ValidatorProcess>()
  #closed = false

  /**
   * @returns the text of the manifest
   * @throws ZappError what is wrong with the archive, at most 1,000 findings; VALIDATION_ENDED
   */
  judge(file: string): Promise<string> {
    return this.#limit(async () => {
      const validator = this.#takeIdle() ?? this.#start()
      try {
        return await validator.judge(file)
      } finally {
        if (this.#closed) validator.end()
        else if (validator.alive) this.#keep(validator)
      }
    })
  }

  /** Something will be judged in a moment: a process is started meanwhile, where there is none. */
  expect(): void {
    if (!this.#closed && this.#all.size === 0) this.#keep(this.#start())
  }

  /** Nothing will be judged for a while: what waits ends now. */
  rest(): void {
    for (const validator of this.#idle.splice(0)) validator.end()
  }

  /** What is being judged is left. */
  close(): void {
    this.#closed = true
    for (const validator of this.#all) validator.end()
  }

  /** One may have been killed meanwhile, for its memory for example. */
  #takeIdle(): ValidatorProcess | undefined {
    let validator = this.#idle.pop()
    while (validator && !validator.alive) validator = this.#idle.pop()
    return validator
  }

  #start(): ValidatorProcess {
    const validator = new ValidatorProcess(() => {
      this.#all.delete(validator)
      this.#forget(validator)
    })
    this.#all.add(validator)
    return validator
  }

  #keep(validator: ValidatorProcess): void {
    this.#idle.push(validator)
    setTimeout(() => {
      // It was asked since then, and has a timer of that day.
      if (!this.#idle.includes(validator) || performance.now() - validator.since < IDLE_MS) return
      this.#forget(validator)
      validator.end()
    }, IDLE_MS + 1).unref()
  }

  #forget(validator: ValidatorProcess): void {
    const at = this.#idle.indexOf(validator)
    if (at !== -1) this.#idle.splice(at, 1)
  }
}
