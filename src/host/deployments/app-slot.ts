import { type Finding, fail, type ZappError } from '../../errors.ts'
import type { AppView } from '../app-view.ts'
import type { Candidate } from '../candidate.ts'
import type { Faltering } from '../deployment.ts'
import type { AppRecord, Override, VersionRecord } from '../state.ts'
import { Attempts } from './attempts.ts'
import type { Generation } from './generation.ts'
import { keptRelease, type Release } from './release.ts'
import { Serving } from './serving.ts'
import type { SlotContext } from './slot-context.ts'
import { SlotRecord } from './slot-record.ts'
import { Turns } from './turns.ts'

/** What was left is not to be gone back to: a further step leads further back. */
const WENT_BACK = { previous: '' } as const

/**
 * One app: what serves its mount, what is tried beside it, and what it can go back to. Operations on one app run one
 * after the other; app-view.ts draws its states.
 */
export class AppSlot {
  readonly host: string
  readonly mount: string
  readonly #context: SlotContext
  readonly #record: SlotRecord
  readonly #serving: Serving
  readonly #attempts: Attempts
  readonly #turns = new Turns(() => this.#rest())
  /** Digest of the upload that came last. */
  #newest = ''
  /** How it was when it was removed. */
  #removed: AppView | undefined

  constructor(host: string, mount: string, context: SlotContext) {
    this.host = host
    this.mount = mount
    this.#context = context
    this.#record = new SlotRecord(host, mount, context.state, (error) => this.#trouble(error, 'saving the state'))
    this.#serving = new Serving({
      ...{ mount, context, record: this.#record },
      onSwitch: () => this.#state.value === 'starting' && this.#state.set('live'),
      onDied: (generation, error) => this.#died(generation, error),
      onFaltered: (generation, faltering) => this.#faltered(generation, faltering),
      onError: (error) => this.#trouble(error, 'stopping'),
    })
    // Not start(): what was stopped by hand meanwhile stays so.
    const again = () =>
      void this.#turns.next(() => this.#tryAgain()).catch((error) => this.#trouble(error, 'deploying'))
    this.#attempts = new Attempts({ record: this.#record, serving: this.#serving, context, again })
  }

  get id(): string {
    return this.#record.id
  }

  /** What serves, if anything does. */
  get serving(): Generation | undefined {
    return this.#serving.current
  }

  get view(): AppView {
    return this.#attempts.view
  }

  get record(): AppRecord {
    return this.#record.value
  }

  get candidates(): readonly Candidate[] {
    return this.#attempts.candidates
  }

  /** @param candidates what the watched folders hold for it, the best first */
  set candidates(candidates: readonly Candidate[]) {
    this.#attempts.candidates = candidates
  }

  /** Makes what serves follow what there is. @param patient take nothing down: files may still come */
  settle(patient = false): Promise<void> {
    return this.#turns.next(() => this.#settle(patient))
  }

  /**
   * Serves what was uploaded. Of uploads that wait for their turn the last is started only (R08).
   *
   * @throws ZappError DEPLOY_SUPERSEDED; what keeps it from serving. Nothing has changed then
   */
  deploy(release: Release): Promise<{ readonly previous: VersionRecord | undefined; readonly unchanged: boolean }> {
    const { digest, version } = release
    this.#newest = digest
    return this.#turns.next(async () => {
      if (this.#newest !== digest) throw fail('DEPLOY_SUPERSEDED', this.id, { version, app: this.id })
      const { versions } = this.record
      const previous = this.#record.current
      const unchanged = await this.#serving.is(release)
      const change = { override: this.#overrideBy(release.digest, true), enabled: true }
      if (unchanged) {
        await this.#record.update(change)
        return { previous, unchanged }
      }
      if (!(await this.#attempts.one(release, change))) {
        if (!this.serving) this.#attempts.conclude(release)
        if (!this.serving && this.candidates.length === 0 && versions.length === 0) this.#record.remove()
        throw release.error
      }
      this.#attempts.conclude(release)
      return { previous, unchanged }
    })
  }

  /** @throws ZappError VERSION_UNKNOWN; what keeps it from starting */
  rollback(digest?: string): Promise<void> {
    return this.#turns.next(async () => {
      const { versions } = this.record
      const to = digest === undefined ? this.#record.previous : versions.find((one) => one.digest === digest)
      if (!to) throw fail('VERSION_UNKNOWN', this.id, { digest: digest ?? 'none before the current one' })
      const release = keptRelease(to, this.#context.store)
      const change = { override: this.#overrideBy(to.digest), enabled: true, ...WENT_BACK }
      if (await this.#serving.is(release)) await this.#record.update(change)
      else if (!(await this.#attempts.one(release, change))) throw release.error
      this.#attempts.conclude(release)
    })
  }

  /** What serves, or would, started anew. @throws ZappError */
  restart(): Promise<void> {
    return this.#turns.next(async () => {
      const { current } = this.#record
      if (!this.record.enabled || !current) return this.#startAgain()
      const release = keptRelease(current, this.#context.store)
      if (!(await this.#attempts.one(release))) throw release.error
      this.#attempts.conclude(release)
    })
  }

  /** @throws ZappError what keeps it from starting */
  start(): Promise<void> {
    return this.#turns.next(() => this.#startAgain())
  }

  stop(): Promise<void> {
    return this.#turns.next(async () => {
      await this.#record.update({ enabled: false })
      this.#endServing('it was stopped by hand')
      this.#state.set('stopped')
    })
  }

  /** Ends it and forgets its versions. Resolves when nothing of it is found any more, or what waited brought it back. */
  async remove(cause: string): Promise<void> {
    await this.#turns.next(() => this.#remove(cause))
    await this.#turns.rest()
  }

  /** Resolves when what serves no more has ended. */
  ended(): Promise<void> {
    return this.#serving.ended()
  }

  /** Ends everything; to be called when no request runs any more. */
  async close(): Promise<void> {
    this.#attempts.retries.end()
    await this.#turns.rest()
    await this.#serving.close()
  }

  get #state() {
    return this.#attempts.state
  }

  /** Nothing serves, nothing is there that could, and nothing is known of it. */
  get #isGone(): boolean {
    return !this.serving && this.candidates.length === 0 && !this.#record.isKept
  }

  async #settle(patient: boolean): Promise<void> {
    const { stopping, isEnabled } = this.#context
    if (stopping.aborted) return
    const { override, enabled } = this.record
    const holds = override && this.candidates.every(({ digest, error }) => error || override.over.includes(digest))
    if (override && !holds) await this.#record.update({ override: undefined })
    if (this.candidates.length === 0 && !override?.own && !patient) return this.#remove('its file is gone')
    if (!enabled || !isEnabled(this.id, this.view.name)) {
      this.#endServing('it is not enabled')
      return this.#state.set('stopped')
    }
    await this.#attempts.all(holds ? override.digest : undefined)
  }

  async #startAgain(): Promise<void> {
    await this.#record.update({ enabled: true })
    await this.#tryAgain()
    if (!this.serving && this.#state.error) throw this.#state.error
  }

  async #tryAgain(): Promise<void> {
    for (const candidate of this.candidates) if (candidate.manifest) candidate.error = undefined
    await this.#settle(false)
  }

  /** No process of it is left a second time. Right after the switch there is something better than to go on trying. */
  #faltered(generation: Generation, { error, since }: Faltering): void {
    if (this.#isTrial(generation, since) && this.#record.previous) this.#died(generation, error, since)
  }

  #isTrial({ liveAt = 0 }: Generation, time: number): boolean {
    return time - liveAt < this.#context.watchMs
  }

  /** It cannot be kept running: right after the switch the version before comes back, later the app is down. */
  #died(generation: Generation, error: ZappError, since = performance.now()): void {
    void this.#turns
      .next(async () => {
        if (this.serving !== generation || this.#context.stopping.aborted) return
        generation.died(error)
        const { digest } = generation.parts
        for (const candidate of this.candidates) if (candidate.digest === digest) candidate.error = error
        const before = this.#isTrial(generation, since) ? this.#record.previous : undefined
        if (before && (await this.#goBack(before, error))) return
        this.#endServing('it died')
        this.#state.set('failed', error, generation.named)
        this.#context.log({ type: 'failed', app: this.view, error, kept: false })
        this.#attempts.retries.later()
      })
      .catch((failure) => this.#trouble(failure, 'rolling back'))
  }

  async #goBack(before: VersionRecord, error: ZappError): Promise<boolean> {
    const release = keptRelease(before, this.#context.store)
    const override = { ...this.#overrideBy(before.digest), reason: error.findings[0] as Finding }
    if (!(await this.#attempts.one(release, { override, ...WENT_BACK }))) return false
    this.#attempts.conclude(release)
    this.#context.log({ type: 'rolledback', app: this.view, error })
    return true
  }

  async #remove(cause: string): Promise<void> {
    const { view, record } = this
    this.#endServing(cause)
    this.#record.remove()
    await this.#context.state.save()
    await this.#context.store.collect(record.versions.map(({ digest }) => digest))
    this.#removed ??= view
  }

  /** What was removed stays while something waits that may bring it back. */
  #rest(): void {
    const removed = this.#removed
    this.#removed = undefined
    if (!this.#isGone) return
    if (removed) this.#context.log({ type: 'removed', app: removed })
    this.#context.onRemoved(this)
  }

  #endServing(cause: string): void {
    this.#attempts.retries.end()
    this.#serving.end(cause)
  }

  /** @param own the app does not depend on a file; default: as it was */
  #overrideBy(digest: string, own = this.record.override?.own ?? false): Override {
    return { digest, over: this.candidates.map((candidate) => candidate.digest), own }
  }

  #trouble(error: unknown, where: string): void {
    this.#context.log({ type: 'error', app: this.id, name: this.view.name, error, where })
  }
}
