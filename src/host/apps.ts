import type { ZappError } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { asZappError, byPreference, type Candidate, candidate, statusOf } from './candidate.ts'
import type { Deployment } from './deployment.ts'
import type { Route } from './front.ts'
import { MountMap } from './mount-map.ts'
import type { StoredApp } from './prepare.ts'
import type { Source } from './sources.ts'
import type { AppStatus, HostEvent } from './status.ts'

export interface AppsOptions {
  readonly prepare: (source: Source) => Promise<StoredApp>
  /** Takes the stored app over: it is released when the deployment stops. */
  readonly deploy: (stored: StoredApp, mount: string) => Deployment
  /** The mount that a source gets whatever its name is. */
  readonly mountOf: (source: Source, stored: StoredApp | undefined) => string | undefined
  readonly log: (event: HostEvent) => void
  /** A mount, or what serves it, has changed. */
  readonly onRoutes: () => void
  readonly stopping: AbortSignal
}

/** How long an old version may finish what it has begun, after a new one took over: long transfers are not cut short. */
const DRAIN_MS = 30_000

/**
 * A mount for which something was found.
 *
 *     starting ──── a version comes up ────▶ live ──── its sources are gone ────▶ removed
 *        │                                   ▲  │ ▲                                  ▲
 *        └── none does ──▶ failed ───────────┘  └─┘ one that does not come up        │
 *                            │                      leaves the one that serves       │
 *                            └───────────────────────────────────────────────────────┘
 */
export interface Slot {
  readonly status: AppStatus
  readonly serving?: { readonly candidate: Candidate; readonly deployment: Deployment }
}

/** Everything that is mounted: {@link read} what there is, then {@link settle}. Calls must not overlap. */
export class Apps {
  readonly #options: AppsOptions
  readonly #candidates = new Map<string, Candidate>()
  readonly #slots = new MountMap<Slot>()
  readonly #retiring = new Set<Promise<void>>()

  constructor(options: AppsOptions) {
    this.#options = options
  }

  get statuses(): AppStatus[] {
    return this.#slots.values().map((slot) => slot.status)
  }

