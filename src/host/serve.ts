import { join, resolve, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fail } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { cacheLocation } from '../runtimes/cache-location.ts'
import type { LogLine } from '../runtimes/load.ts'
import type { AccessFormat } from './access-log.ts'
import { type OpenAdmin, openAdmin } from './admin/open-admin.ts'
import { Apps } from './apps.ts'
import { type AppPlace, asZappError } from './candidate.ts'
import { checkConfigNames, configFor, readEnvFile } from './config.ts'
import { createDeployment } from './create-deployment.ts'
import type { Runnable } from './deployments/app-slot.ts'
import { archiveCommands } from './deployments/run-commands.ts'
import { Events } from './events.ts'
import { findAnswer, STARTING } from './find-answer.ts'
import { trustIn } from './front/client.ts'
import { Front } from './front.ts'
import type { Host } from './host.ts'
import type { HostEvent } from './host-event.ts'
import { createLimiter } from './limiter.ts'
import { HostLogs } from './logs/host-logs.ts'
import { placeOf } from './names.ts'
import { openState } from './open-state.ts'
import type { StoredApp } from './prepare.ts'
import { RunningHost } from './running-host.ts'
import { type AppSettings, appSettings, appSource } from './settings/app-settings.ts'
import { type HostSettings, readSettings } from './settings/read-settings.ts'
import { findRoot, listSources, type Source } from './sources.ts'
import { type Watcher, watchApps } from './watch.ts'

export type { AccessRecord } from './access-log.ts'
export type { AppView } from './app-view.ts'
export type { Host } from './host.ts'
export type { HostEvent } from './host-event.ts'

export interface ServeApp {
  /** An archive, a zip with a manifest, a project folder, or a folder that holds archives and project folders. */
  readonly path: string
  /** `""`, `"/"` or `"/shop"`; not for a folder of apps. Default: the root for the only app, else by its name. */
  readonly mount?: string
}

export interface ServeOptions {
  readonly apps: readonly ServeApp[]
  /** Address to listen on. Default: the settings file's, else `127.0.0.1`. */
  readonly host?: string
  /** Default: the settings file's, else 8080; 0 takes any free one. */
  readonly port?: number
  /** Values given one by one: each reaches the apps that declare it; CONFIG_UNKNOWN when no app does. */
  readonly config?: Readonly<Record<string, string>>
  /** A file of NAME=VALUE lines. `config` wins over it; names that no app declares are left aside. */
  readonly envFile?: string
  /** A settings file (`zapp.host.json`), which wins over both. */
  readonly settings?: string
  /** The environment that settings name variables of. Default: none. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Cache folder. Default: the loader's choice. */
  readonly cache?: string
  /** Folder that gets one folder of data folders for each app, by its name. Default: the loader's choice. */
  readonly data?: string
  /**
   * State folder, of this host alone: what was deployed, its last versions, and what was done by hand are found there
   * when the host starts again. Default: none, everything is forgotten at the end.
   */
  readonly state?: string
  /** Where administrators reach the host with a browser. With a state folder they always do so by a socket in it. */
  readonly admin?: { readonly host: string; readonly port: number }
  /** Follow the files: deploy what changes and what appears, take down what disappears. Default: with a state folder. */
  readonly watch?: boolean
  /** How requests are logged. Default: the settings file's, else `zapp`. */
  readonly accessLog?: AccessFormat | 'off'
  /** How long after a switch a version that dies is rolled back, ms. Default 10,000. */
  readonly watchMs?: number
  /** Everything worth saying, as data; the caller makes text of it. Must not throw. */
  readonly log?: (event: HostEvent) => void
}

const WATCH_MS = 10_000
/** Apps that start at once: they take processors and memory from those that serve. */
const STARTERS = 4
/** A file that is still being written when the host starts is waited for so many times, about 3 seconds. */
const PATIENCE = 10

/**
 * Serves archives and project folders over HTTP/1.1. Resolves when every app was tried; one that is not up yet answers
 * 503.
 *
 * @throws ZappError PORT_IN_USE, NOT_FOUND, IO; CONFIG_UNKNOWN; CACHE_*; HOST_RUNNING, STATE_UNREADABLE; MANIFEST_* for
 * the settings file; USAGE where there is no app; and without `watch`, whatever kept an app from going live that was
 * given by its own path. One that was found in a folder, or is watched, is reported through `log` and answers 503.
 */
