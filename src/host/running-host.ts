import { rm } from 'node:fs/promises'
import { diffArchives } from '../archive/diff.ts'
import { fail } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { dataLocation } from '../runtimes/cache-location.ts'
import { unmetNeeds } from '../runtimes/unmet-needs.ts'
import type { AppView, VersionView } from './app-view.ts'
import type { Apps } from './apps.ts'
import type { AppSlot } from './deployments/app-slot.ts'
import { openKept, type Release } from './deployments/release.ts'
import type { Events } from './events.ts'
import { HOST_HONOURS } from './honours.ts'
import type {
  Address,
  AdminAddress,
  DeployInput,
  DeployOptions,
  DeployPlan,
  DeployResult,
  Host,
  LogEntry,
  LogOptions,
} from './host.ts'
import type { HostEvent } from './host-event.ts'
import type { AppMetrics } from './metrics.ts'
import { idOf, placeOf } from './names.ts'
import { openStored, type StoredApp, takeIn } from './prepare.ts'
import type { AppSettings } from './settings/app-settings.ts'
import { stemOf } from './sources.ts'
import type { Store, StoredFile } from './store.ts'

export interface HostParts {
  readonly address: Address
  readonly apps: Apps
  readonly store: Store
  readonly events: Events
  readonly settingsOf: (id: string, manifest: Manifest) => Promise<AppSettings>
  readonly stopping: AbortSignal
  reload(): Promise<void>
  reopenLogs(): Promise<void>
  close(options?: { readonly drainMs?: number }): Promise<void>
  admin(): AdminAddress | undefined
}

/** How long what was planned stays in the store. */
const PLAN_MS = 15 * 60_000

/** {@link Host}, on top of the parts that serve. */
export class RunningHost implements Host {
  readonly address: Address
  readonly since = new Date()
  readonly #parts: HostParts
  readonly #planned = new Map<string, { readonly stored: StoredFile; readonly timer: NodeJS.Timeout }>()

  constructor(parts: HostParts) {
    this.#parts = parts
    this.address = parts.address
  }

  get apps(): readonly AppView[] {
    return this.#parts.apps.views
  }

  get ready(): boolean {
    return !this.#parts.stopping.aborted
  }

  get admin(): AdminAddress | undefined {
    return this.#parts.admin()
  }

  app(app: string): AppView {
    return this.#parts.apps.named(app).view
  }

  async deploy(input: DeployInput, options: DeployOptions = {}): Promise<DeployResult> {
    const { apps, store } = this.#parts
    const held = await this.#take(input)
    try {
      const { archive, release } = await this.#open(held)
      await release()
      const begun = performance.now()
      const { host, mount, version } = placeFor(archive.manifest, options)
      const { digest } = held
      const it: Release = { digest, version, source: '', error: undefined, open: () => openKept(digest, store) }
      const slot = apps.slotAt(host, mount)
      const { previous, unchanged } = await slot.deploy(it)
      const app = slot.view
      const views = app.versions
      const deployed = views.find((one) => one.digest === digest) as VersionView
      const before = previous && views.find((one) => one.digest === previous.digest)
      return { app, deployed, ...(before && { previous: before }), unchanged, ms: performance.now() - begun }
    } finally {
      await held.release()
    }
  }

  async plan(input: DeployInput, options: DeployOptions = {}): Promise<DeployPlan> {
    const { apps, store, settingsOf } = this.#parts
    const held = await this.#take(input)
    try {
      const { archive, release } = await this.#open(held)
      try {
        const { manifest } = archive
        const { host, mount, version } = placeFor(manifest, options)
        const id = idOf(host, mount)
        const slot = apps.slots.find((one) => one.id === id)
        const live = slot?.view.versions.find(({ current }) => current)
        const { config } = await settingsOf(id, manifest)
        const plan = { id, name: manifest.name, version, digest: held.digest }
        const findings = await unmetNeeds(archive, { mount, config, honours: HOST_HONOURS })
        await this.#keepPlanned(held.digest)
        if (!live) return { ...plan, findings }
        const before = await openKept(live.digest, store)
        try {
          return { ...plan, live, diff: await diffArchives(before.archive, archive), findings }
        } finally {
          await before.release()
        }
      } finally {
        await release()
      }
    } finally {
      await held.release()
    }
  }

