import { join } from 'node:path'
import { fail } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { cacheLocation } from '../runtimes/cache-location.ts'
import { Apps } from './apps.ts'
import { checkConfigNames, configFor, readEnvFile } from './config.ts'
import { createDeployment } from './create-deployment.ts'
import { findAnswer, STARTING } from './find-answer.ts'
import { Front } from './front.ts'
import type { InProcessOptions } from './in-process.ts'
import { prepare } from './prepare.ts'
import { findRoot, isZip, listSources, type Root, type Source } from './sources.ts'
import type { AppStatus, HostEvent } from './status.ts'
import { openStore } from './store.ts'
import { type Watcher, watchApps } from './watch.ts'

export type { AccessRecord } from './access-log.ts'
export type { AppStatus, HostEvent } from './status.ts'

export interface ServeApp {
  /** An archive, a zip with a manifest, a project folder, or a folder that holds archives and project folders. */
  readonly path: string
  /** `""`, `"/"` or `"/shop"`; not for a folder of apps. Default: the root for the only app, else by its name. */
  readonly mount?: string
}

export interface ServeOptions {
  readonly apps: readonly ServeApp[]
  /** Address to listen on. Default `127.0.0.1`. */
  readonly host?: string
  /** Default 8080; 0 takes any free one. */
  readonly port?: number
  /** Values given one by one: each reaches the apps that declare it; CONFIG_UNKNOWN when no app does. */
  readonly config?: Readonly<Record<string, string>>
  /** A file of NAME=VALUE lines. `config` wins over it; names that no app declares are left aside. */
  readonly envFile?: string
  /** Cache folder. Default: the loader's choice. */
  readonly cache?: string
  /** Folder that gets one folder of data folders for each app, by its name. Default: the loader's choice. */
  readonly data?: string
  /** Follow the files: reload what changes, add what appears, take down what disappears. */
  readonly watch?: boolean
  /** Everything worth saying, as data; the caller makes text of it. Must not throw. */
  readonly log?: (event: HostEvent) => void
}

export interface Host {
  /** `url` ends in "/". */
  readonly address: { readonly host: string; readonly port: number; readonly url: string }
  /** As they are now, by mount. */
  readonly apps: readonly AppStatus[]
  /**
   * Stops accepting, lets running requests finish for at most `drainMs` (default 10,000), then ends what is left.
   * A further call may shorten the wait: 0 ends everything at once.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>
}

/**
 * Serves archives and project folders over HTTP/1.1. Resolves when every app was tried; one that is not up yet answers
 * 503.
 *
 * @throws ZappError PORT_IN_USE, NOT_FOUND, IO; CONFIG_UNKNOWN; CACHE_*; USAGE where there is no app; and without
 * `watch`, whatever kept an app from going live that was given by its own path. One that was found in a folder, or is
 * watched, is reported through `log` and answers 503.
 */
export async function serve(options: ServeOptions): Promise<Host> {
  const { host = '127.0.0.1', port = 8080, watch = false, log = () => {} } = options
  const roots = await Promise.all(options.apps.map(({ path, mount }) => findRoot(path, mount)))
  const fileValues = options.envFile === undefined ? {} : await readEnvFile(options.envFile)
  const cache = await cacheLocation({ cache: options.cache })
  const store = await openStore(cache)
  const stopping = new AbortController()
  /** The one app that was asked for, if it is one. */
  const alone = roots.length === 1 && roots[0]?.kind !== 'folder'
  /** Until the mounts are known nobody can say whose a path is; until all is up `serve` may still throw. */
  let phase: 'reading' | 'starting' | 'up' = 'reading'

  const apps = new Apps({
    async prepare(source) {
      const stored = await prepare(source, store, stopping.signal)
      if (isZip(source)) log({ type: 'repacked', source: source.path })
      return stored
    },
    deploy: (stored, mount) =>
      createDeployment(stored, { mount, cache, ...settingsFor(stored.archive.manifest) }, front),
    mountOf: ({ root }, stored) => root.mount ?? (alone ? rootOr(stored?.archive.manifest.base) : undefined),
    // Where an app's failure is thrown, it is not said a second time.
    log: (event) => (event.type === 'failed' && phase !== 'up' && isFatal(event.app.source) ? undefined : log(event)),
    onRoutes: () => front.claim(apps.routes),
    stopping: stopping.signal,
  })
  const front: Front = new Front({
    find: (path, method) => (phase === 'reading' ? STARTING : findAnswer(apps, path, method, isLoopback(host))),
    log: (record) => log({ type: 'access', record }),
  })
  let watcher: Watcher | undefined
  let closing: Promise<void> | undefined

  function settingsFor(manifest: Manifest): Pick<InProcessOptions, 'config' | 'data' | 'onError' | 'onLog'> {
    const given = configFor(manifest, { ...fileValues, ...options.config })
    return {
      // A single app is told all names, so that it can report unknown ones with everything else that it misses.
      config: alone ? { ...given, ...options.config } : given,
      data: options.data === undefined ? undefined : join(options.data, manifest.name),
      onError: (error, where) => log({ type: 'error', app: manifest.name, error, where }),
      onLog: (line) => log({ type: 'log', app: manifest.name, line }),
    }
  }

  function isFatal(source: string): boolean {
    return !watch && roots.some(({ path, kind }) => kind !== 'folder' && path === source)
  }

  async function start(): Promise<void> {
    const sources = await listAll(roots)
    if (sources.length === 0 && !watch) {
      const paths = options.apps.map(({ path }) => JSON.stringify(path)).join(', ')
      throw fail('USAGE', '', { command: 'serve', problem: `there is no .zapp file and no project in ${paths}` })
    }
    await apps.read(sources)
    if (!alone) checkConfigNames(Object.keys(options.config ?? {}), apps.manifests)
    phase = 'starting'
    await apps.settle()
    const fatal = roots.map(({ path }) => (isFatal(path) ? apps.errorOf(path) : undefined)).find((error) => error)
    if (fatal) throw fatal
    if (!watch) return
    watcher = await watchApps(roots, {
      async onChange(changed) {
        await apps.read(await listAll(roots), changed)
        await apps.settle()
      },
      onError: (error) => log({ type: 'error', app: '', error, where: 'watching' }),
    })
  }

  async function shutDown(): Promise<void> {
    stopping.abort()
    const ended = front.close()
    await watcher?.close()
    await ended
    await apps.stop()
    await store.close()
  }

  async function close({ drainMs = 10_000 }: { readonly drainMs?: number } = {}): Promise<void> {
    const timer = setTimeout(() => front.cut(), drainMs)
    closing ??= shutDown()
    await closing.finally(() => clearTimeout(timer))
  }

  try {
    const address = await front.listen(host, port)
    await start()
    phase = 'up'
    return {
      address: { host, port: address.port, url: urlOf(host, address.port) },
      get apps() {
        return apps.statuses
      },
      close,
    }
  } catch (error) {
    await close({ drainMs: 0 })
    throw error
  }
}

/** A build that works at one mount only goes there. */
function rootOr(base = 'any'): string {
  return base === 'any' || base === '/' ? '' : base
}

async function listAll(roots: readonly Root[]): Promise<Source[]> {
  const found = (await Promise.all(roots.map(listSources))).flat()
  return [...new Map(found.map((source) => [source.path, source])).values()]
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

/** An address that a browser on this machine can open. */
function urlOf(host: string, port: number): string {
  const local = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${local.includes(':') ? `[${local}]` : local}:${port}/`
}
