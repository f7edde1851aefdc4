import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Manifest } from '../../format/manifest-types.ts'
import { isPythonApp, runsInProcess } from '../../runtimes/entry-kinds.ts'
import { heapFlags } from '../../runtimes/heap-flags.ts'
import type { ProcessLimits } from '../../runtimes/process-limits.ts'
import { workerPlace } from '../../runtimes/worker-environment.ts'
import type { AccessFormat } from '../access-log.ts'
import { HOST_HONOURS } from '../honours.ts'
import type { StoredApp } from '../prepare.ts'
import type { StartMessage } from './messages.ts'

export interface LaunchOptions {
  /** As the access log calls it. */
  readonly app: { readonly id: string; readonly version: string }
  /** How requests are logged now. */
  readonly accessLog: () => AccessFormat | 'off'
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

/** Whether processes of ours answer for the whole app. What else there is are sites without code, and other programs. */
export function hasWorkers(manifest: Manifest): boolean {
  return runsInProcess(manifest) || isPythonApp(manifest)
}

/** @throws ZappError every need of a Python app that is not met; those of others are checked where they are loaded */
export async function prepareLaunch(stored: StoredApp, options: LaunchOptions): Promise<Launcher> {
  const { manifest, file } = stored
  if (isPythonApp(manifest)) {
    const { preparePython } = await import('../../runtimes/prepare-python.ts')
    return preparePython(await stored.archive(), file, { ...options, honours: HOST_HONOURS })
  }
  const { app, mount, config, cache, limits = {}, earlier = [] } = options
  const { data, env, python } = await workerPlace(manifest, config, options.data)
  const [entry] = [...manifest.entries.values()].filter(({ type }) => type === 'node' || type === 'fetch')
  const workers = { ...manifest.workers, ...options.workers }
  // Each of these processes starts those of Python for itself: together they are as many as was asked for.
  const own = { ...workers, ...(workers.processes !== undefined && { processes: 1 }) }
  return {
    launch: (socket) => ({
      argv: [process.execPath, ...heapFlags(limits), MAIN],
      cwd: process.cwd(),
      env,
      start: {
        ...{ type: 'start', file, mount, config, cache, data, earlier, limits, socket },
        ...{ app: app.id, accessLog: options.accessLog(), workers: own, python },
      },
    }),
    processes: workers.processes ?? 1,
    entry: entry?.name ?? '',
    release: async () => {},
  }
}

const MAIN = join(fileURLToPath(new URL('../../../bin', import.meta.url)), 'worker.js')
