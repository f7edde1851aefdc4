import { type Finding, fail, ZappError } from '../../errors.ts'
import type { Manifest } from '../../format/manifest-types.ts'
import type { AppState, AppView, StateChange } from '../app-view.ts'
import { asZappError, type Candidate } from '../candidate.ts'
import type { Deployment } from '../deployment.ts'
import type { HostEvent } from '../host-event.ts'
import { idOf } from '../names.ts'
import type { StoredApp } from '../prepare.ts'
import type { AppSettings } from '../settings/app-settings.ts'
import type { AppRecord, StateFile, VersionRecord } from '../state.ts'
import type { Store } from '../store.ts'
import { Draining } from './draining.ts'
import { type Commands, Generation } from './generation.ts'
import { keptRelease, type Release, releaseOf } from './release.ts'

/** What an app is started as. */
export interface Runnable {
  readonly deployment: Deployment
  readonly commands: Commands
}

/** What all apps of a host share. */
export interface SlotContext {
  readonly store: Store
  readonly state: StateFile
  /**
   * What the app is started with; when it differs, the app has to be started anew.
   * @throws ZappError for a secret that cannot be read
   */
  readonly settingsOf: (id: string, manifest: Manifest) => Promise<AppSettings>
  /** May be started, as the host's settings say. */
  readonly isEnabled: (id: string, name: string) => boolean
  /** Takes the stored app over: it is released when the deployment stops. */
  readonly make: (
    stored: StoredApp,
    slot: { readonly id: string; readonly mount: string },
    settings: AppSettings,
    /** Archives of the other versions that are kept, the newest first. */
    earlier: readonly string[],
  ) => Runnable
  /** Bounds how many start at once. */
  readonly limit: <T>(work: () => Promise<T>) => Promise<T>
  readonly log: (event: HostEvent) => void
  /** What serves a mount has changed. */
  readonly onRoutes: () => void
  /** A slot that holds nothing any more. */
  readonly onRemoved: (slot: AppSlot) => void
  readonly stopping: AbortSignal
  /** How long after a switch a version that dies is rolled back. */
  readonly watchMs: number
}

/** The current version and those that one can go back to. */
const KEPT = 3
/** Digests, so that going back and forth migrates nothing twice. */
const MIGRATED = 20
/** Before an app that nothing serves any more is tried again: doubled each time, up to the second. */
const FIRST_RETRY_MS = 30_000
const LAST_RETRY_MS = 300_000

/**
 * One app: what serves its mount, what is tried beside it, and what it can go back to. What serves gives way only to
 * what has come up. Operations on one app run one after the other; app-view.ts draws its states.
 */
export class AppSlot {
  readonly id: string
  readonly host: string
  readonly mount: string
  /** What the watched folders hold for it, the best first. */
  candidates: readonly Candidate[] = []
  serving: Generation | undefined
  readonly #context: SlotContext
  readonly #draining = new Draining((error) => this.#trouble(error, 'stopping'))
  #queue: Promise<unknown> = Promise.resolve()
  #state: AppState = 'starting'
  #since = new Date()
  #error: ZappError | undefined
  #retry: NodeJS.Timeout | undefined
  #retryMs = FIRST_RETRY_MS

  constructor(host: string, mount: string, context: SlotContext) {
    this.id = idOf(host, mount)
    this.host = host
    this.mount = mount
    this.#context = context
  }

  get view(): AppView {
    const { record, serving } = this
    const [best] = this.candidates
    const [newest] = record.versions
    const manifest = serving?.manifest ?? best?.manifest
    return {
      id: this.id,
      name: manifest?.name ?? newest?.name ?? best?.source.stem ?? '',
      version: serving?.parts.version ?? best?.place.version ?? newest?.version ?? '',
      title: manifest?.title ?? '',
      description: manifest?.description ?? '',
      host: this.host,
      mount: this.mount,
      source: serving?.parts.source ?? best?.source.path ?? newest?.source ?? '',
      digest: serving?.parts.digest ?? '',
      state: this.#state,
      since: this.#since,
      ...(this.#error && { error: this.#error }),
      versions: record.versions.map(({ version, digest, deployedAt }) => ({
        version,
        digest,
        deployedAt: new Date(deployedAt),
        current: digest === record.current,
      })),
      draining: this.#draining.size,
      pids: serving?.pids ?? [],
    }
  }

  get record(): AppRecord {
    const { host, mount } = this
    return this.#records[this.id] ?? { host, mount, enabled: true, versions: [], current: '', migrated: [] }
  }

  get #records(): Record<string, AppRecord> {
    return this.#context.state.state.apps
  }

