import type { Archive } from '../archive/archive.ts'
import { type Finding, finding } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { satisfies } from '../format/version-range.ts'
import { misfits } from './native-needs.ts'
import type { NeedsContext } from './needs.ts'
import { describeInterpreter, type Interpreter, missingFrom, OLDEST } from './python.ts'

export interface ChosenPython {
  readonly python: Interpreter | undefined
  /** NEED_COMMAND, NEED_RUNTIME */
  readonly findings: readonly Finding[]
}

/**
 * The interpreter that an app is run with: by the range in its manifest, and by the extension modules that it brings. One
 * that lies in the range and does not load these is better than none: what it does not load can then be told by name.
 */
export async function choosePython(
  { dependencies }: Manifest,
  { build, container }: NeedsContext,
): Promise<ChosenPython> {
  const { python: range } = dependencies.runtime
  const isInRange = ({ version }: Interpreter) => !range || satisfies(version, range)
  const loadsAll = (one: Interpreter) => isInRange(one) && misfits(build?.native ?? [], container, one).length === 0
  const best = await container.python(loadsAll)
  const { chosen, found } = best.chosen ? best : await container.python(isInRange)
  if (chosen) return { python: chosen, findings: [] }
  if (found.length === 0) return { python: undefined, findings: [finding('NEED_COMMAND', '', { command: 'python3' })] }
  const expected = range?.text ?? `>=${OLDEST}`
  const got = found.map(describeInterpreter)
  return { python: undefined, findings: [finding('NEED_RUNTIME', '', { runtime: 'Python', expected, got })] }
}

/** What `wsgi` and `asgi` entries need of their interpreter beyond its version, the archive's own packages aside. */
export async function checkPythonPackages({ manifest, entries }: Archive, python: Interpreter): Promise<Finding[]> {
  const isInArchive = (name: string) => entries.has(`ZAPP-INF/lib/${name}/__init__.py`)
  const { provided } = manifest.dependencies
  const sought = serversOf(manifest).filter(({ names }) => !names.some(isInArchive))
  const [packages, modules] = await Promise.all([
    missingFrom(python, 'distributions', provided.python),
    missingFrom(python, 'modules', [...new Set(sought.flatMap(({ names }) => names))]),
  ])
  const lacking = sought.filter(({ names }) => names.every((name) => modules.includes(name)))
  return [
    ...packages.map((name) => finding('NEED_PROVIDED', '', { package: name })),
    ...lacking.map(({ entry, names }) =>
      finding('ENTRY_RUNNER', '', { entry, expected: names.join(' or '), python: python.file, command: names[0]! }),
    ),
  ]
}

/** The servers of which each entry needs one. */
function serversOf({ entries, workers: { server } }: Manifest): { entry: string; names: readonly string[] }[] {
  return [...entries.values()].flatMap(({ name, type }) => {
    if (type === 'wsgi') return server === 'gunicorn' ? [{ entry: name, names: [server] }] : []
    if (type !== 'asgi') return []
    return [{ entry: name, names: server === undefined || server === 'gunicorn' ? ASGI_SERVERS : [server] }]
  })
}

const ASGI_SERVERS = ['uvicorn', 'hypercorn']
