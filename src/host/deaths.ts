import { fail, type ZappError } from '../errors.ts'
import type { Faltering } from './deployment.ts'
import type { AppLimits } from './settings/app-settings.ts'

interface Death {
  readonly at: number
  /** How long the app had run by then. */
  readonly ranMs: number
  /** No process was left. */
  readonly isDown: boolean
}

/** So many deaths in so many ms: starting it again does not help. */
const RESTARTS = { count: 5, within: 60_000 }

/**
 * The deaths of an app's processes within the last while, in which it ran: that one takes long to start must not hide how
 * often it dies. Times are those of performance.now().
 */
export class Deaths {
  /** {@link Deployment.died} */
  readonly died: Promise<ZappError | undefined>
  /** {@link Deployment.faltered} */
  readonly faltered: Promise<Faltering>
  readonly #name: string
  readonly #limit: { readonly count: number; readonly within: number }
  readonly #recent: Death[] = []
  #downMs = 0
  #downSince: number | undefined
  #onDied: (error: ZappError | undefined) => void = () => {}
  #onFaltered: (faltering: Faltering) => void = () => {}

  /** @param name of the app */
  constructor(name: string, { restarts = RESTARTS }: Pick<AppLimits, 'restarts'> = {}) {
    this.#name = name
    this.#limit = restarts
    this.died = new Promise((resolve) => {
      this.#onDied = resolve
    })
    this.faltered = new Promise((resolve) => {
      this.#onFaltered = resolve
    })
  }

  /**
   * One more, or one that did not come up again.
   *
   * @param how in words
   * @param isDown no process is left
   * @returns whether they are too many, and not even one process stays: the app has died
   */
  add(how: string, isDown: boolean): boolean {
    this.#count(isDown)
    const { count, within } = this.#limit
    const args = { name: this.#name, times: this.#recent.length, seconds: within / 1000, reason: how }
    const error = fail('APP_DIED', this.#name, args)
    const [first, second] = this.#recent.filter((death) => death.isDown)
    if (first && second) this.#onFaltered({ error, since: first.at })
    if (!isDown || this.#recent.length < count) return false
    this.#onDied(error)
    return true
  }

  /** The app was stopped: it dies no more. */
  stopped(): void {
    this.#onDied(undefined)
  }

  /** A process runs again. */
  up(): void {
    if (this.#downSince !== undefined) this.#downMs += performance.now() - this.#downSince
    this.#downSince = undefined
  }

  #count(isDown: boolean): void {
    const at = performance.now()
    if (isDown) this.#downSince ??= at
    const ranMs = (this.#downSince ?? at) - this.#downMs
    this.#recent.push({ at, ranMs, isDown })
    while ((this.#recent[0]?.ranMs ?? ranMs) < ranMs - this.#limit.within) this.#recent.shift()
  }
}
