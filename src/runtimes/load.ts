import { resolve } from 'node:path'
import { type Archive, openArchive } from '../archive/archive.ts'
import { type BuildInfo, parseBuildInfo } from '../archive/build-info.ts'
import { openCache, type RunTree } from '../cache/cache.ts'
import { fail, throwIfErrors } from '../errors.ts'
import type { Limits } from '../format/limits.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { createMount } from '../mount/mount.ts'
import { type App, createApp } from './app.ts'
import { cacheLocation, dataLocation } from './cache-location.ts'
import { resolveConfig } from './config.ts'
import { thisProcess } from './container.ts'
import { claimEnvironment, findConflicts, type Variables } from './environment.ts'
import { checkNeeds } from './needs.ts'
import type { RunningEntry } from './running-entry.ts'
import { startFetch } from './start-fetch.ts'
import { startNode } from './start-node.ts'

export type { App, CloseOptions } from './app.ts'

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
}

/**
 * Opens, checks and starts an app in this process. An {@link Archive} that is given stays the caller's to close.
 *
 * @throws ZappError what opening an archive throws; MOUNT_PATH; every unmet need at once (NEED_*, CONFIG_*, MOUNT_BASE,
 * ENTRY_RUNTIME, UNSUPPORTED_KEY); CACHE_*; IO; ENTRY_LOAD and ENTRY_EXPORT, the app's own error as their `cause`
 */
export async function loadApp(input: string | Uint8Array | Archive, options: LoadOptions = {}): Promise<App> {
  const mount = judgeMount(options.mount ?? '')
  if (isArchive(input)) return load(input, mount, options, async () => {})
  const archive = await openArchive(input, options.limits ? { limits: options.limits } : {})
  try {
    return await load(archive, mount, options, () => archive.close())
  } catch (error) {
    await archive.close()
    throw error
  }
}

async function load(archive: Archive, mount: string, options: LoadOptions, close: () => Promise<void>): Promise<App> {
  const { manifest } = archive
  const onError = options.onError ?? (() => {})
  const config = await resolveConfig(manifest, options.config ?? {}, thisProcess)
  throwIfErrors([
    ...(await checkNeeds(manifest, await readBuildInfo(archive), mount, thisProcess)),
    ...config.findings,
    ...findConflicts(config.values),
  ])
  const answers = await createMount(archive, { entries: manifest.entries.keys(), onError })
  if (manifest.entries.size === 0) {
    return createApp({ manifest, mount, answers, entries: new Map(), onError, dispose: close })
  }
  const tree = await runTree(archive, options)
  let release = () => {}
  try {
    release = claimEnvironment(variablesOf(manifest, config.values, tree))
    const entries = await startEntries(manifest, tree)
    const dispose = async () => {
      release()
      await tree.release()
      await close()
    }
    return createApp({ manifest, mount, answers, entries, onError, dispose })
  } catch (error) {
    release()
    await tree.release()
    throw error
  }
}

const MOUNT = /^(?:\/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*$/

/** @throws ZappError MOUNT_PATH */
function judgeMount(mount: string): string {
  if (mount === '/') return ''
  if (MOUNT.test(mount) && !/\/\.\.?(?:\/|$)/.test(mount)) return mount
  throw fail('MOUNT_PATH', '', { got: mount })
}

function isArchive(input: string | Uint8Array | Archive): input is Archive {
  return typeof input === 'object' && 'manifest' in input
}

async function readBuildInfo(archive: Archive): Promise<BuildInfo | undefined> {
  const entry = archive.entries.get('ZAPP-INF/build.json')
  return entry && parseBuildInfo(await archive.read(entry))
}

async function runTree(archive: Archive, options: LoadOptions): Promise<RunTree> {
  const { manifest } = archive
  const cache = await openCache({ dir: await cacheLocation({ cache: options.cache }) })
  const links = await providedPackages(archive)
  if (manifest.data.size === 0) return cache.runTree(archive, { links })
  return cache.runTree(archive, { links, dataRoot: resolve(options.data ?? (await dataLocation(manifest.name))) })
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

/** The app's variables: its configuration, what its entries ask for, and where its data is. */
function variablesOf(manifest: Manifest, config: Variables, tree: RunTree): Variables {
  const variables = new Map<string, string | undefined>()
  for (const { env } of manifest.entries.values()) {
    for (const [name, value] of Object.entries(env)) {
      // Entries of one app share this process too.
      if (variables.has(name) && variables.get(name) !== value) throw fail('CONFIG_CONFLICT', '', { name })
      variables.set(name, value)
    }
  }
  for (const [name, value] of config) if (value !== undefined || !variables.has(name)) variables.set(name, value)
  for (const { name, env } of manifest.data.values()) if (env !== undefined) variables.set(env, tree.data.get(name))
  return variables
}

/** One after another: modules that several entries share are then loaded once, and logs stay readable. */
async function startEntries(manifest: Manifest, tree: RunTree): Promise<Map<string, RunningEntry>> {
  const entries = new Map<string, RunningEntry>()
  for (const entry of manifest.entries.values()) {
    // Other types were refused as unmet needs.
    if (entry.type === 'node') entries.set(entry.name, await startNode(tree.root, entry))
    if (entry.type === 'fetch') entries.set(entry.name, await startFetch(tree.root, entry))
  }
  return entries
}