  async undeploy(app: string, { keepData = true }: { readonly keepData?: boolean } = {}): Promise<void> {
    const slot = this.#parts.apps.named(app)
    const fixed = slot.candidates.find(({ source }) => source.kind !== 'archive' || source.root.kind !== 'folder')
    if (fixed) throw fail('APP_FIXED', slot.id, { source: fixed.source.path })
    const { view } = slot
    const manifest = slot.serving?.manifest ?? slot.candidates[0]?.manifest
    for (const { source } of slot.candidates) {
      await removeFile(source.path)
      await this.#parts.apps.forget(source.path)
    }
    slot.candidates = []
    await slot.remove('it was undeployed')
    if (keepData) return
    const settings = manifest && (await this.#parts.settingsOf(view.id, manifest))
    await rm(settings?.data ?? (await dataLocation(view.name)), { recursive: true, force: true })
  }

  stop(app: string): Promise<AppView> {
    return this.#with(app, (slot) => slot.stop())
  }

  start(app: string): Promise<AppView> {
    return this.#with(app, (slot) => slot.start())
  }

  restart(app: string): Promise<AppView> {
    return this.#with(app, (slot) => slot.restart())
  }

  rollback(app: string, digest?: string): Promise<AppView> {
    return this.#with(app, (slot) => slot.rollback(digest))
  }

  logs(app: string, options: LogOptions = {}): AsyncIterable<LogEntry> {
    const { apps, events } = this.#parts
    return events.journal.read(apps.named(app).id, options)
  }

  metrics(): ReadonlyMap<string, AppMetrics> {
    const { apps, events } = this.#parts
    return new Map(apps.views.map(({ id, name }) => [id, events.countersOf(id).read(name)]))
  }

  subscribe(listener: (event: HostEvent) => void): () => void {
    return this.#parts.events.subscribe(listener)
  }

  reload(): Promise<void> {
    return this.#parts.reload()
  }

  reopenLogs(): Promise<void> {
    return this.#parts.reopenLogs()
  }

  async close(options?: { readonly drainMs?: number }): Promise<void> {
    for (const digest of this.#planned.keys()) await this.#dropPlanned(digest)
    await this.#parts.close(options)
  }

  async #with(app: string, work: (slot: AppSlot) => Promise<void>): Promise<AppView> {
    const slot = this.#parts.apps.named(app)
    await work(slot)
    return slot.view
  }

  async #take(input: DeployInput): Promise<StoredFile> {
    const { store, stopping } = this.#parts
    if ('stream' in input) return store.receive(input.stream)
    if ('path' in input) return takeIn({ path: input.path, kind: 'archive' }, store, stopping)
    const held = await store.hold(input.digest)
    if (held) return held
    throw fail('NOT_FOUND', '', { file: input.digest })
  }

  /** Its own hold, so that what was taken stays when it cannot be read. */
  async #open(held: StoredFile): Promise<StoredApp> {
    const { store } = this.#parts
    const own = await store.hold(held.digest)
    if (!own) throw fail('NOT_FOUND', '', { file: held.digest })
    return openStored(own, store)
  }

  async #keepPlanned(digest: string): Promise<void> {
    await this.#dropPlanned(digest)
    const stored = await this.#parts.store.hold(digest)
    if (!stored) return
    const timer = setTimeout(() => void this.#dropPlanned(digest), PLAN_MS).unref()
    this.#planned.set(digest, { stored, timer })
  }

  async #dropPlanned(digest: string): Promise<void> {
    const planned = this.#planned.get(digest)
    this.#planned.delete(digest)
    clearTimeout(planned?.timer)
    await planned?.stored.release()
  }
}

function placeFor(manifest: Manifest, { name, path, version, host = '' }: DeployOptions) {
  const place = placeOf(name === undefined ? manifest.name : stemOf(name), manifest)
  const mount = path === undefined ? place.mount : path === '/' ? '' : path
  return { host, mount, version: version ?? place.version }
}

async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true })
  } catch (error) {
    throw fail('IO', path, { operation: 'removing the archive', reason: (error as Error).message }, error)
  }
}
