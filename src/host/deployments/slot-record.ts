import { idOf } from '../names.ts'
import type { AppRecord, HostState, StateFile, VersionRecord } from '../state.ts'
import type { Release } from './release.ts'

/** The current version and those that one can go back to. */
const KEPT = 3
/** Digests, so that going back and forth migrates nothing twice. */
const MIGRATED = 20

type Change = { readonly [K in keyof AppRecord]?: AppRecord[K] | undefined }

/** What the state file knows of one app. */
export class SlotRecord {
  readonly id: string
  readonly #empty: AppRecord
  readonly #state: StateFile
  readonly #onError: (error: unknown) => void

  /** @param onError told where the state cannot be saved */
  constructor(host: string, mount: string, state: StateFile, onError: (error: unknown) => void) {
    this.id = idOf(host, mount)
    this.#empty = { host, mount, enabled: true, versions: [], current: '', migrated: [] }
    this.#state = state
    this.#onError = onError
  }

  get value(): AppRecord {
    return this.#all[this.id] ?? this.#empty
  }

  /** Anything is known of it. */
  get isKept(): boolean {
    return this.#all[this.id] !== undefined
  }

  /** What serves, or would. */
  get current(): VersionRecord | undefined {
    return this.value.versions.find(({ digest }) => digest === this.value.current)
  }

  /** What served before the current one; where it was gone back to, what was deployed before it. */
  get previous(): VersionRecord | undefined {
    const { versions, current, previous } = this.value
    const served = versions.find(({ digest }) => digest === previous)
    return served ?? versions[versions.findIndex(({ digest }) => digest === current) + 1]
  }

  async update(change: Change): Promise<void> {
    const { override, ...rest } = { ...this.value, ...change } as AppRecord
    const next = override ? { ...rest, override } : rest
    // As after every start of the host: nothing has to be written.
    if (JSON.stringify(next) === JSON.stringify(this.#all[this.id])) return
    this.#all[this.id] = next
    await this.#state.save().catch(this.#onError)
  }

  async setMigrated(digest: string): Promise<void> {
    await this.update({ migrated: [digest, ...this.value.migrated].slice(0, MIGRATED) })
  }

  /** @returns digests of versions that are kept no more */
  async setCurrent({ digest, version, source }: Release, name: string, change: Change): Promise<string[]> {
    const { versions: all, current } = this.value
    const previous = digest === current ? this.value.previous : current
    const known = all.some((one) => one.digest === digest)
    const entry = { digest, name, version, deployedAt: new Date().toISOString(), source }
    // What was gone back to keeps its place: the order is that of the first deployments.
    const versions = known ? all : newest([entry, ...all], previous)
    await this.update({ previous, ...change, versions, current: digest })
    return all.filter((one) => !versions.includes(one)).map((one) => one.digest)
  }

  /** Forgets the app. The caller saves. */
  remove(): void {
    delete this.#all[this.id]
  }

  get #all(): HostState['apps'] {
    return this.#state.state.apps
  }
}

/** As many as are kept. What served stays, in place of a newer one that was given up. */
function newest(versions: readonly VersionRecord[], served: string | undefined): VersionRecord[] {
  const older = versions.slice(KEPT).filter(({ digest }) => digest === served)
  return [...versions.slice(0, KEPT - older.length), ...older]
}
