import { resolve } from 'node:path'
import type { Archive } from '../archive/archive.ts'
import { type BuildInfo, parseBuildInfo } from '../archive/build-info.ts'
import { openJudged } from '../archive/judged-archive.ts'
import { openCache, type RunTree } from '../cache/cache.ts'
import { throwIfErrors } from '../errors.ts'
import type { Limits } from '../format/limits.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { judgeMount } from '../format/mount-path.ts'
import { createMount, type Mount } from '../mount/mount.ts'
import { type App, type AppParts, createApp } from './app.ts'
import { cacheLocation, dataLocation } from './cache-location.ts'
import { resolveConfig } from './config.ts'
import { thisProcess, withPython } from './container.ts'
import { openEarlier } from './earlier.ts'
import { runsInProcess } from './entry-kinds.ts'
import type { EntryWatch } from './entry-watch.ts'
import { findConflicts, type Variables } from './environment.ts'
import { checkInterpreters } from './interpreters.ts'
import type { LogLine } from './log-lines.ts'
import { checkNeeds } from './needs.ts'
import type { ProcessLimits } from './process-limits.ts'
import { startEntries } from './start-entries.ts'

export type { App, CloseOptions } from './app.ts'
export type { LogLine } from './log-lines.ts'

export interface LoadOptions {
  /** `""` (default, `"/"` means the same) or `/shop`, without a slash at the end. */
  readonly mount?: string
  /** Values for the manifest's `config`. They win over the environment, which wins over the manifest's defaults. */
  readonly config?: Readonly<Record<string, string>>
  /** Cache folder. Default: `/var/cache/zapp` for root or a service user, else the user's cache folder. */
  readonly cache?: string
  /** Folder of the app's data folders. Default: `zapp/<name>` in `/var/lib` or in the user's state folder. */
  readonly data?: string
  readonly limits?: Partial<Limits>
  /**
   * Told about errors of the app and of damaged content. The request is answered 500 where that is still possible.
   * Must not throw.
   */
  readonly onError?: (error: unknown, where: string) => void
  /** Told every line that programs of `server` entries print, and CGI scripts on their standard error. Must not throw. Default: nobody is told. */
  readonly onLog?: (line: LogLine) => void
  /** Keys that the caller sees to, and the app is not to be refused for: `lifecycle.migrate`, `processes`. */
  readonly honours?: readonly string[]
  /**
   * Archives of earlier versions, the newest first: files that a route with `cache: "immutable"` lacks are looked up
   * there. One that cannot be opened is left out.
   */
  readonly earlier?: readonly string[]
}

/**
 * Opens, checks and starts an app in this process. An {@link Archive} that is given stays the caller's to close.
 *
 * @throws ZappError what opening an archive throws; MOUNT_PATH; every unmet need at once (NEED_*, CONFIG_*, MOUNT_BASE,
 * ENTRY_RUNTIME, UNSUPPORTED_KEY); CACHE_*; IO; ENTRY_LOAD and ENTRY_EXPORT, the app's own error as their `cause`;
 * ENTRY_START and SERVER_EXPOSED
 */
export async function loadApp(input: string | URL | Uint8Array | Archive, options: LoadOptions = {}): Promise<App> {
  return open(input, options)
}

/** What only a host can see to. */
export interface HostedOptions extends LoadOptions {
  readonly processLimits?: ProcessLimits | undefined
  /** How entries of Python are run, each key instead of the manifest's. */
  readonly workers?: Manifest['workers'] | undefined
  /** The interpreter for them, and no other. Default: that of ZAPP_PYTHON; without it, what PATH has. */
  readonly python?: string | undefined
  readonly watch?: EntryWatch | undefined
  /** Default false. */
  readonly closesIdle?: AppParts['closesIdle']
}

/**
 * Loads an app as {@link loadApp} does, for a host: entries of Python run too, in worker processes. They open the archive
 * by its path, so it has to stay there until the app is closed.
 */
export function loadHosted(input: string | Archive, options: HostedOptions): Promise<App> {
  return open(input, options, true)
}

async function open(input: string | URL | Uint8Array | Archive, options: HostedOptions, hosted = false): Promise<App> {
  const isOpen = isArchive(input)
  const archive = isOpen ? input : await openAnew(input, options, hosted)
  const close = async () => (isOpen ? undefined : archive.close())
  try {
    return await load(archive, { ...options, file: hosted ? archive.file : undefined, close })
  } catch (error) {
    await close()
    throw error
  }
}

