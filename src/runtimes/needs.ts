import type { Archive } from '../archive/archive.ts'
import type { BuildInfo } from '../archive/build-info.ts'
import { type Finding, finding } from '../errors.ts'
import type { EntryType, Manifest } from '../format/manifest-types.ts'
import { satisfies } from '../format/version-range.ts'
import { usesPython } from './command.ts'
import type { Container } from './container.ts'
import { misfits } from './native-needs.ts'
import type { Interpreter } from './python.ts'
import { checkPythonPackages, choosePython } from './python-needs.ts'

/** What this loader runs by itself; the types of Python are for worker processes. */
const RUNS: ReadonlySet<EntryType> = new Set(['node', 'fetch', 'server', 'cgi'])
const PYTHON: ReadonlySet<EntryType> = new Set(['wsgi', 'asgi'])
const WHO = 'this version of the loader'

export interface Needs {
  /** What is missing. */
  readonly findings: readonly Finding[]
  /** The interpreter, where one is needed and there. */
  readonly python: Interpreter | undefined
}

export interface NeedsContext {
  readonly build: BuildInfo | undefined
  readonly container: Container
}

/**
 * Everything an app needs and does not find, except its configuration (config.ts): checked before anything is unpacked,
 * and all told at once. A key whose behaviour this loader lacks is refused, never ignored.
 *
 * @param context.hosted whether the loader may start worker processes: only then it runs entries of Python
 * @param context.honours keys that the caller sees to
 */
export async function checkNeeds(
  archive: Archive,
  context: NeedsContext & {
    readonly mount: string
    readonly hosted: boolean
    readonly honours: readonly string[]
  },
): Promise<Needs> {
  const { build, container, mount, hosted, honours } = context
  const { manifest } = archive
  const runs = hosted && hasPython(manifest)
  const { python, findings } = runs || usesPythonCommand(manifest) ? await choosePython(manifest, context) : NO_PYTHON
  return {
    python,
    findings: [
      ...checkEntries(manifest, container, hosted),
      ...checkKeys(manifest, runs, honours),
      ...checkBase(manifest, mount),
      ...checkNode(manifest, container),
      ...findings,
      ...(await checkCommands(manifest, container)),
      ...(await checkProvided(manifest, container)),
      ...(runs && python ? await checkPythonPackages(archive, python) : []),
      ...misfits(build?.native ?? [], container, python),
    ],
  }
}

const NO_PYTHON = { python: undefined, findings: [] }

/**
 * What one command of an app needs, except configuration. The types of its entry points, keys that only matter while it
 * serves, and its mount are not asked for.
 */
export async function checkCommandNeeds(
  { manifest }: Archive,
  run: readonly string[],
  context: NeedsContext,
): Promise<Needs> {
  const { build, container } = context
  const { python, findings } = usesPython(run) ? await choosePython(manifest, context) : NO_PYTHON
  return {
    python,
    findings: [
      ...checkNode(manifest, container),
      ...findings,
      ...(await checkCommands(manifest, container)),
      ...(await checkProvided(manifest, container)),
      ...misfits(build?.native ?? [], container, python),
    ],
  }
}

function hasPython({ entries }: Manifest): boolean {
  return [...entries.values()].some(({ type }) => PYTHON.has(type))
}

function usesPythonCommand({ entries }: Manifest): boolean {
  return [...entries.values()].some((entry) => entry.type === 'server' && usesPython(entry.run))
}

function checkEntries(manifest: Manifest, { platform }: Container, hosted: boolean): Finding[] {
  return [...manifest.entries.values()].flatMap(({ name, type }) => {
    // Windows starts no script by its first line.
    if (RUNS.has(type) && !(type === 'cgi' && platform === 'win32')) return []
    if (hosted && PYTHON.has(type)) return []
    if (PYTHON.has(type)) return [finding('ENTRY_RUNTIME', 'zapp.json', { entry: name, type })]
    return [unsupported(`an entry of type ${JSON.stringify(type)} (${name})`)]
  })
}

/** @param runs whether entries of Python run */
function checkKeys(manifest: Manifest, runs: boolean, honours: readonly string[]): Finding[] {
  const { dependencies, workers } = manifest
  const { processes = 1, threads = 1 } = workers
  const isIdle = dependencies.runtime.python && !hasPython(manifest) && !usesPythonCommand(manifest)
  const ofPython = [
    ...(dependencies.provided.python.length > 0 ? ['dependencies.provided.python'] : []),
    ...(isIdle ? ['dependencies.runtime.python'] : []),
    ...(processes > 1 ? ['workers.processes'] : []),
    ...(threads > 1 ? ['workers.threads'] : []),
    ...(workers.maxRequests === undefined ? [] : ['workers.maxRequests']),
    ...(workers.server === undefined ? [] : ['workers.server']),
  ]
  const keys = [
    ...manifest.reserved,
    ...(manifest.migrate ? ['lifecycle.migrate'] : []),
    ...(manifest.processes.size > 0 ? ['processes'] : []),
    ...(runs ? [] : ofPython),
  ]
  return keys.filter((key) => !honours.includes(key)).map(unsupported)
}

function unsupported(key: string): Finding {
  return finding('UNSUPPORTED_KEY', 'zapp.json', { key, who: WHO })
}

function checkBase({ base }: Manifest, mount: string): Finding[] {
  const path = mount === '' ? '/' : mount
  return base === 'any' || base === path ? [] : [finding('MOUNT_BASE', '', { expected: base, got: path })]
}

function checkNode({ dependencies }: Manifest, container: Container): Finding[] {
  const { node } = dependencies.runtime
  if (!node || satisfies(container.node, node)) return []
  return [finding('NEED_RUNTIME', '', { runtime: 'Node', expected: node.text, got: container.node })]
}

async function checkCommands({ dependencies }: Manifest, container: Container): Promise<Finding[]> {
  const missing = await without(dependencies.commands, (name) => container.hasCommand(name))
  return missing.map((command) => finding('NEED_COMMAND', '', { command }))
}

async function checkProvided({ dependencies }: Manifest, container: Container): Promise<Finding[]> {
  const missing = await without(dependencies.provided.node, async (name) => !!(await container.findPackage(name)))
  return missing.map((name) => finding('NEED_PROVIDED', '', { package: name }))
}

async function without(names: readonly string[], has: (name: string) => Promise<boolean>): Promise<string[]> {
  const found = await Promise.all(names.map(has))
  return names.filter((_, i) => !found[i])
}
