import type { ArchiveEntry } from '../archive/archive.ts'
import type { RunTree } from '../cache/cache.ts'
import { fail, type ZappError } from '../errors.ts'
import type { Entry, Manifest } from '../format/manifest-types.ts'
import { isInProcess, runsInProcess } from './entry-kinds.ts'
import type { EntryWatch, ProcessWatch } from './entry-watch.ts'
import { claimEnvironment, type Variables } from './environment.ts'
import type { LogLine } from './log-lines.ts'
import type { ProcessLimits } from './process-limits.ts'
import type { RunningEntry } from './running-entry.ts'

export interface StartOptions {
  readonly manifest: Manifest
  /** Of the archive, by path. */
  readonly files: ReadonlyMap<string, ArchiveEntry>
  readonly tree: RunTree
  readonly config: Variables
  /** Path of the interpreter for what needs one. */
  readonly python: string | undefined
  /** Path of the archive, where worker processes may open it. */
  readonly file: string | undefined
  readonly limits: ProcessLimits
  /** Told nothing where code of the app runs in this process: as long as that does, something answers. */
  readonly watch?: EntryWatch | undefined
  /** The folder of the app's data folders. */
  readonly dataRoot: () => Promise<string>
  readonly onError: (error: unknown, where: string) => void
  readonly onLog: (line: LogLine) => void
}

export interface Started {
  readonly entries: ReadonlyMap<string, RunningEntry>
  /** Ends programs and lets go of the environment. Once. */
  stop(): Promise<void>
}

/**
 * Starts every entry, one after another: modules that several share are then loaded once, and logs stay readable.
 *
 * @throws ZappError ENTRY_LOAD, ENTRY_EXPORT, ENTRY_START, SERVER_EXPOSED, CONFIG_CONFLICT; nothing runs then
 */
export async function startEntries(options: StartOptions): Promise<Started> {
  const { manifest, tree, config } = options
  const entries = new Map<string, RunningEntry>()
  const release = runsInProcess(manifest) ? claimEnvironment(variablesOf(manifest, config, tree)) : () => {}
  const stop = async () => {
    await Promise.all([...entries.values()].map((entry) => entry.close?.()))
    release()
  }
  const isDown = () => [...entries.values()].every(({ isUp }) => isUp?.() === false)
  const watch: ProcessWatch = {
    ended(how) {
      if (!runsInProcess(manifest)) options.watch?.ended(how, isDown())
    },
    up: () => options.watch?.up(),
  }
  try {
    for (const entry of manifest.entries.values()) entries.set(entry.name, await startEntry(entry, options, watch))
    return { entries, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Each type is loaded where an app has it: a worker of Node needs nothing of Python and CGI. */
async function startEntry(entry: Entry, options: StartOptions, watch: ProcessWatch): Promise<RunningEntry> {
  const { tree, dataRoot, onError, python, file, onLog } = options
  const told = (error: unknown) => onError(error, `entry ${entry.name}`)
  switch (entry.type) {
    case 'node':
      return (await import('./start-node.ts')).startNode(tree.root, entry)
    case 'fetch':
      return (await import('./start-fetch.ts')).startFetch(tree.root, entry)
    case 'server': {
      const { programSpec } = await import('./program-spec.ts')
      const { startServer } = await import('./start-server.ts')
      const spec = await programSpec(entry, { ...options, home: await dataRoot(), onError: told })
      return startServer(spec, told, watch)
    }
    case 'wsgi':
    case 'asgi': {
      // Refused as an unmet need.
      if (python === undefined || file === undefined) throw refusal(entry)
      const { startPython } = await import('./start-python.ts')
      return startPython(entry, { ...options, home: await dataRoot(), python, file, onError: told, watch })
    }
    case 'cgi': {
      const { processEnvironment } = await import('./program-spec.ts')
      const { startCgi } = await import('./start-cgi.ts')
      const env = await processEnvironment(entry.env, { ...options, home: await dataRoot() })
      const onLine = (text: string) => onLog({ entry: entry.name, stream: 'stderr', text })
      const { timeout } = entry
      return startCgi({ ...entry, timeout: options.limits.requestTime ?? timeout }, { ...options, env, onLine })
    }
    default:
      throw refusal(entry)
  }
}

function refusal({ name, type }: Entry): ZappError {
  return fail('ENTRY_RUNTIME', 'zapp.json', { entry: name, type })
}

/** The app's variables: its configuration, what its entries ask for, and where its data is. */
function variablesOf(manifest: Manifest, config: Variables, tree: RunTree): Variables {
  const variables = new Map<string, string | undefined>()
  for (const { env } of [...manifest.entries.values()].filter(isInProcess)) {
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
