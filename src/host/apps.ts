import { fail, type ZappError } from '../errors.ts'
import { hint } from '../format/did-you-mean.ts'
import type { Manifest } from '../format/manifest-types.ts'
import type { AppView } from './app-view.ts'
import { type AppPlace, asZappError, byPreference, type Candidate } from './candidate.ts'
import { AppSlot, type SlotContext } from './deployments/app-slot.ts'
import { openKept } from './deployments/release.ts'
import { FailedFiles } from './failed-files.ts'
import type { Route } from './front.ts'
import { createLimiter } from './limiter.ts'
import { MountMap } from './mount-map.ts'
import { idOf } from './names.ts'
import { takeIn } from './prepare.ts'
import { isZip, type Source, stampAt } from './sources.ts'
import { hashFile, type StoredFile } from './store.ts'

export interface AppsOptions extends Omit<SlotContext, 'onRemoved'> {
  /** Where a source goes. */
  readonly place: (source: Source, manifest: Manifest | undefined) => AppPlace
  /** Whether a path is one that this host was told to serve, or in a folder that it was. */
  readonly isOurs: (path: string) => boolean
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
 * Everything that is mounted: {@link read} what there is, then {@link settle}. Calls of `read` must not overlap.
 *
 * A path is taken for what its bytes are: dates decide nothing, they only say when to look at the bytes again (R17).
 */
export class Apps {
  readonly #options: AppsOptions
  readonly #context: SlotContext
  readonly #candidates = new Map<string, Candidate>()
  /** When a path was found missing first. */
  readonly #missing = new Map<string, number>()
  readonly #hosts = new Map<string, MountMap<AppSlot>>()
  readonly #failedFiles = new FailedFiles()
  readonly #limit = createLimiter(READERS)
  /** Something was read, or forgotten, that no slot knows yet. */
  #changed = true
  #patient = true

  constructor(options: AppsOptions) {
    this.#options = options
    this.#context = {
      ...options,
      onRemoved: (slot) => {
        this.#hosts.get(slot.host)?.delete(slot.mount)
        options.onRoutes()
      },
    }
    for (const { host, mount } of Object.values(options.state.state.apps)) this.slotAt(host, mount)
  }

