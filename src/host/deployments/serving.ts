import type { ZappError } from '../../errors.ts'
import type { StateChange } from '../app-view.ts'
import type { Faltering } from '../deployment.ts'
import type { AppSettings } from '../settings/app-settings.ts'
import type { AppRecord } from '../state.ts'
import { Draining } from './draining.ts'
import { Generation } from './generation.ts'
import type { Release } from './release.ts'
import type { Past, SlotContext } from './slot-context.ts'
import type { SlotRecord } from './slot-record.ts'

export interface ServingOptions {
  readonly mount: string
  readonly record: SlotRecord
  readonly context: SlotContext
  /** Another version has begun to serve. */
  readonly onSwitch: () => void
  /** What had begun to serve cannot be kept running. */
  readonly onDied: (generation: Generation, error: ZappError) => void
  /** Its processes have ended twice, and are started again. */
  readonly onFaltered: (generation: Generation, faltering: Faltering) => void
  /** Told what keeps a version from ending. */
  readonly onError: (error: unknown) => void
}

/**
 * The version that serves an app's mount, and those that it has taken over from. What serves gives way only to what has
 * come up.
 */
export class Serving {
  current: Generation | undefined
  readonly #options: ServingOptions
  readonly #draining: Draining

  constructor(options: ServingOptions) {
    this.#options = options
    this.#draining = new Draining(options.onError)
  }

  /** Versions that still end what they have begun. */
  get draining(): number {
    return this.#draining.size
  }

  /** The same bytes, with the same settings. */
  async is({ digest, candidate }: Release): Promise<boolean> {
    const { current } = this
    if (!current || current.parts.digest !== digest) return false
    const { context, record } = this.#options
    // What cannot be found out is found out again, and told, when it is started.
    const settings = await context.settingsOf(record.id, current.manifest).catch(() => undefined)
    if (JSON.stringify(settings) !== current.parts.settings) return false
    if (candidate) candidate.error = undefined
    return true
  }

  /**
   * Starts a version beside what serves, and switches.
   *
   * @param change of the record, with the switch
   * @throws what keeps it from starting; nothing has changed then
   */
  async bringUp(release: Release, change: Partial<AppRecord>): Promise<void> {
    const { context, record } = this.#options
    let generation: Generation | undefined
    try {
      generation = await this.#generation(release)
      const started = generation
      const migrated = await context.limit(() => started.start(context.stopping))
      if (migrated) await record.setMigrated(release.digest)
    } catch (error) {
      if (generation) void this.#draining.end(generation, 0, 'it did not come up')
      throw error
    }
    await this.#switch(generation, release, change)
  }

  end(cause: string): void {
    const { current } = this
    this.current = undefined
    if (!current) return
    this.#options.context.onRoutes()
    this.#draining.add(current, cause)
  }

  /** Resolves when what serves no more has ended. */
  ended(): Promise<void> {
    return this.#draining.ended()
  }

  /** Ends everything; to be called when no request runs any more. */
  async close(): Promise<void> {
    const cause = 'the host ends'
    if (this.current) void this.#draining.end(this.current, 0, cause)
    await this.#draining.close(cause)
  }

  async #generation({ open, version, digest, source }: Release): Promise<Generation> {
    const { mount, record, context } = this.#options
    const { id } = record
    const stored = await open()
    try {
      const settings = await context.settingsOf(id, stored.manifest)
      const report = (change: Omit<StateChange, 'app'>) =>
        context.log({ type: 'state', change: { ...change, app: id } })
      const { migrated, versions } = record.value
      const others = versions.filter((one) => one.digest !== digest).map((one) => context.store.fileOf(one.digest))
      const runnable = context.make(stored, { id, mount }, settings, others, this.#pastOf(digest, settings))
      const about = { version, digest, source, settings: JSON.stringify(settings) }
      return new Generation({ ...runnable, ...about, migrated: migrated.includes(digest), report })
    } catch (error) {
      await stored.release()
      throw error
    }
  }

  #pastOf(digest: string, settings: AppSettings): Past {
    const { versions, current } = this.#options.record.value
    const { current: before } = this
    if (before)
      return before.isAsleep && digest === before.parts.digest && isOtherRest(before, settings) ? 'asleep' : 'new'
    if (digest === current) return 'served'
    return versions.length === 0 ? 'first' : 'new'
  }

  async #switch(next: Generation, release: Release, change: Partial<AppRecord>): Promise<void> {
    const { record, context, onSwitch, onDied, onFaltered } = this.#options
    const before = this.current
    this.current = next
    context.onRoutes()
    onSwitch()
    next.switchedTo(before)
    void next.deployment.faltered?.then((faltering) => onFaltered(next, faltering))
    void next.deployment.died.then((error) => error && onDied(next, error))
    if (before) this.#draining.add(before, `${next.parts.version || 'another version'} took over`)
    const dropped = await record.setCurrent(release, next.manifest.name, change)
    await context.store.collect(dropped)
  }
}

/** It would start as it did, and only fall asleep sooner or later. */
function isOtherRest({ parts }: Generation, { idle, ...now }: AppSettings): boolean {
  const { idle: was, ...before } = JSON.parse(parts.settings) as AppSettings
  return idle !== was && JSON.stringify(before) === JSON.stringify(now)
}
