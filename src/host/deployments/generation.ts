import type { ZappError } from '../../errors.ts'
import type { Manifest } from '../../format/manifest-types.ts'
import { messageOf } from '../app-error.ts'
import type { StateChange, VersionState } from '../app-view.ts'
import type { Deployment } from '../deployment.ts'
import type { Named } from './release.ts'

/** Background processes and one-shot commands of a version. */
export interface Commands {
  /** Runs `lifecycle.migrate`. @throws ZappError MIGRATE_FAILED */
  migrate(signal: AbortSignal): Promise<void>
  /** Starts the background processes, and keeps them running. */
  start(): void
  /** Ends them. Idempotent. */
  stop(): Promise<void>
  readonly pids: readonly number[]
}

export interface GenerationParts {
  readonly deployment: Deployment
  readonly commands: Commands
  /** What it was started as: the `##` of a file's name, else the manifest's. */
  readonly version: string
  readonly digest: string
  /** The file or folder that it came from; `""` for an upload. */
  readonly source: string
  /** Says which settings it was started with. */
  readonly settings: string
  /** Its migration ran before. */
  readonly migrated: boolean
  readonly report: (change: Omit<StateChange, 'app'>) => void
}

/**
 * One version of an app while it has processes.
 *
 *                start()                                    switchedTo()
 *     checked ───────────▶ migrating ───▶ starting ─ healthy ─────────▶ live ───▶ draining ───▶ stopped
 *                              │             │                          │ │  switched away, or stop()
 *                              └───▶ failed ◀┴──────── died ────────────┘ │ ▲
 *                                                                         ▼ │
 *                                                            idle: sleeping ─ a request
 *
 * The migration comes first, as a release phase: many programs refuse to start on a database that is not theirs yet.
 * The version that serves goes on meanwhile, so a migration must leave the old one able to work.
 */
export class Generation {
  readonly parts: GenerationParts
  /** When traffic was switched to it, as performance.now() tells; undefined before. */
  liveAt: number | undefined
  #state: VersionState | '' = ''
  #background: Promise<void> = Promise.resolve()
  #stopped: Promise<void> | undefined

  constructor(parts: GenerationParts) {
    this.parts = parts
    if (parts.deployment.rest) parts.deployment.rest.onTurn = (cause) => this.#turned(cause)
    this.#change('checked', 'every byte of the archive was checked')
  }

  get manifest(): Manifest {
    return this.parts.deployment.manifest
  }

  get named(): Named {
    const { version, source } = this.parts
    return { name: this.manifest.name, version, source }
  }

  get deployment(): Deployment {
    return this.parts.deployment
  }

  /** It serves, and its first request has yet to start it. */
  get isAsleep(): boolean {
    return this.parts.deployment.rest?.isAsleep ?? false
  }

  get pids(): readonly number[] {
    return [...this.parts.deployment.pids, ...this.parts.commands.pids]
  }

  /**
   * Brings it up to where it could serve. @returns whether a migration ran
   * @throws ZappError what keeps it from that; it still has to be stopped
   */
  async start(signal: AbortSignal): Promise<boolean> {
    const { deployment, commands, migrated } = this.parts
    const migrates = this.manifest.migrate !== undefined && !migrated
    try {
      if (migrates) {
        this.#change('migrating', 'the archive asks for it')
        await commands.migrate(signal)
      }
      this.#change('starting', migrates ? 'the migration succeeded' : 'it is checked')
      await deployment.start(signal)
      await deployment.health(signal)
      return migrates
    } catch (error) {
      this.#change('failed', messageOf(error))
      throw error
    }
  }

  /** Traffic goes here from now on. @param before what served: its background processes end before these begin */
  switchedTo(before: Generation | undefined): void {
    this.liveAt = performance.now()
    if (this.isAsleep) this.#change('sleeping', 'its first request starts it')
    else this.#change('live', this.manifest.health ? 'the health check passed' : 'it accepts requests')
    this.#background = (async () => {
      await before?.endBackground()
      if (!this.#stopped) this.parts.commands.start()
    })()
  }

  async endBackground(): Promise<void> {
    await this.#background
    await this.parts.commands.stop()
  }

  died(error: ZappError): void {
    this.#change('failed', messageOf(error))
  }

  /** Lets it end what it has begun for at most `graceMs`; a later call can only shorten that. Never rejects. */
  stop(graceMs: number, cause: string, onError: (error: unknown) => void): Promise<void> {
    if (this.#state === 'live' || this.#state === 'sleeping') this.#change('draining', cause)
    const ended = this.parts.deployment.stop(graceMs).catch(onError)
    this.#stopped ??= Promise.all([ended, this.endBackground().catch(onError)]).then(() => {
      if (this.#state === 'draining') this.#change('stopped', 'all it had begun has ended')
    })
    return this.#stopped
  }

  #turned(cause: string): void {
    // One that drains may still wake, for those who wait.
    if (this.#state === 'live' || this.#state === 'sleeping') this.#change(this.isAsleep ? 'sleeping' : 'live', cause)
  }

  #change(to: VersionState, cause: string): void {
    const { version, digest, report } = this.parts
    const from = this.#state
    this.#state = to
    report({ time: new Date(), name: this.manifest.name, version, digest, from, to, cause })
  }
}