export async function serve(options: ServeOptions): Promise<Host> {
  const { log = () => {}, watch = options.state !== undefined } = options
  const file = options.settings === undefined ? undefined : resolve(options.settings)
  let settings = file === undefined ? undefined : await readSettings(file)
  const given = [...options.apps, ...(settings?.folders ?? []).map((path) => ({ path: within(settings, path) }))]
  const roots = await Promise.all(given.map(({ path, mount }: ServeApp) => findRoot(path, mount)))
  const fileValues = options.envFile === undefined ? {} : await readEnvFile(options.envFile)
  const cache = await cacheLocation({ cache: options.cache })
  const host = options.host ?? settings?.listen?.host ?? '127.0.0.1'
  const trust = trustIn(settings?.proxies ?? [])
  const port = options.port ?? settings?.listen?.port ?? 8080
  const { store, state, release } = await openState(options.state, cache)
  const stopping = new AbortController()
  const events = new Events()
  const logs = new HostLogs(events)
  /** The one app that was asked for, if it is one. */
  const alone = roots.length === 1 && roots[0]?.kind !== 'folder'
  /** Until the mounts are known nobody can say whose a path is; until all is up `serve` may still throw. */
  let phase: 'reading' | 'starting' | 'up' = 'reading'
  // Where an app's failure is thrown, it is not said a second time.
  events.subscribe((event) =>
    event.type === 'failed' && phase !== 'up' && isFatal(event.app.source) ? undefined : log(event),
  )

  const apps = new Apps({
    store,
    state,
    place,
    settingsOf,
    isOurs: (path) => roots.some((root) => path === root.path || path.startsWith(root.path + sep)),
    isEnabled: (id, name) => appSource(settings, id, name).enabled ?? true,
    make,
    limit: createLimiter(STARTERS),
    log: events.emit,
    onRoutes: () => front.claim(apps.routes),
    stopping: stopping.signal,
    watchMs: options.watchMs ?? WATCH_MS,
  })
  const front: Front = new Front({
    // A process that accepted connections itself would not know whom to trust.
    single: alone && !trust,
    trust,
    find: (path, method, name) =>
      phase === 'reading' ? STARTING : findAnswer(apps, hostOf(settings, name), path, method, isLoopback(host)),
    log: (record) => events.emit({ type: 'access', record, line: logs.access(record) }),
  })
  let watcher: Watcher | undefined
  let admin: OpenAdmin | undefined
  let closing: Promise<void> | undefined

  function place(source: Source, manifest: Manifest | undefined): AppPlace {
    const { mount, version } = placeOf(source.stem, manifest)
    const { host, root } = source
    const set = manifest && appSource(settings, '', manifest.name).mount
    const base = alone ? rootOr(manifest?.base) : undefined
    return { host, version, mount: root.mount ?? (set === '/' ? '' : set) ?? base ?? mount }
  }

  async function settingsOf(id: string, manifest: Manifest): Promise<AppSettings> {
    const common = configFor(manifest, { ...fileValues, ...options.config })
    // A single app is told all names, so that it can report unknown ones with everything else that it misses.
    const values = alone ? { ...common, ...options.config } : common
    const own = await appSettings(settings, { id, manifest }, values, options.env ?? {})
    return options.data === undefined ? own : { data: join(options.data, manifest.name), ...own }
  }

  function make(
    stored: StoredApp,
    { id, mount }: { id: string; mount: string },
    own: AppSettings,
    earlier: readonly string[],
  ): Runnable {
    const { name, version } = stored.archive.manifest
    const { config, data, health, workers } = own
    const common = {
      config,
      cache,
      data,
      onError: (error: unknown, where: string) => events.emit({ type: 'error', app: id, name, error, where }),
      onLog: (line: LogLine) => events.emit({ type: 'log', app: id, name, version, line }),
    }
    const app = { id, version }
    const deployment = createDeployment(stored, { mount, health, workers, earlier, ...common }, app, front)
    return { deployment, commands: archiveCommands(stored.archive, common) }
  }

  async function list(): Promise<Source[]> {
    const hosts = new Set(Object.keys(settings?.hosts ?? {}))
    const found = (await Promise.all(roots.map((root) => listSources(root, hosts)))).flat()
    return [...new Map(found.map((source) => [source.path, source])).values()]
  }

  function isFatal(source: string): boolean {
    return !watch && roots.some(({ path, kind }) => kind !== 'folder' && path === source)
  }

  async function start(): Promise<void> {
    const sources = await list()
    if (sources.length === 0 && !watch) {
      const paths = options.apps.map(({ path }) => JSON.stringify(path)).join(', ')
      throw fail('USAGE', '', { command: 'serve', problem: `there is no .zapp file and no project in ${paths}` })
    }
    await store.collect()
    let again = await apps.read(sources)
    for (let left = PATIENCE; again !== undefined && left > 0; left--) {
      await sleep(again)
      again = await apps.read(await list())
    }
    if (!alone) checkConfigNames(Object.keys(options.config ?? {}), apps.manifests)
    phase = 'starting'
    await apps.settle()
    const fatal = roots.map(({ path }) => (isFatal(path) ? apps.errorOf(path) : undefined)).find((error) => error)
    if (fatal) throw fatal
    await front.ready()
    if (!watch) return
    const trouble = (error: unknown) => events.emit({ type: 'error', app: '', name: '', error, where: 'watching' })
    watcher = await watchApps(roots, {
      async onChange(changed, restless) {
        const again = await apps.read(await list(), changed, restless)
        // Not waited for: an app that takes its time must not keep others from being noticed.
        void apps.settle().catch(trouble)
        return again
      },
      onError: trouble,
    })
  }

  async function reload(): Promise<void> {
    if (file === undefined) return
    try {
      const next = await readSettings(file)
      await logs.use(next, options.accessLog)
      settings = next
    } catch (failure) {
      events.emit({ type: 'reloaded', error: asZappError(failure) })
      throw failure
    }
    await apps.replace()
    events.emit({ type: 'reloaded' })
  }

  async function shutDown(): Promise<void> {
    stopping.abort()
    const ended = front.close()
    await watcher?.close()
    await ended
    await apps.stop()
    events.journal.close()
    await admin?.close()
    await logs.close()
    await release()
  }

  async function close({ drainMs = 10_000 }: { readonly drainMs?: number } = {}): Promise<void> {
    const timer = setTimeout(() => front.cut(), drainMs)
    closing ??= shutDown()
    await closing.finally(() => clearTimeout(timer))
  }

  try {
    await logs.use(settings, options.accessLog)
    const address = await front.listen(host, port)
    await start()
    phase = 'up'
    const running = new RunningHost({
      address: { host, port: address.port, url: urlOf(host, address.port) },
      apps,
      store,
      events,
      settingsOf,
      stopping: stopping.signal,
      reload,
      reopenLogs: () => logs.reopen(),
      close,
      admin: () => admin,
    })
    const at = options.admin ?? adminAddress(settings)
    if (options.state !== undefined) admin = await openAdmin(running, { state: resolve(options.state), at })
    return running
  } catch (error) {
    await close({ drainMs: 0 })
    throw error
  }
}

/** A build that works at one mount only goes there. */
function rootOr(base = 'any'): string {
  return base === 'any' || base === '/' ? '' : base
}

/** @param name of the field Host, in lower case */
function hostOf(settings: HostSettings | undefined, name: string | undefined): string {
  const host = name?.replace(/:[0-9]*$/, '').replace(/\.$/, '') ?? ''
  const [known] = Object.entries(settings?.hosts ?? {}).find(([, { aliases }]) => aliases?.includes(host)) ?? []
  return known ?? host
}

function adminAddress(settings: HostSettings | undefined): ServeOptions['admin'] {
  if (settings?.admin === undefined) return undefined
  const { host = '127.0.0.1', port = 8081 } = settings.admin
  return { host, port }
}

function within(settings: HostSettings | undefined, path: string): string {
  return resolve(settings?.folder ?? '', path)
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

/** An address that a browser on this machine can open. */
function urlOf(host: string, port: number): string {
  const local = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${local.includes(':') ? `[${local}]` : local}:${port}/`
}