  get routes(): Route[] {
    return this.#slots.values().map(({ status, serving }) => {
      return { host: '', mount: status.mount, deployment: serving?.deployment }
    })
  }

  /** What is mounted at or above a path. */
  find(path: string): Slot | undefined {
    return this.#slots.find(path)
  }

  /** Of every app that could be read and was not started yet. */
  get manifests(): Manifest[] {
    return [...this.#candidates.values()].flatMap(({ stored }) => stored?.archive.manifest ?? [])
  }

  errorOf(path: string): ZappError | undefined {
    return this.#candidates.get(path)?.error
  }

  /** @param changed paths of sources to read again; what is new is read anyhow */
  async read(sources: readonly Source[], changed: ReadonlySet<string> = new Set()): Promise<void> {
    await this.#forgetAllBut(new Set(sources.map((source) => source.path)))
    for (const source of sources) {
      if (this.#options.stopping.aborted) return
      if (changed.has(source.path) || !this.#candidates.has(source.path)) await this.#read(source)
    }
  }

  /** Makes what is mounted follow what was read. */
  async settle(): Promise<void> {
    const byMount = groupByMount(this.#candidates.values())
    // A mount is known before its app is up, so that no app above it answers in the meantime.
    for (const [mount, [best]] of byMount) {
      if (!this.#slots.get(mount)) this.#slots.set(mount, { status: statusOf(best, 'starting') })
    }
    this.#options.onRoutes()
    for (const [mount, candidates] of byMount) {
      if (this.#options.stopping.aborted) return
      await this.#choose(mount, candidates.sort(byPreference) as [Candidate, ...Candidate[]])
    }
    for (const { status, serving } of this.#slots.values()) {
      if (byMount.has(status.mount)) continue
      this.#slots.delete(status.mount)
      this.#options.onRoutes()
      if (serving) this.#retire(serving.deployment, DRAIN_MS)
      this.#options.log({ type: 'removed', app: status })
    }
  }

  /** Ends everything; to be called when no request runs any more. */
  async stop(): Promise<void> {
    for (const { serving } of this.#slots.values()) if (serving) this.#retire(serving.deployment, 0)
    await Promise.all(this.#retiring)
    await this.#forgetAllBut(new Set())
  }

  async #forgetAllBut(paths: ReadonlySet<string>): Promise<void> {
    for (const [path, { stored }] of this.#candidates) {
      if (paths.has(path)) continue
      this.#candidates.delete(path)
      await stored?.release()
    }
  }

  async #read(source: Source): Promise<void> {
    const result = await this.#options.prepare(source).catch(asZappError)
    const mount = this.#options.mountOf(source, result instanceof Error ? undefined : result)
    const next = candidate(source, result, mount)
    const old = this.#candidates.get(source.path)
    // Content decides, not the date: what has the same bytes is the same.
    const same = old !== undefined && old.digest !== '' && old.digest === next.digest
    if (!same) this.#candidates.set(source.path, next)
    await (same ? next : old)?.stored?.release()
  }

  /** Lets the best candidate that comes up serve the mount. What serves already gives way only to one that does. */
  async #choose(mount: string, candidates: readonly [Candidate, ...Candidate[]]): Promise<void> {
    const serving = () => this.#slots.get(mount)?.serving
    let tried = 0
    for (const one of candidates) {
      tried++
      if ((await this.#servesAlready(one)) || (await this.#bringUp(one)) || serving()) break
    }
    const [best] = candidates
    const now = serving()
    if (!now) return this.#slots.set(mount, { status: statusOf(best, 'failed', best.error) })
    this.#slots.set(mount, { status: statusOf(now.candidate, 'live', best.error), serving: now })
    for (const other of candidates.slice(tried)) this.#leaveAside(other, now.candidate)
  }

  /** Also when the same bytes were read again, after others in between that did not come up. */
  async #servesAlready(one: Candidate): Promise<boolean> {
    const slot = this.#slots.get(one.place.mount)
    if (!slot?.serving || one.digest === '' || slot.serving.candidate.digest !== one.digest) return false
    const { stored } = one
    one.stored = undefined
    this.#slots.set(one.place.mount, { ...slot, serving: { ...slot.serving, candidate: one } })
    await stored?.release()
    return true
  }

  async #bringUp(next: Candidate): Promise<boolean> {
    const start = performance.now()
    const { mount } = next.place
    const { stored } = next
    if (!stored) return this.#failed(next)
    // From here on the copy is the deployment's to release.
    next.stored = undefined
    const deployment = this.#options.deploy(stored, mount)
    try {
      await deployment.start()
      await deployment.health(this.#options.stopping)
    } catch (error) {
      await deployment.stop(0)
      next.error = asZappError(error)
      return this.#failed(next)
    }
    const before = this.#slots.get(mount)?.serving
    const status = statusOf(next, 'live')
    this.#slots.set(mount, { status, serving: { candidate: next, deployment } })
    this.#options.onRoutes()
    this.#options.log({ type: 'live', app: status, ms: performance.now() - start })
    if (before) {
      // It gave its copy away when it was started: to come back it has to be read again.
      if (this.#candidates.get(before.candidate.source.path) === before.candidate) {
        this.#candidates.delete(before.candidate.source.path)
      }
      this.#retire(before.deployment, DRAIN_MS)
    }
    return true
  }

  #failed(next: Candidate): false {
    const { error } = next
    if (error && !next.told && !this.#options.stopping.aborted) {
      next.told = true
      const kept = this.#slots.get(next.place.mount)?.serving !== undefined
      this.#options.log({ type: 'failed', app: statusOf(next, 'failed', error), error, kept })
    }
    return false
  }

  #leaveAside(other: Candidate, by: Candidate): void {
    if (other.told) return
    other.told = true
    const [source, winner] = [other.source.path, by.source.path]
    this.#options.log({ type: 'shadowed', source, by: winner, mount: other.place.mount })
  }

  #retire(deployment: Deployment, graceMs: number): void {
    const stopped = deployment
      .stop(graceMs)
      .catch((error) => this.#options.log({ type: 'error', app: deployment.manifest.name, error, where: 'stopping' }))
      .finally(() => this.#retiring.delete(stopped))
    this.#retiring.add(stopped)
  }
}

function groupByMount(candidates: Iterable<Candidate>): Map<string, [Candidate, ...Candidate[]]> {
  const groups = new Map<string, [Candidate, ...Candidate[]]>()
  for (const one of candidates) {
    const group = groups.get(one.place.mount)
    if (group) group.push(one)
    else groups.set(one.place.mount, [one])
  }
  return groups
}
