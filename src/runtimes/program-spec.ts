import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunTree } from '../cache/cache.ts'
import type { Entry, Manifest } from '../format/manifest-types.ts'
import { childEnvironment } from './child-environment.ts'
import { fillCommand } from './command.ts'
import type { Variables } from './environment.ts'
import type { LogLine } from './log-lines.ts'
import type { ProcessLimits } from './process-limits.ts'
import type { ProgramSpec } from './program.ts'

/** How long a program may take to accept connections where the manifest has no health check with a time of its own. */
const START_MS = 20_000

export interface ProgramContext {
  readonly manifest: Manifest
  readonly tree: RunTree
  readonly config: Variables
  /** The data root: HOME. Made where it is missing. */
  readonly home: string
  /** What {python} stands for. */
  readonly python: string | undefined
  readonly limits: ProcessLimits
  readonly onError: (error: unknown) => void
  readonly onLog: (line: LogLine) => void
}

/** How the program of a `server` entry is started: FORMAT.md §Needs, §Run tree, §Commands. */
export async function programSpec(
  { name, run, env }: Extract<Entry, { type: 'server' }>,
  context: ProgramContext,
): Promise<ProgramSpec> {
  const { manifest, tree, config, python, limits, onLog, onError } = context
  const values = { node: process.execPath, python, data: tree.data, config }
  return {
    entry: name,
    argv: fillCommand(run, values) as [string, ...string[]],
    isNode: run[0] === '{node}',
    cwd: tree.root,
    env: await processEnvironment(env, context),
    timeout: manifest.health?.timeout ?? START_MS,
    limits,
    onLimit: onError,
    onLine: (stream, text) => onLog({ entry: name, stream, text }),
  }
}

/** All that a process of the app sees, but for what its type adds: FORMAT.md §Needs. Its HOME is there then. */
export async function processEnvironment(
  env: Readonly<Record<string, string>>,
  { manifest, tree, config, home }: Omit<ProgramContext, 'python' | 'limits' | 'onLog' | 'onError'>,
): Promise<Record<string, string>> {
  await mkdir(home, { recursive: true, mode: 0o700 })
  const data = [...manifest.data.values()].flatMap(({ name, env }) =>
    env === undefined ? [] : [[env, tree.data.get(name)] as const],
  )
  const own = new Map(Object.entries(env))
  return childEnvironment(home, config, new Map(data), await libraryVariables(tree), own)
}

/** What lets Python programs of an app import the dependencies that the archive brings. */
async function libraryVariables({ root }: RunTree): Promise<Variables> {
  const library = join(root, 'ZAPP-INF/lib')
  const found = await stat(library).catch(() => undefined)
  return new Map(found ? [['PYTHONPATH', library]] : [])
}
