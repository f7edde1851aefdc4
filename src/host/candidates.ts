import { asZappError, type Finding, ZappError } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import type { AppPlace, Candidate } from './candidate.ts'
import { openKept } from './deployments/release.ts'
import { FailedFiles } from './failed-files.ts'
import type { HostEvent } from './host-event.ts'
import { createLimiter } from './limiter.ts'
import { takeIn } from './prepare.ts'
import { isZip, type Source, stampAt } from './sources.ts'
import type { AppRecord, StateFile } from './state.ts'
import { hashFile, type Store, type StoredFile } from './store.ts'

export interface CandidatesOptions {
  readonly store: Store
  readonly state: StateFile
  /** Where a source goes. */
  readonly place: (source: Source, manifest: Manifest | undefined) => AppPlace
  readonly log: (event: HostEvent) => void
  readonly stopping: AbortSignal
}

/** An app that is gone for shorter than this is being replaced: editors and some copiers do so (R15). */
const GONE_MS = 1000
/** Before what changed while it was copied is copied again. */
const AGAIN_MS = 300
/** Hashing and inflating run on threads, of which Node has four. */
const READERS = 4
/** A file that changed so shortly before it was hashed may have changed again within one tick of the system's clock. */
const TICK_MS = 1000

/**
 * What the host was given to serve, read into its store. A path is taken for what its bytes are: dates decide nothing, they
 * only say when to look at the bytes again (R17).
 */
export class Candidates {
  /** Something was read, or forgotten, that nobody has acted on yet. */
  changed = true
  readonly #options: CandidatesOptions
  readonly #candidates = new Map<string, Candidate>()
  /** When a path was found missing first. */
  readonly #missing = new Map<string, number>()
  readonly #failedFiles = new FailedFiles()
  readonly #limit = createLimiter(READERS)

  constructor(options: CandidatesOptions) {
    this.#options = options
  }

