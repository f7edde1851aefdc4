import { sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fail, type ZappError } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import type { Apps } from './apps.ts'
import type { AppPlace } from './candidate.ts'
import { placeOf } from './names.ts'
import type { ServeApp } from './serve-options.ts'
import type { CurrentSettings } from './settings/current-settings.ts'
import { findRoot, listSources, type Root, type Source } from './sources.ts'
import type { Watcher } from './watch.ts'

/** A file that is still being written when the host starts is waited for so many times, about 3 seconds. */
const PATIENCE = 10

/** The files and folders that the host was told to serve: what is in them now, where it goes, and what becomes of it. */
export class Inbox {
  readonly #roots: readonly Root[]
  readonly #settings: CurrentSettings
  /** Whether the files are followed. */
  readonly #watch: boolean
  #watcher: Watcher | undefined

  private constructor(roots: readonly Root[], settings: CurrentSettings, watch: boolean) {
    this.#roots = roots
    this.#settings = settings
    this.#watch = watch
  }

  /** @throws ZappError NOT_FOUND, IO, USAGE */
  static async open(apps: readonly ServeApp[], settings: CurrentSettings, watch: boolean): Promise<Inbox> {
    const folders = (settings.now?.folders ?? []).map((path): ServeApp => ({ path: settings.within(path) }))
    const roots = await Promise.all([...apps, ...folders].map(({ path, mount }) => findRoot(path, mount)))
    return new Inbox(roots, settings, watch)
  }

  /** Whether one app was asked for, and no folder. */
  get isAlone(): boolean {
    return this.#roots.length === 1 && this.#roots[0]?.kind !== 'folder'
  }

  /** Whether a path is one of those, or in one of them. */
  holds(path: string): boolean {
    return this.#roots.some((root) => path === root.path || path.startsWith(root.path + sep))
  }

  /** Whether the host cannot start without it: an app that was given by its own path, and that nobody may yet mend. */
  isFatal(source: string): boolean {
    return !this.#watch && this.#roots.some(({ path, kind }) => kind !== 'folder' && path === source)
  }

  place(source: Source, manifest: Manifest | undefined): AppPlace {
    const { mount, version } = placeOf(source.stem, manifest)
    const { host, root } = source
    const set = manifest && this.#settings.mountOf(manifest.name)
    const base = this.isAlone ? rootOr(manifest?.base) : undefined
    return { host, version, mount: root.mount ?? set ?? base ?? mount }
  }

  async list(): Promise<Source[]> {
    const hosts = new Set(Object.keys(this.#settings.now?.hosts ?? {}))
    const found = (await Promise.all(this.#roots.map((root) => listSources(root, hosts)))).flat()
    return [...new Map(found.map((source) => [source.path, source])).values()]
  }

  /**
   * Reads everything that is there.
   * @throws ZappError USAGE where that is nothing, and nothing can come
   */
  async readInto(apps: Apps): Promise<void> {
    const sources = await this.list()
    if (sources.length === 0 && !this.#watch) {
      const paths = this.#roots.map(({ path }) => JSON.stringify(path)).join(', ')
      throw fail('USAGE', '', { command: 'serve', problem: `there is no .zapp file and no project in ${paths}` })
    }
    let again = await apps.read(sources)
    for (let left = PATIENCE; again !== undefined && left > 0; left--) {
      await sleep(again)
      again = await apps.read(await this.list())
    }
  }

  /** What kept an app from going live without which the host cannot start. */
  failureIn(apps: Apps): ZappError | undefined {
    return this.#roots
      .map(({ path }) => (this.isFatal(path) ? apps.errorOf(path) : undefined))
      .find((error) => error !== undefined)
  }

  /** Deploys what changes and what appears, and takes down what disappears; where files are followed. */
  async follow(apps: Apps, onError: (error: unknown) => void): Promise<void> {
    if (!this.#watch) return
    const { watchApps } = await import('./watch.ts')
    this.#watcher = await watchApps(this.#roots, {
      onChange: async (changed, restless) => {
        const again = await apps.read(await this.list(), changed, restless)
        // Not waited for: an app that takes its time must not keep others from being noticed.
        void apps.settle().catch(onError)
        return again
      },
      onStir: () => apps.expect(),
      onError,
    })
  }

  async close(): Promise<void> {
    await this.#watcher?.close()
  }
}

/** A build that works at one mount only goes there. */
function rootOr(base = 'any'): string {
  return base === 'any' || base === '/' ? '' : base
}
