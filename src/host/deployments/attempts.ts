import { asZappError, ZappError } from '../../errors.ts'
import type { AppView } from '../app-view.ts'
import type { Candidate } from '../candidate.ts'
import type { AppRecord } from '../state.ts'
import { keptRelease, type Release, releaseOf } from './release.ts'
import { Retries } from './retries.ts'
import type { Serving } from './serving.ts'
import type { SlotContext } from './slot-context.ts'
import type { SlotRecord } from './slot-record.ts'
import { SlotState } from './slot-state.ts'
import { slotView } from './slot-view.ts'

export interface AttemptsOptions {
  readonly record: SlotRecord
  readonly serving: Serving
  readonly context: SlotContext
  /** Nothing serves: it is to be tried again. */
  readonly again: () => void
}

/** Tries what could serve an app, tells what came of it, and keeps the state that follows. */
export class Attempts {
  /** What the watched folders hold, the best first. */
  candidates: readonly Candidate[] = []
  readonly state: SlotState
  readonly retries: Retries
  readonly #record: SlotRecord
  readonly #serving: Serving
  readonly #context: SlotContext

  constructor({ record, serving, context, again }: AttemptsOptions) {
    this.#record = record
    this.#serving = serving
    this.#context = context
    // Where nothing serves, the front has to say so.
    this.state = new SlotState(context.onRoutes)
    this.retries = new Retries(again)
  }

  get view(): AppView {
    const { id, value: record } = this.#record
    return slotView({ id, record, candidates: this.candidates, serving: this.#serving, state: this.state })
  }

  /**
   * Goes through what should serve, the best first, until something does.
   * @param override what was deployed by hand, while that holds: files have to stand aside
   */
  async all(override: string | undefined): Promise<void> {
    const { store, stopping } = this.#context
    const { versions, current } = this.#record.value
    const kept = (digest: string | undefined) =>
      versions.filter((version) => version.digest === digest).map((version) => keptRelease(version, store))
    const found = this.candidates.map((candidate) => releaseOf(candidate, store))
    const wanted = [...kept(override), ...found, ...kept(current)]
    const untried = new Set(this.candidates)
    for (const release of wanted) {
      if (stopping.aborted) return
      if (release.candidate) untried.delete(release.candidate)
      if ((await this.#serving.is(release)) || (await this.one(release)) || this.#serving.current) break
    }
    this.conclude(wanted[0])
    if (override === undefined) for (const candidate of untried) this.#leaveAside(candidate)
  }

  /** @param change of the record, with the switch. @returns false where it failed: its `error` is set then */
  async one(release: Release, change: Partial<AppRecord> = {}): Promise<boolean> {
    if (release.error) return this.#failed(release, release.error)
    const begun = performance.now()
    try {
      await this.#serving.bringUp(release, change)
    } catch (error) {
      release.error = asZappError(error)
      return this.#failed(release, release.error)
    }
    this.#context.log({ type: 'live', app: this.view, ms: performance.now() - begun })
    return true
  }

  /** The state after attempts. @param first what should serve */
  conclude(first: Release | undefined): void {
    const [best] = this.candidates
    const { override, current } = this.#record.value
    const passedOver = best && override?.over.includes(best.digest)
    const reason = override?.reason && new ZappError(override.reason)
    const other = passedOver || !best?.error ? undefined : releaseOf(best, this.#context.store)
    const failed = first?.error ? first : other
    const error = failed?.error ?? reason
    if (this.#serving.current) {
      this.state.set(error ? 'degraded' : 'live', error)
      this.retries.succeeded()
    } else {
      this.state.set('failed', error, failed)
      if (best?.manifest || current) this.retries.later()
    }
  }

  #failed(release: Release, error: ZappError): false {
    const { candidate, name, version, source } = release
    if (candidate?.told || this.#context.stopping.aborted) return false
    if (candidate) candidate.told = true
    const app = { ...this.view, error, name, version, source }
    this.#context.log({ type: 'failed', app, error, kept: this.#serving.current !== undefined })
    return false
  }

  #leaveAside(candidate: Candidate): void {
    const { current } = this.#serving
    if (candidate.told || !current || candidate.digest === current.parts.digest) return
    candidate.told = true
    const { mount } = this.#record.value
    this.#context.log({ type: 'shadowed', source: candidate.source.path, by: current.parts.source, mount })
  }
}