/** What a host loads by its path lies in its store, where every byte was checked: it starts a third sooner so. */
async function openAnew(input: string | URL | Uint8Array, { limits }: LoadOptions, hosted: boolean): Promise<Archive> {
  if (hosted && typeof input === 'string') return openJudged(input)
  const { openArchive } = await import('../archive/archive.ts')
  return openArchive(input, limits && { limits })
}

interface Loading extends HostedOptions {
  /** Where worker processes find the archive; without it none are started. */
  readonly file?: string | undefined
  readonly close: () => Promise<void>
}

async function load(archive: Archive, options: Loading): Promise<App> {
  const { manifest } = archive
  const { file, onError = () => {} } = options
  const isHosted = file !== undefined
  const mount = judgeMount(options.mount ?? '')
  const config = await resolveConfig(manifest, options.config ?? {}, thisProcess)
  const build = await readBuildInfo(archive)
  const container = options.python === undefined ? thisProcess : withPython(options.python)
  const { findings, python } = await checkNeeds(archive, {
    ...{ build, mount, container, hosted: isHosted, honours: options.honours ?? [] },
  })
  throwIfErrors([
    ...findings,
    ...(await checkInterpreters(archive, thisProcess)),
    ...config.findings,
    ...(runsInProcess(manifest) ? findConflicts(config.values) : []),
  ])
  const earlier = await openEarlier(options.earlier ?? [], (one) => openAnew(one, {}, isHosted), onError)
  const close = async () => {
    await earlier.close()
    await options.close()
  }
  try {
    const found = { mount, config: config.values, python: python?.file, earlier: earlier.mounts }
    return await start(archive, { ...options, close }, found)
  } catch (error) {
    await earlier.close()
    throw error
  }
}

/** What was found out before anything is unpacked. */
interface Found {
  readonly mount: string
  readonly config: Variables
  readonly python: string | undefined
  readonly earlier: readonly Mount[]
}

async function start(archive: Archive, options: Loading, found: Found): Promise<App> {
  const { manifest } = archive
  const { mount, config, python, earlier } = found
  const { close, processLimits: limits = {}, onError = () => {} } = options
  const answers = await createMount(archive, { entries: manifest.entries.keys(), onError, earlier })
  const parts = { manifest, mount, answers, closesIdle: options.closesIdle === true, onError }
  if (manifest.entries.size === 0) {
    return createApp({ ...parts, entries: new Map(), requestTime: undefined, dispose: close })
  }
  const dataRoot = async () => resolve(options.data ?? (await dataLocation(manifest.name)))
  const tree = await runTree(archive, options, dataRoot)
  try {
    const onLog = options.onLog ?? (() => {})
    const workers = { ...manifest.workers, ...options.workers }
    const started = await startEntries({
      ...{ manifest: { ...manifest, workers }, files: archive.entries, tree, config, file: options.file, python },
      ...{ dataRoot, limits, onError, onLog, watch: options.watch },
    })
    const dispose = async () => {
      await started.stop()
      await tree.release()
      await close()
    }
    const { requestTime } = limits
    return createApp({ ...parts, entries: started.entries, requestTime, dispose })
  } catch (error) {
    await tree.release()
    throw error
  }
}

function isArchive(input: string | URL | Uint8Array | Archive): input is Archive {
  return typeof input === 'object' && input !== null && 'manifest' in input
}

export async function readBuildInfo(archive: Archive): Promise<BuildInfo | undefined> {
  const entry = archive.entries.get('ZAPP-INF/build.json')
  return entry && parseBuildInfo(await archive.read(entry))
}

export async function runTree(
  archive: Archive,
  options: LoadOptions,
  dataRoot: () => Promise<string>,
): Promise<RunTree> {
  const { manifest } = archive
  const cache = await openCache({ dir: await cacheLocation({ cache: options.cache }) })
  const links = await providedPackages(archive)
  const onError = (error: unknown) => options.onError?.(error, 'its run tree')
  const data = manifest.data.size > 0 && { dataRoot: await dataRoot() }
  return cache.runTree(archive, { links, onError, ...data })
}

/** Packages that the container supplies appear in the tree as links to its own, so that both use one copy. */
async function providedPackages({ manifest, entries }: Archive): Promise<Map<string, string>> {
  const links = new Map<string, string>()
  for (const name of manifest.dependencies.provided.node) {
    const folder = await thisProcess.findPackage(name)
    const path = `node_modules/${name}`
    if (folder !== undefined && !entries.has(`${path}/package.json`)) links.set(path, folder)
  }
  return links
}