  get slots(): AppSlot[] {
    return [...this.#hosts].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, mounts]) => mounts.values())
  }

  get views(): AppView[] {
    return this.slots.map((slot) => slot.view)
  }

  get routes(): Route[] {
    return this.slots.map(({ host, mount, serving, view }) => {
      return { host, mount, deployment: serving?.deployment, failed: !serving && view.state !== 'starting' }
    })
  }

  /**
   * What is mounted at or above a path. A virtual host has its own apps only.
   * @param host as the client named it, without the port
   */
  find(host: string, path: string): AppSlot | undefined {
    return (this.#hosts.get(host) ?? this.#hosts.get(''))?.find(path)
  }

  /** The apps that a host name reaches. */
  on(host: string): AppView[] {
    return (this.#hosts.get(host) ?? this.#hosts.get(''))?.values().map((slot) => slot.view) ?? []
  }

  /** @throws ZappError APP_UNKNOWN */
  named(app: string): AppSlot {
    const { slots } = this
    const byName = slots.filter((slot) => slot.view.name === app)
    const found = slots.find((slot) => slot.id === app) ?? (byName.length === 1 ? byName[0] : undefined)
    if (found) return found
    const ids = slots.map(({ id }) => id)
    const several = ` (several have this name: ${byName.map(({ id }) => id).join(', ')})`
    throw fail('APP_UNKNOWN', '', { app, hint: byName.length > 1 ? several : hint(app, ids) })
  }

  /** Made where there is none. */
  slotAt(host: string, mount: string): AppSlot {
    const mounts = this.#hosts.get(host) ?? new MountMap<AppSlot>()
    this.#hosts.set(host, mounts)
    const slot = mounts.get(mount) ?? new AppSlot(host, mount, this.#context)
    mounts.set(mount, slot)
    return slot
  }

  /** Of every app that could be read. */
  get manifests(): Manifest[] {
    return [...this.#candidates.values()].flatMap(({ manifest }) => manifest ?? [])
  }

  errorOf(path: string): ZappError | undefined {
    return this.#candidates.get(path)?.error
  }

  /**
   * @param changed paths of which it was told that they changed: projects are read again, what is missing was there
   * @param restless paths that change right now: they are left for later
   * @returns ms after which it has to be called again, because something is being replaced or written
   */
  async read(
    sources: readonly Source[],
    changed: ReadonlySet<string> = new Set(),
    restless: ReadonlySet<string> = new Set(),
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
    if (this.#changed) await this.#options.state.save()
    return again.length > 0 ? Math.min(...again) : undefined
  }

  /** Makes what is mounted follow what was read. Resolves when every app was tried. */
  async settle(): Promise<void> {
    if (!this.#changed) return
    // At first nothing is taken down: a file may be missing for a moment only.
    const patient = this.#patient
    this.#changed = patient
    this.#patient = false
    const byId = new Map<string, Candidate[]>()
    for (const one of this.#candidates.values()) {
      const id = idOf(one.place.host, one.place.mount)
      byId.set(id, [...(byId.get(id) ?? []), one])
      // A mount is known before its app is up, so that no app above it answers in the meantime.
      this.slotAt(one.place.host, one.place.mount)
    }
    this.#options.onRoutes()
    await Promise.all(
      this.slots.map(async (slot) => {
        slot.candidates = (byId.get(slot.id) ?? []).sort(byPreference)
        const mayCome = patient && this.#options.isOurs(slot.view.source)
        await slot.settle(mayCome).catch((error) => {
          this.#options.log({ type: 'error', app: slot.id, name: slot.view.name, error, where: 'deploying' })
        })
        await this.#tellFiles(slot.candidates)
      }),
    )
  }

  /** After a change of settings: places are found anew. */
  async replace(): Promise<void> {
    for (const [path, one] of this.#candidates) {
      const { error, manifest } = one
      // What could not start may be able to now.
      const next = { ...one, place: this.#options.place(one.source, manifest), error: manifest ? undefined : error }
      this.#candidates.set(path, { ...next, told: next.error !== undefined })
    }
    this.#changed = true
    await this.settle()
  }

  /** Ends everything; to be called when no request runs any more. */
  async stop(): Promise<void> {
    await Promise.all(this.slots.map((slot) => slot.close()))
    for (const { held } of this.#candidates.values()) await held?.release()
    this.#candidates.clear()
  }

  #missingFor(path: string, wasSeen: boolean): number {
    const now = performance.now()
    const since = wasSeen ? now : (this.#missing.get(path) ?? now)
    this.#missing.set(path, since)
    return since + GONE_MS - now
  }

  /** As if the file had never been there: the same bytes, copied there again, are deployed. */
  async forget(path: string): Promise<void> {
    const one = this.#candidates.get(path)
    this.#changed = true
    this.#candidates.delete(path)
    this.#missing.delete(path)
    delete this.#options.state.state.inbox[path]
    await this.#failedFiles.forget(path)
    await one?.held?.release()
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
      this.#changed = true
    }
    if (stamp && one.manifest) {
      this.#options.state.state.inbox[path] = { stamp: stamp.text, hashedMs: one.hashedMs, digest: one.digest }
    }
  }

  async #candidate(source: Source, hashedMs: number): Promise<Candidate> {
    const { store, place, log } = this.#options
    let digest = ''
    try {
      const stored = (await this.#known(source)) ?? (await takeIn(source, store, this.#options.stopping))
      digest = stored.digest
      if (isZip(source)) log({ type: 'repacked', source: source.path })
      const held = await store.hold(digest)
      await stored.release()
      const opened = await openKept(digest, store).catch(async (error) => {
        await held?.release()
        throw error
      })
      const { manifest } = opened.archive
      await opened.release()
      return { source, place: place(source, manifest), manifest, digest, hashedMs, held, error: undefined, told: false }
    } catch (failure) {
      const error = asZappError(failure)
      return {
        source,
        place: place(source, undefined),
        manifest: undefined,
        digest,
        hashedMs,
        held: undefined,
        error,
        told: false,
      }
    }
  }

  /** A file that is as it was when the host ran before, and in the store. */
  async #known({ path, stamp }: Source): Promise<StoredFile | undefined> {
    const record = this.#options.state.state.inbox[path]
    if (!record || !stamp || record.stamp !== stamp.text || stamp.changedMs > record.hashedMs - TICK_MS)
      return undefined
    return this.#options.store.hold(record.digest)
  }

  /** In folders only: what was named on the command line is told there. */
  async #tellFiles(candidates: readonly Candidate[]): Promise<void> {
    for (const { source, error } of candidates) {
      if (source.kind === 'archive' && source.root.kind === 'folder') await this.#failedFiles.update(source.path, error)
    }
  }
}