  get all(): Candidate[] {
    return [...this.#candidates.values()]
  }

  /** What was found at a path. */
  at(path: string): Candidate | undefined {
    return this.#candidates.get(path)
  }

  /**
   * Calls must not overlap.
   *
   * @param changed paths of which it was told that they changed: projects are read again, what is missing was there
   * @param restless paths that change right now: they are left for later
   * @returns ms after which it has to be called again, because something is being replaced or written
   */
  async read(
    sources: readonly Source[],
    changed: ReadonlySet<string>,
    restless: ReadonlySet<string>,
  ): Promise<number | undefined> {
    const again: number[] = []
    const isSeen = (path: string) => changed.has(path) || restless.has(path)
    const there = new Set(sources.map(({ path }) => path))
    for (const path of [...this.#candidates.keys()].filter((path) => !there.has(path))) {
      const left = this.#missingFor(path, isSeen(path))
      if (left > 0) again.push(left)
      else await this.forget(path)
    }
    await Promise.all(
      sources.map((source) =>
        this.#limit(async () => {
          const isGone = source.kind === 'archive' && !source.stamp
          const left = isGone ? this.#missingFor(source.path, isSeen(source.path)) : 0
          if (left > 0 && this.#candidates.has(source.path)) {
            again.push(left)
            return
          }
          if (!isGone) this.#missing.delete(source.path)
          if (this.#options.stopping.aborted || restless.has(source.path) || !this.#isNew(source, changed)) return
          if (!(await this.#read(source))) again.push(AGAIN_MS)
        }),
      ),
    )
    if (this.changed) await this.#options.state.save()
    return again.length > 0 ? Math.min(...again) : undefined
  }

  /** After a change of settings: places are found anew. */
  replace(): void {
    for (const [path, one] of this.#candidates) {
      const { error, manifest } = one
      // What could not start may be able to now.
      const place = this.#placeOf(one.source, manifest)
      const next = { ...one, place, error: manifest ? undefined : error }
      this.#candidates.set(path, { ...next, told: next.error !== undefined })
    }
    this.changed = true
  }

  /** As if the file had never been there: the same bytes, copied there again, are deployed. */
  async forget(path: string): Promise<void> {
    const one = this.#candidates.get(path)
    this.changed = true
    this.#candidates.delete(path)
    this.#missing.delete(path)
    delete this.#options.state.state.inbox[path]
    await this.#failedFiles.forget(path)
    await one?.held?.release()
  }

  /** Says beside each file why it was refused. In folders only: what was named on the command line is told there. */
  async tellFiles(candidates: readonly Candidate[]): Promise<void> {
    for (const { source, error } of candidates) {
      if (source.kind === 'archive' && source.root.kind === 'folder') await this.#failedFiles.update(source.path, error)
    }
  }

  async close(): Promise<void> {
    for (const { held } of this.#candidates.values()) await held?.release()
    this.#candidates.clear()
  }

  #missingFor(path: string, wasSeen: boolean): number {
    const now = performance.now()
    const since = wasSeen ? now : (this.#missing.get(path) ?? now)
    this.#missing.set(path, since)
    return since + GONE_MS - now
  }

  #isNew({ path, stamp }: Source, changed: ReadonlySet<string>): boolean {
    const known = this.#candidates.get(path)
    if (!known) return true
    if (!stamp || !known.source.stamp) return changed.has(path) || Boolean(stamp) !== Boolean(known.source.stamp)
    return known.source.stamp.text !== stamp.text || stamp.changedMs > known.hashedMs - TICK_MS
  }

  /** @returns false where the file changed meanwhile */
  async #read(source: Source): Promise<boolean> {
    const { stopping } = this.#options
    const old = this.#candidates.get(source.path)
    const hashedMs = Date.now()
    // Most often only a date has changed: then there is nothing to copy.
    if (old?.held && source.stamp && !isZip(source)) {
      const same = (await hashFile(source.path).catch(() => '')) === old.digest.slice('sha256:'.length)
      if (same) {
        this.#keep({ ...old, source, hashedMs })
        return true
      }
    }
    const next = await this.#candidate(source, hashedMs)
    const isStill = !source.stamp || (await stampAt(source.path)) === source.stamp.text
    if (stopping.aborted || !isStill) {
      await next.held?.release()
      return stopping.aborted
    }
    // Content decides: what has the same bytes is the same.
    const same = old !== undefined && old.digest !== '' && old.digest === next.digest
    await (same ? next : old)?.held?.release()
    this.#keep(same ? { ...old, source, hashedMs } : next)
    return true
  }

  #keep(one: Candidate): void {
    const { path, stamp } = one.source
    const known = this.#candidates.get(path)
    // The slot that has it must see the same object: what is found out about it later is written into it.
    if (known?.digest === one.digest && known.digest !== '')
      Object.assign(known, { source: one.source, hashedMs: one.hashedMs })
    else {
      this.#candidates.set(path, one)
      this.changed = true
    }
    if (stamp && one.manifest) {
      this.#options.state.state.inbox[path] = { stamp: stamp.text, hashedMs: one.hashedMs, digest: one.digest }
    }
  }

  async #candidate(source: Source, hashedMs: number): Promise<Candidate> {
    const { store, log } = this.#options
    let digest = ''
    try {
      const warn = (finding: Finding) => log({ type: 'warned', app: '', name: source.path, finding })
      const stored = (await this.#known(source)) ?? (await takeIn(source, store, this.#options.stopping, warn))
      digest = stored.digest
      if (isZip(source)) log({ type: 'repacked', source: source.path })
      const held = await store.hold(digest)
      await stored.release()
      const opened = await openKept(digest, store).catch(async (error) => {
        await held?.release()
        throw error
      })
      const { manifest } = opened
      await opened.release()
      const place = this.#placeOf(source, manifest)
      return { source, place, manifest, digest, hashedMs, held, error: undefined, told: false }
    } catch (failure) {
      const error = about(source.path, asZappError(failure))
      return {
        source,
        place: this.#placeOf(source, undefined),
        manifest: undefined,
        digest,
        hashedMs,
        held: undefined,
        error,
        told: false,
      }
    }
  }

  /** What cannot be read is taken for another version of what was there: that goes on serving then. */
  #placeOf(source: Source, manifest: Manifest | undefined): AppPlace {
    const { place, state } = this.#options
    if (manifest) return place(source, manifest)
    return this.at(source.path)?.place ?? lastPlaceOf(source.path, state) ?? place(source, undefined)
  }

  /** A file that is as it was when the host ran before, and in the store. */
  async #known({ path, stamp }: Source): Promise<StoredFile | undefined> {
    const record = this.#options.state.state.inbox[path]
    if (!record || !stamp || record.stamp !== stamp.text || stamp.changedMs > record.hashedMs - TICK_MS)
      return undefined
    return this.#options.store.hold(record.digest)
  }
}

/** Next steps name the file: whoever reads them may be far from it. */
function about(file: string, { findings, cause }: ZappError): ZappError {
  const [first, ...others] = findings.map((found) => ({ ...found, args: { file, ...found.args } }))
  return new ZappError(first!, [first!, ...others], { cause })
}

/** Where what was found at a path served, when the host ran before. */
function lastPlaceOf(path: string, { state }: StateFile): AppPlace | undefined {
  const newestOf = ({ versions }: AppRecord) => versions.find(({ source }) => source === path)
  const record = Object.values(state.apps).find(newestOf)
  return record && { host: record.host, mount: record.mount, version: newestOf(record)?.version ?? '' }
}
