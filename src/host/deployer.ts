import { fail, quote } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { judgeMount } from '../format/mount-path.ts'
import type { VersionView } from './app-view.ts'
import type { Apps } from './apps.ts'
import { openKept, type Release } from './deployments/release.ts'
import { HOST_HONOURS } from './honours.ts'
import type { DeployInput, DeployOptions, DeployPlan, DeployResult } from './host.ts'
import { idOf, isVersion, placeOf, VERSION_RULE } from './names.ts'
import { openStored, type StoredApp, takeIn } from './prepare.ts'
import type { AppSettings } from './settings/app-settings.ts'
import { stemOf } from './sources.ts'
import type { Store, StoredFile } from './store.ts'

export interface DeployerParts {
  readonly apps: Apps
  readonly store: Store
  readonly settingsOf: (id: string, manifest: Manifest) => Promise<AppSettings>
  /** Whether a name can be that of a virtual host. */
  readonly isHost: (name: string) => boolean
  readonly stopping: AbortSignal
}

/** How long what was planned stays in the store. */
const PLAN_MS = 15 * 60_000

/** Takes archives that were sent to the host, and deploys them or tells what that would do. */
export class Deployer {
  readonly #parts: DeployerParts
  readonly #planned = new Map<string, { readonly stored: StoredFile; readonly timer: NodeJS.Timeout }>()

  constructor(parts: DeployerParts) {
    this.#parts = parts
  }

  /** See Host.deploy. */
  async deploy(input: DeployInput, options: DeployOptions = {}): Promise<DeployResult> {
    this.#check(options)
    const { apps, store } = this.#parts
    const held = await this.#take(input)
    try {
      const { manifest, release } = await this.#open(held)
      await release()
      const begun = performance.now()
      const { host, mount, version } = placeFor(manifest, options)
      const { digest } = held
      const open = () => openKept(digest, store)
      const it: Release = { digest, name: manifest.name, version, source: '', error: undefined, open }
      this.#checkKnown(idOf(host, mount), digest, options.version)
      const slot = apps.slots.at(host, mount)
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

  /** See Host.plan. */
  async plan(input: DeployInput, options: DeployOptions = {}): Promise<DeployPlan> {
    this.#check(options)
    const { apps, store, settingsOf } = this.#parts
    const held = await this.#take(input)
    try {
      const stored = await this.#open(held)
      try {
        const { manifest } = stored
        const { host, mount, version } = placeFor(manifest, options)
        const id = idOf(host, mount)
        const slot = apps.slots.all.find((one) => one.id === id)
        const live = slot?.view.versions.find(({ current }) => current)
        const { config } = await settingsOf(id, manifest)
        const plan = { id, name: manifest.name, version, digest: held.digest }
        const { unmetNeeds } = await import('../runtimes/unmet-needs.ts')
        const archive = await stored.archive()
        const findings = await unmetNeeds(archive, { mount, config, honours: HOST_HONOURS })
        await this.#keepPlanned(held.digest)
        if (!live) return { ...plan, findings }
        const before = await openKept(live.digest, store)
        try {
          const { diffArchives } = await import('../archive/diff.ts')
          return { ...plan, live, diff: await diffArchives(await before.archive(), archive), findings }
        } finally {
          await before.release()
        }
      } finally {
        await stored.release()
      }
    } finally {
      await held.release()
    }
  }

  /** Lets go of what was planned. */
  async close(): Promise<void> {
    for (const digest of this.#planned.keys()) await this.#dropPlanned(digest)
  }

  /**
   * Before anything is taken in. Nobody could reach an app on another virtual host.
   * @throws ZappError HOST_NAME, MOUNT_PATH, ADMIN_REQUEST
   */
  #check({ host = '', path = '', version }: DeployOptions): void {
    if (host !== '' && !this.#parts.isHost(host)) throw fail('HOST_NAME', '', { got: host })
    judgeMount(path)
    if (version !== undefined) checkVersion(version)
  }

  /** A version is known by its bytes: they have one name. @throws ZappError ADMIN_REQUEST */
  #checkKnown(id: string, digest: string, version: string | undefined): void {
    const slot = this.#parts.apps.slots.all.find((one) => one.id === id)
    const known = slot?.view.versions.find((one) => one.digest === digest)
    if (!known || version === undefined || known.version === version) return
    const what = `these bytes are version ${known.version} at ${id} already`
    throw fail('ADMIN_REQUEST', '', { problem: `"version" must be that of the bytes: ${what}, got ${quote(version)}` })
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

/** @throws ZappError MOUNT_PATH, ADMIN_REQUEST */
function placeFor(manifest: Manifest, { name, path, version, host = '' }: DeployOptions) {
  const place = placeOf(name === undefined ? manifest.name : stemOf(name), manifest)
  const chosen = version ?? place.version
  checkVersion(chosen)
  return { host, mount: judgeMount(path ?? place.mount), version: chosen }
}

/** It stands in logs, lists and metrics. @throws ZappError ADMIN_REQUEST */
function checkVersion(version: string): void {
  if (isVersion(version)) return
  throw fail('ADMIN_REQUEST', '', { problem: `"version" must be ${VERSION_RULE}, got ${quote(version)}` })
}