  /** Makes what serves follow what there is. @param patient take nothing down: files may still come */
  settle(patient = false): Promise<void> {
    return this.#next(() => this.#settle(patient))
  }

  /** Serves what was uploaded. @throws ZappError what keeps it from that; nothing has changed then */
  deploy(release: Release): Promise<{ readonly previous: VersionRecord | undefined; readonly unchanged: boolean }> {
    return this.#next(async () => {
      const { record } = this
      const previous = this.#current()
      const unchanged = await this.#serves(release)
      const override = { digest: release.digest, over: this.#fileDigests(), own: true }
      if (unchanged) {
        await this.#update({ override, enabled: true })
        return { previous, unchanged }
      }
      if (!(await this.#bringUp(release, { override, enabled: true }))) {
        if (!this.serving) this.#conclude(release)
        if (!this.serving && this.candidates.length === 0 && record.versions.length === 0) this.#leave()
        throw release.error
      }
      this.#conclude(release)
      return { previous, unchanged }
    })
  }

  /** @throws ZappError VERSION_UNKNOWN; what keeps it from starting */
  rollback(digest?: string): Promise<void> {
    return this.#next(async () => {
      const { versions, current, override } = this.record
      const at = versions.findIndex((version) => version.digest === current)
      const to = digest === undefined ? versions[at + 1] : versions.find((version) => version.digest === digest)
      if (!to) throw fail('VERSION_UNKNOWN', this.id, { digest: digest ?? 'none before the current one' })
      const release = keptRelease(to, this.#context.store)
      const own = override?.own ?? false
      const change = { override: { digest: to.digest, over: this.#fileDigests(), own }, enabled: true }
      if (await this.#serves(release)) await this.#update(change)
      else if (!(await this.#bringUp(release, change))) throw release.error
      this.#conclude(release)
    })
  }

  /** What serves, or would, started anew. @throws ZappError */
  restart(): Promise<void> {
    return this.#next(async () => {
      const current = this.#current()
      if (!this.record.enabled || !current) return this.#startAgain()
      const release = keptRelease(current, this.#context.store)
      if (!(await this.#bringUp(release))) throw release.error
      this.#conclude(release)
    })
  }

  /** @throws ZappError what keeps it from starting */
  start(): Promise<void> {
    return this.#next(() => this.#startAgain())
  }

  stop(): Promise<void> {
    return this.#next(async () => {
      await this.#update({ enabled: false })
      this.#endServing('it was stopped by hand')
      this.#set('stopped')
    })
  }

  /** Ends it and forgets its versions. */
  remove(cause: string): Promise<void> {
    return this.#next(() => this.#remove(cause))
  }

  /** Ends everything; to be called when no request runs any more. */
  async close(): Promise<void> {
    this.#endRetries()
    await this.#queue.catch(() => {})
    if (this.serving) this.#draining.end(this.serving, 0, 'the host ends')
    await this.#draining.close('the host ends')
  }

  /** One after the other. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.catch(() => {}).then(work)
    this.#queue = done
    return done
  }

  async #settle(patient: boolean): Promise<void> {
    const { store, stopping, isEnabled } = this.#context
    if (stopping.aborted) return
    const { override, enabled, versions, current } = this.record
    const holds = override && this.candidates.every(({ digest, error }) => error || override.over.includes(digest))
    if (override && !holds) await this.#update({ override: undefined })
    if (this.candidates.length === 0 && !override?.own && !patient) return this.#remove('its file is gone')
    if (!enabled || !isEnabled(this.id, this.view.name)) {
      this.#endServing('it is not enabled')
      return this.#set('stopped')
    }
    const kept = (digest: string) =>
      versions.filter((version) => version.digest === digest).map((version) => keptRelease(version, store))
    const found = this.candidates.map((candidate) => releaseOf(candidate, store))
    const wanted = [...(holds ? kept(override.digest) : []), ...found, ...kept(current)]
    const untried = new Set(this.candidates)
    for (const release of wanted) {
      if (stopping.aborted) return
      if (release.candidate) untried.delete(release.candidate)
      if ((await this.#serves(release)) || (await this.#bringUp(release)) || this.serving) break
    }
    this.#conclude(wanted[0])
    if (!holds) for (const candidate of untried) this.#leaveAside(candidate)
  }

  #leaveAside(candidate: Candidate): void {
    if (candidate.told || !this.serving) return
    candidate.told = true
    const [source, by] = [candidate.source.path, this.serving.parts.source]
    this.#context.log({ type: 'shadowed', source, by, mount: this.mount })
  }

  async #startAgain(): Promise<void> {
    await this.#update({ enabled: true })
    for (const candidate of this.candidates) if (candidate.manifest) candidate.error = undefined
    await this.#settle(false)
    if (!this.serving && this.#error) throw this.#error
  }

  /** The same bytes, with the same settings. */
  async #serves({ digest, candidate }: Release): Promise<boolean> {
    const { serving } = this
    if (!serving || serving.parts.digest !== digest) return false
    // What cannot be found out is found out again, and told, when it is started.
    const settings = await this.#context.settingsOf(this.id, serving.manifest).catch(() => undefined)
    if (JSON.stringify(settings) !== serving.parts.settings) return false
    if (candidate) candidate.error = undefined
    return true
  }

  /** @param change of the record, with the switch */
  async #bringUp(release: Release, change: Partial<AppRecord> = {}): Promise<boolean> {
    if (release.error) return this.#failed(release, release.error)
    const begun = performance.now()
    let generation: Generation | undefined
    try {
      generation = await this.#generation(release)
      const started = generation
      const migrated = await this.#context.limit(() => started.start(this.#context.stopping))
      if (migrated) await this.#update({ migrated: [release.digest, ...this.record.migrated].slice(0, MIGRATED) })
    } catch (error) {
      if (generation) this.#draining.end(generation, 0, 'it did not come up')
      release.error = asZappError(error)
      return this.#failed(release, release.error)
    }
    await this.#switch(generation, release, change)
    this.#context.log({ type: 'live', app: this.view, ms: performance.now() - begun })
    return true
  }

  async #generation({ open, version, digest, source }: Release): Promise<Generation> {
    const { settingsOf, make, store } = this.#context
    const stored = await open()
    try {
      const settings = await settingsOf(this.id, stored.archive.manifest)
      const report = (change: Omit<StateChange, 'app'>) =>
        this.#context.log({ type: 'state', change: { ...change, app: this.id } })
      const migrated = this.record.migrated.includes(digest)
      const others = this.record.versions.filter((one) => one.digest !== digest)
      const runnable = make(
        stored,
        this,
        settings,
        others.map((one) => store.fileOf(one.digest)),
      )
      const about = { version, digest, source, settings: JSON.stringify(settings) }
      return new Generation({ ...runnable, ...about, migrated, report })
    } catch (error) {
      await stored.release()
      throw error
    }
  }

