import { dirname, sep } from 'node:path'
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

export interface InboxOptions {
  readonly settings: CurrentSettings
  /** Whether the files are followed. */
  readonly watch: boolean
  /** Told what cannot be looked at or watched. */
  readonly onError: (error: unknown) => void
}

/** The files and folders that the host was told to serve: what is in them now, where it goes, and what becomes of it. */
export class Inbox {
  readonly #roots: readonly Root[]
  readonly #settings: CurrentSettings
  readonly #watch: boolean
  readonly #onError: (error: unknown) => void
  #watcher: Watcher | undefined
  /** What was there when it was last looked at. */
  #sources: readonly Source[] = []
  /** Paths that could not be looked at then. */
  #unreadable: ReadonlySet<string> = new Set()

  private constructor(roots: readonly Root[], { settings, watch, onError }: InboxOptions) {
    this.#roots = roots
    this.#settings = settings
    this.#watch = watch
    this.#onError = onError
  }

  /** @throws ZappError NOT_FOUND, IO, USAGE */
  static async open(apps: readonly ServeApp[], options: InboxOptions): Promise<Inbox> {
    const { settings } = options
    const folders = (settings.now?.folders ?? []).map((path): ServeApp => ({ path: settings.within(path) }))
    const asked = [...apps, ...folders]
    if (asked.length === 0) asked.push({ path: '.' })
    return new Inbox(await Promise.all(asked.map(({ path, mount }) => findRoot(path, mount))), options)
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

  /**
   * Reads everything that is there.
   * @throws ZappError USAGE where that is nothing, and nothing can come
   */
  async readInto(apps: Apps): Promise<void> {
    let again = await this.#read(apps)
    if (this.#sources.length === 0 && !this.#watch) {
      const paths = this.#roots.map(({ path }) => JSON.stringify(path)).join(', ')
      throw fail('USAGE', '', { command: 'serve', problem: `there is no .zapp file and no project in ${paths}` })
    }
    for (let left = PATIENCE; again !== undefined && left > 0; left--) {
      await sleep(again)
      again = await this.#read(apps)
    }
  }

  /** What kept an app from going live without which the host cannot start. */
  failureIn(apps: Apps): ZappError | undefined {
    return this.#roots
      .map(({ path }) => (this.isFatal(path) ? apps.errorOf(path) : undefined))
      .find((error) => error !== undefined)
  }

  /** Deploys what changes and what appears, and takes down what disappears; where files are followed. */
  async follow(apps: Apps): Promise<void> {
    if (!this.#watch) return
    const onError = this.#onError
    const { watchApps } = await import('./watch.ts')
    this.#watcher = await watchApps(this.#roots, {
      onChange: async (changed, restless) => {
        const again = await this.#read(apps, changed, restless)
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

  /** What cannot be looked at is left as it is, and must not keep the host from the others. @throws ZappError IO */
  async #read(apps: Apps, changed?: ReadonlySet<string>, restless: ReadonlySet<string> = new Set()) {
    const hosts = new Set(Object.keys(this.#settings.now?.hosts ?? {}))
    const unreadable = new Set<string>()
    const onUnreadable = (path: string, error: unknown) => {
      unreadable.add(path)
      // Once: it is looked at every few seconds.
      if (!this.#unreadable.has(path)) this.#onError(error)
    }
    const found = (await Promise.all(this.#roots.map((root) => listSources(root, hosts, onUnreadable)))).flat()
    this.#unreadable = unreadable
    const kept = this.#sources.filter(({ path }) => unreadable.has(path) || unreadable.has(dirname(path)))
    this.#sources = [...new Map([...found, ...kept].map((source) => [source.path, source])).values()]
    return apps.read(this.#sources, changed, new Set([...restless, ...kept.map(({ path }) => path)]))
  }
}

/** A build that works at one mount only goes there. */
function rootOr(base = 'any'): string {
  return base === 'any' || base === '/' ? '' : base
}
