import type { ZappError } from '../../errors.ts'
import type { AppState } from '../app-view.ts'
import type { Named } from './release.ts'

/** The state of an app, as app-view.ts draws it. */
export class SlotState {
  value: AppState = 'starting'
  since = new Date()
  error: ZappError | undefined
  /** What `error` keeps from serving. */
  failed: Named | undefined
  readonly #onChange: () => void

  /** @param onChange told of another state, not of another error */
  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  set(state: AppState, error?: ZappError, failed?: Named): void {
    const changed = state !== this.value
    if (changed) this.since = new Date()
    this.value = state
    this.error = error
    this.failed = failed
    if (changed) this.#onChange()
  }
}