  async #switch(next: Generation, release: Release, change: Partial<AppRecord>): Promise<void> {
    const before = this.serving
    this.serving = next
    this.#context.onRoutes()
    this.#set(this.#state === 'starting' ? 'live' : this.#state)
    next.switchedTo(before)
    void next.deployment.died.then((error) => error && this.#died(next, error))
    if (before) this.#draining.add(before, `${next.parts.version || 'another version'} took over`)
    const { digest, version } = release
    const { name } = next.manifest
    const kept = this.record.versions.filter((one) => one.digest !== digest)
    const known = this.record.versions.find((one) => one.digest === digest)
    const entry = known ?? { digest, name, version, deployedAt: new Date().toISOString(), source: release.source }
    // What was gone back to keeps its place: the order is that of the first deployments.
    const versions = known ? this.record.versions : [entry, ...kept].slice(0, KEPT)
    const dropped = kept.filter((one) => !versions.includes(one)).map((one) => one.digest)
    await this.#update({ ...change, versions, current: digest })
    await this.#context.store.collect(dropped)
  }

  /** It cannot be kept running: right after the switch the version before comes back, later the app is down. */
  #died(generation: Generation, error: ZappError): void {
    void this.#next(async () => {
      if (this.serving !== generation || this.#context.stopping.aborted) return
      generation.died(error)
      const { digest } = generation.parts
      const recent = Date.now() - (generation.liveSince?.getTime() ?? 0) < this.#context.watchMs
      const { versions, override } = this.record
      const before = versions[versions.findIndex((version) => version.digest === digest) + 1]
      for (const { candidate } of this.#releases()) if (candidate?.digest === digest) candidate.error = error
      if (recent && before) {
        const release = keptRelease(before, this.#context.store)
        const own = override?.own ?? false
        const reason: Finding = error.findings[0] as Finding
        const change = { override: { digest: before.digest, over: this.#fileDigests(), own, reason } }
        if (await this.#bringUp(release, change)) {
          this.#conclude(release)
          this.#context.log({ type: 'rolledback', app: this.view, error })
          return
        }
      }
      this.#endServing('it died')
      this.#set('failed', error)
      this.#context.log({ type: 'failed', app: this.view, error, kept: false })
      this.#retryLater()
    }).catch((failure) => this.#trouble(failure, 'rolling back'))
  }

  /** The state after an attempt. @param first what should serve */
  #conclude(first: Release | undefined): void {
    const [best] = this.candidates
    const { override } = this.record
    const passedOver = best && override?.over.includes(best.digest)
    const reason = override?.reason && new ZappError(override.reason)
    const error = first?.error ?? (passedOver ? undefined : best?.error) ?? reason
    if (!this.serving) this.#set('failed', error)
    else this.#set(error ? 'degraded' : 'live', error)
    if (this.serving) {
      this.#endRetries()
      this.#retryMs = FIRST_RETRY_MS
    } else if (best?.manifest || this.record.current) {
      this.#retryLater()
    }
  }

  /** What it waits for, a database for instance, may come. */
  #retryLater(): void {
    if (this.#retry) return
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.start().catch(() => {})
    }, this.#retryMs)
    this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS)
  }

