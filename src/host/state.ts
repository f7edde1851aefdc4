import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Finding, fail } from '../errors.ts'
import { flush } from './store.ts'

/** What a host knows when it starts again. */
export interface HostState {
  readonly schema: 1
  /** By id. */
  readonly apps: Record<string, AppRecord>
  /** Files of the watched folders as they were when they were read last, by path. */
  readonly inbox: Record<string, FileRecord>
}

export interface AppRecord {
  readonly host: string
  readonly mount: string
  /** Started; false after it was stopped by hand. */
  readonly enabled: boolean
  /** The newest first. */
  readonly versions: readonly VersionRecord[]
  /** Digest of what serves; `""` where nothing did. */
  readonly current: string
  /** Digest of what served when the current one was deployed; absent or `""` where nothing did, or it was gone back to. */
  readonly previous?: string
  readonly override?: Override
  /** Digests whose `lifecycle.migrate` has succeeded. */
  readonly migrated: readonly string[]
}

export interface VersionRecord {
  readonly digest: string
  readonly name: string
  readonly version: string
  /** ISO 8601. */
  readonly deployedAt: string
  /** The file or folder that it came from; `""` for an upload. */
  readonly source: string
}

/** An upload or a rollback: it decides until the watched folder brings bytes that it did not hold then. */
export interface Override {
  readonly digest: string
  readonly over: readonly string[]
  /** The app does not depend on a file: it was uploaded. */
  readonly own: boolean
  /** Why a version was left by itself. */
  readonly reason?: Finding
}

export interface FileRecord {
  readonly stamp: string
  /** When it was hashed, ms since the epoch. */
  readonly hashedMs: number
  readonly digest: string
}

/** The state of a host, in memory and, where it has a file, on disk. */
export class StateFile {
  readonly state: HostState
  readonly #file: string | undefined
  #writing: Promise<void> | undefined
  #next: Promise<void> | undefined

  /**
   * @param file made when it is saved first; without one everything is forgotten at the end
   * @throws ZappError STATE_UNREADABLE
   */
  static async open(file?: string): Promise<StateFile> {
    return new StateFile(file, file === undefined ? undefined : await read(file))
  }

  private constructor(file: string | undefined, state: HostState = { schema: 1, apps: {}, inbox: {} }) {
    this.#file = file
    this.state = state
  }

  /** Resolves when what the state was at the time of the call is on disk. Calls in between are written as one. */
  save(): Promise<void> {
    if (this.#file === undefined) return Promise.resolve()
    if (!this.#writing) {
      this.#writing = this.#write(this.#file).finally(() => {
        this.#writing = undefined
      })
      return this.#writing
    }
    this.#next ??= this.#writing
      .catch(() => {})
      .then(() => {
        this.#next = undefined
        return this.save()
      })
    return this.#next
  }

  /** What is read after a crash is what was there before or after the rename, never a part of it. */
  async #write(file: string): Promise<void> {
    const text = JSON.stringify(this.state, null, 1)
    const temporary = `${file}.new`
    try {
      const handle = await open(temporary, 'w', 0o600)
      try {
        await handle.writeFile(text)
        await handle.sync()
      } finally {
        await handle.close()
      }
      await rename(temporary, file)
      await flush(dirname(file))
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {})
      throw fail('IO', file, { operation: 'saving the state of the host', reason: (error as Error).message }, error)
    }
  }
}

async function read(file: string): Promise<HostState | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw fail('STATE_UNREADABLE', file, { file, reason: (error as Error).message }, error)
  }
  try {
    const state = JSON.parse(text) as HostState
    if (state.schema === 1) return state
    throw new Error(`its schema is ${JSON.stringify(state.schema)}, this version reads 1`)
  } catch (error) {
    throw fail('STATE_UNREADABLE', file, { file, reason: (error as Error).message }, error)
  }
}
