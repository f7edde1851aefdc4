import type { ZappError } from '../../errors.ts'
import type { AppState } from '../app-view.ts'

/** The state of an app, as app-view.ts draws it. */
export class SlotState {
  value: AppState = 'starting'
  since = new Date()
  error: ZappError | undefined
  readonly #onChange: () => void

  /** @param onChange told of another state, not of another error */
  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  set(state: AppState, error?: ZappError): void {
    const changed = state !== this.value
    if (changed) this.since = new Date()
    this.value = state
    this.error = error
    if (changed) this.#onChange()
  }
}
