import { LONGEST_MS } from '../deadline.ts'
import type { Deployment } from '../deployment.ts'
import type { Activity } from './activity.ts'

/** Waits until nothing has been asked of an app for so long. */
export class IdleWatch {
  readonly #idleMs: number
  readonly #activity: Activity
  #watched: Deployment | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(idleMs: number, activity: Activity) {
    this.#idleMs = idleMs
    this.#activity = activity
  }

  /** Begins anew, with an app that was asked a moment ago. @param onIdle called once */
  start(awake: Deployment, onIdle: () => void): void {
    this.#watched = awake
    this.#activity.touch()
    this.#lookIn(this.#idleMs, awake, onIdle)
  }

  end(): void {
    this.#watched = undefined
    clearTimeout(this.#timer)
  }

  #lookIn(ms: number, awake: Deployment, onIdle: () => void): void {
    this.#timer = setTimeout(() => void this.#look(awake, onIdle), Math.min(Math.ceil(ms), LONGEST_MS))
  }

  async #look(awake: Deployment, onIdle: () => void): Promise<void> {
    // Its processes hold connections that nothing passes through here for.
    const elsewhere = (await awake.idleMs?.()) ?? Number.POSITIVE_INFINITY
    if (this.#watched !== awake) return
    const left = this.#idleMs - Math.min(elsewhere, this.#activity.idleMs)
    if (left > 0) this.#lookIn(left, awake, onIdle)
    else onIdle()
  }
}
