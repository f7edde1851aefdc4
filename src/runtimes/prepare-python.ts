import { rm, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import type { Archive } from '../archive/archive.ts'
import { fail, throwIfErrors } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { dataLocation } from './cache-location.ts'
import { resolveConfig } from './config.ts'
import { thisProcess } from './container.ts'
import { readBuildInfo, runTree } from './load.ts'
import { checkNeeds } from './needs.ts'
import { privateFolder } from './private-folder.ts'
import type { ProcessLimits } from './process-limits.ts'
import { processEnvironment } from './program-spec.ts'
import { PYTHON_LOADER, pythonArgv } from './python-command.ts'
import { THREADS, WSGI_PROCESSES } from './start-python.ts'

export interface PreparePythonOptions {
  readonly mount: string
  readonly config: Readonly<Record<string, string>>
  readonly cache: string
  readonly data: string | undefined
  /** Instead of the manifest's. */
  readonly workers?: Manifest['workers'] | undefined
  readonly limits?: ProcessLimits | undefined
  readonly honours: readonly string[]
}

export interface PythonApp {
  readonly launch: (socket: string) => {
    readonly argv: [string, ...string[]]
    readonly cwd: string
    readonly env: Readonly<Record<string, string>>
  }
  readonly processes: number
  /** Its only entry. */
  readonly entry: string
  /** Lets go of the run tree. Once. */
  release(): Promise<void>
}

/** Processes that can tell each other of their connections, with those that replace them. More of them do without. */
const MAX_WORKERS = 64

/**
 * Checks what an app of `isPythonApp` needs, and unpacks it.
 *
 * @param file where workers find the archive
 * @throws ZappError every unmet need at once; CACHE_*; IO
 */
export async function preparePython(archive: Archive, file: string, options: PreparePythonOptions): Promise<PythonApp> {
  const { manifest } = archive
  const { mount, cache, honours, limits: { requestTime } = {} } = options
  const [entry] = manifest.entries.values()
  const config = await resolveConfig(manifest, options.config, thisProcess)
  const build = await readBuildInfo(archive)
  const needs = await checkNeeds(archive, { build, mount, container: thisProcess, hosted: true, honours })
  throwIfErrors([...needs.findings, ...config.findings])
  if (!entry || !needs.python) throw fail('INTERNAL', manifest.name, { reason: 'there is no Python for it' })
  const python = needs.python.file
  const home = resolve(options.data ?? (await dataLocation(manifest.name)))
  const tree = await runTree(archive, { cache }, async () => home)
  const { threads = THREADS, maxRequests, ...workers } = { ...manifest.workers, ...options.workers }
  const processes = workers.processes ?? Math.min(WSGI_PROCESSES, availableParallelism())
  const spec = {
    ...{ python, file, tree: tree.root, mount, threads },
    ...(maxRequests === undefined ? {} : { maxRequests }),
    ...(requestTime === undefined ? {} : { requestTime }),
  }
  // In memory of their own they could not: they are started one by one.
  const shared = processes > 1 ? await privateFolder() : undefined
  const balance = shared && join(shared, 'balance')
  if (balance) await writeFile(balance, Buffer.alloc(4 * MAX_WORKERS, 0xff), { mode: 0o600 })
  const env = await processEnvironment(entry.env, { manifest, tree, config: config.values, home })
  return {
    launch: (socket) => ({
      argv: pythonArgv({ ...spec, ...(balance && { balance }) }, socket),
      cwd: tree.root,
      env: { ...env, PYTHONPATH: PYTHON_LOADER },
    }),
    processes,
    entry: entry.name,
    async release() {
      await tree.release()
      if (shared) await rm(shared, { recursive: true, force: true })
    },
  }
}
