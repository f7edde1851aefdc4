import { mkdir } from 'node:fs/promises'
import type { RunTree } from '../cache/cache.ts'
import type { Entry, Manifest } from '../format/manifest-types.ts'
import { childEnvironment } from './child-environment.ts'
import { fillCommand } from './command.ts'
import type { Container } from './container.ts'
import type { Variables } from './environment.ts'
import type { LogLine } from './log-lines.ts'
import type { ProgramSpec } from './program.ts'

/** How long a program may take to accept connections where the manifest has no health check with a time of its own. */
const START_MS = 20_000

export interface ProgramContext {
  readonly manifest: Manifest
  readonly tree: RunTree
  readonly config: Variables
  /** The data root: HOME. Made where it is missing. */
  readonly home: string
  readonly container: Container
  readonly onLog: (line: LogLine) => void
}

/** How the program of a `server` entry is started: FORMAT.md §Needs, §Run tree, §Commands. */
export async function programSpec(
  { name, run, env }: Extract<Entry, { type: 'server' }>,
  context: ProgramContext,
): Promise<ProgramSpec> {
  const { manifest, tree, config, container, onLog } = context
  const python = (await container.python())?.file
  const values = { node: process.execPath, python, data: tree.data, config }
  return {
    entry: name,
    argv: fillCommand(run, values) as [string, ...string[]],
    isNode: run[0] === '{node}',
    cwd: tree.root,
    env: await processEnvironment(env, context),
    timeout: manifest.health?.timeout ?? START_MS,
    onLine: (stream, text) => onLog({ entry: name, stream, text }),
  }
}

/** All that a process of the app sees, but for what its type adds: FORMAT.md §Needs. Its HOME is there then. */
export async function processEnvironment(
  env: Readonly<Record<string, string>>,
  { manifest, tree, config, home }: Omit<ProgramContext, 'container' | 'onLog'>,
): Promise<Record<string, string>> {
  await mkdir(home, { recursive: true, mode: 0o700 })
  const data = new Map<string, string | undefined>()
  for (const folder of manifest.data.values()) {
    if (folder.env !== undefined) data.set(folder.env, tree.data.get(folder.name))
  }
  return childEnvironment(home, config, data, new Map(Object.entries(env)))
}