  #endRetries(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
  }

  #failed({ candidate }: Release, error: ZappError): false {
    if (candidate?.told || this.#context.stopping.aborted) return false
    if (candidate) candidate.told = true
    const app = { ...this.view, error, ...(candidate && aboutOf(candidate)) }
    this.#context.log({ type: 'failed', app, error, kept: this.serving !== undefined })
    return false
  }

  async #remove(cause: string): Promise<void> {
    this.#endRetries()
    const { view, record } = this
    this.#endServing(cause)
    this.#leave()
    await this.#context.state.save()
    await this.#context.store.collect(record.versions.map(({ digest }) => digest))
    this.#context.log({ type: 'removed', app: view })
  }

  #leave(): void {
    delete this.#records[this.id]
    this.#context.onRemoved(this)
  }

  #endServing(cause: string): void {
    this.#endRetries()
    const { serving } = this
    this.serving = undefined
    if (!serving) return
    this.#context.onRoutes()
    this.#draining.add(serving, cause)
  }

  async #update(change: { readonly [K in keyof AppRecord]?: AppRecord[K] | undefined }): Promise<void> {
    const { override, ...rest } = { ...this.record, ...change } as AppRecord
    const next = override ? { ...rest, override } : rest
    // As after every start of the host: nothing has to be written.
    if (JSON.stringify(next) === JSON.stringify(this.#records[this.id])) return
    this.#records[this.id] = next
    await this.#context.state.save().catch((error) => this.#trouble(error, 'saving the state'))
  }

  #set(state: AppState, error?: ZappError): void {
    const changed = state !== this.#state
    if (changed) this.#since = new Date()
    this.#state = state
    this.#error = error
    // Where nothing serves, the front has to say so.
    if (changed) this.#context.onRoutes()
  }

  #current(): VersionRecord | undefined {
    return this.record.versions.find(({ digest }) => digest === this.record.current)
  }

  #fileDigests(): string[] {
    return this.candidates.map(({ digest }) => digest)
  }

  #releases(): Release[] {
    return this.candidates.map((candidate) => releaseOf(candidate, this.#context.store))
  }

  #trouble(error: unknown, where: string): void {
    this.#context.log({ type: 'error', app: this.id, name: this.view.name, error, where })
  }
}

function aboutOf({ source, manifest, place }: Candidate): Partial<AppView> {
  return { source: source.path, name: manifest?.name ?? source.stem, version: place.version }
}
