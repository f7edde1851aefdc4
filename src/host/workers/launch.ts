import type { Manifest } from '../../format/manifest-types.ts'
import { isInProcess, isPythonApp, runsInProcess } from '../../runtimes/entry-kinds.ts'
import { heapFlags } from '../../runtimes/heap-flags.ts'
import type { ProcessLimits } from '../../runtimes/process-limits.ts'
import { workerPlace } from '../../runtimes/worker-environment.ts'
import { HOST_HONOURS } from '../honours.ts'
import type { StoredApp } from '../prepare.ts'
import type { SystemUser } from '../users/system-user.ts'
import type { StartMessage } from './messages.ts'
import { WORKER } from './worker-program.ts'

export interface LaunchOptions {
  /** As the access log calls it. */
  readonly app: { readonly id: string; readonly version: string }
  readonly mount: string
  /** Only names that the app declares. */
  readonly config: Readonly<Record<string, string>>
  readonly cache: string
  readonly data: string | undefined
  /** Instead of the manifest's. */
  readonly workers?: Manifest['workers'] | undefined
  readonly limits?: ProcessLimits | undefined
  /** Archives of earlier versions, the newest first. */
  readonly earlier?: readonly string[]
  /** Whose processes they are. Default: the host's own user. */
  readonly user?: SystemUser | undefined
}

/** How one process is started. */
export interface Launch {
  readonly argv: readonly [string, ...string[]]
  readonly cwd: string
  /** All of it. */
  readonly env: Readonly<Record<string, string>>
  /** What it is told first. */
  readonly start?: StartMessage
}

/** How the processes of one version are started. */
export interface Launcher {
  readonly launch: (socket: string) => Launch
  readonly processes: number
  /** Whose output it is that they print. */
  readonly entry: string
  /** To be called when no process runs any more. */
  release(): Promise<void>
}

/**
 * Whether processes of ours answer for the whole app. What else there is are sites without code, and other programs: those
 * of another user are started by a process of that user, too.
 */
export function hasWorkers(manifest: Manifest, user: SystemUser | undefined): boolean {
  return runsInProcess(manifest) || isPythonApp(manifest) || (user !== undefined && manifest.entries.size > 0)
}

/** @throws ZappError every need of a Python app that is not met; those of others are checked where they are loaded */
export async function prepareLaunch(stored: StoredApp, options: LaunchOptions): Promise<Launcher> {
  const { manifest, file } = stored
  const { user } = options
  if (user) return launchAs(user, stored, options)
  if (isPythonApp(manifest)) {
    const { preparePython } = await import('../../runtimes/prepare-python.ts')
    return preparePython(await stored.archive(), file, { ...options, honours: HOST_HONOURS })
  }
  return launchNode({ manifest, file }, options)
}

/** The loader of Node runs every app: as that user, with all that it starts. */
async function launchAs(user: SystemUser, { manifest, file }: StoredApp, options: LaunchOptions): Promise<Launcher> {
  const { userPlace } = await import('../users/user-place.ts')
  const { release, ...place } = await userPlace(user, { ...options, name: manifest.name, file })
  try {
    const launcher = await launchNode({ manifest, file: place.file }, { ...options, ...place })
    return { ...launcher, release }
  } catch (error) {
    await release()
    throw error
  }
}

async function launchNode(
  { manifest, file }: Pick<StoredApp, 'manifest' | 'file'>,
  options: LaunchOptions,
): Promise<Launcher> {
  const { app, mount, config, cache, limits = {}, earlier = [], user } = options
  const { data, env, python } = await workerPlace(manifest, config, options.data)
  const [first] = manifest.entries.values()
  const entry = [...manifest.entries.values()].find(isInProcess) ?? first
  const workers = { ...manifest.workers, ...options.workers }
  // Each of these processes starts those of Python for itself: together they are as many as was asked for.
  const shares = runsInProcess(manifest)
  const own = { ...workers, ...(shares && workers.processes !== undefined && { processes: 1 }) }
  return {
    launch: (socket) => ({
      argv: [process.execPath, ...heapFlags(limits), WORKER],
      // The host's own may be closed to another user.
      cwd: user ? '/' : process.cwd(),
      env,
      start: {
        ...{ type: 'start', file, mount, config, cache, data, earlier, limits, socket },
        ...{ app: app.id, workers: own, python },
      },
    }),
    processes: shares ? (workers.processes ?? 1) : 1,
    entry: entry?.name ?? '',
    release: async () => {},
  }
}
