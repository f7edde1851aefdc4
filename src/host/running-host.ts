import { rm } from 'node:fs/promises'
import { fail } from '../errors.ts'
import { AppData } from './app-data.ts'
import type { AppView } from './app-view.ts'
import { Deployer, type DeployerParts } from './deployer.ts'
import type { AppSlot } from './deployments/app-slot.ts'
import type { Events } from './events.ts'
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

export interface HostParts extends DeployerParts {
  readonly events: Events
  listeners(): Host['listeners']
  certificates(): Host['certificates']
  refusedConnections(): number
  reload(): Promise<void>
  reopenLogs(): Promise<void>
  close(options?: { readonly drainMs?: number }): Promise<void>
  admin(): AdminAddress | undefined
}

/** {@link Host}, on top of the parts that serve. */
export class RunningHost implements Host {
  readonly since = new Date()
  readonly #parts: HostParts
  readonly #deployer: Deployer

  constructor(parts: HostParts) {
    this.#parts = parts
    this.#deployer = new Deployer(parts)
  }

  get address(): Address {
    const { listeners } = this
    const { host, port, url } = (listeners.find(({ isRedirect }) => !isRedirect) ?? listeners[0]) as Address
    return { host, port, url }
  }

  get certificates(): Host['certificates'] {
    return this.#parts.certificates()
  }

  get refusedConnections(): number {
    return this.#parts.refusedConnections()
  }

  get listeners(): Host['listeners'] {
    return this.#parts.listeners()
  }

  get apps(): readonly AppView[] {
    return this.#parts.apps.slots.all.map(({ view }) => view)
  }

  get ready(): boolean {
    return !this.#parts.stopping.aborted
  }

  get admin(): AdminAddress | undefined {
    return this.#parts.admin()
  }

  app(app: string): AppView {
    return this.#parts.apps.slots.named(app).view
  }

  deploy(input: DeployInput, options?: DeployOptions): Promise<DeployResult> {
    return this.#deployer.deploy(input, options)
  }

  plan(input: DeployInput, options?: DeployOptions): Promise<DeployPlan> {
    return this.#deployer.plan(input, options)
  }

  async undeploy(app: string, { keepData = true }: { readonly keepData?: boolean } = {}): Promise<void> {
    const slot = this.#parts.apps.slots.named(app)
    const fixed = slot.candidates.find(({ source }) => source.kind !== 'archive' || source.root.kind !== 'folder')
    if (fixed) throw fail('APP_FIXED', slot.id, { source: fixed.source.path })
    const data = keepData ? undefined : await AppData.of(slot, this.#parts)
    for (const { source } of slot.candidates) {
      await removeFile(source.path)
      await this.#parts.apps.forget(source.path)
    }
    slot.candidates = []
    await slot.remove('it was undeployed')
    if (!data) return
    await slot.ended()
    await data.drop()
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
    return events.journal.read(apps.slots.named(app).id, options)
  }

  metrics(): ReadonlyMap<string, AppMetrics> {
    const { apps, events } = this.#parts
    return new Map(apps.slots.all.map(({ view: { id, name } }) => [id, events.countersOf(id).read(name)]))
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
    await this.#deployer.close()
    await this.#parts.close(options)
  }

  async #with(app: string, work: (slot: AppSlot) => Promise<void>): Promise<AppView> {
    const slot = this.#parts.apps.slots.named(app)
    await work(slot)
    return slot.view
  }
}

async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true })
  } catch (error) {
    throw fail('IO', path, { operation: 'removing the archive', reason: (error as Error).message }, error)
  }
}
