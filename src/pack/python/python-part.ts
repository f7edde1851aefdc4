import { fail } from '../../errors.ts'
import type { Manifest } from '../../format/manifest-types.ts'
import { satisfies } from '../../format/version-range.ts'
import type { PlannedFile } from '../plan.ts'
import { type Collected, collectStatic } from './collect-static.ts'
import { type Dependencies, readDependencies } from './dependencies.ts'
import { type FetchOptions, fetchWheels } from './fetch-wheels.ts'
import { findInterpreter, type Interpreter } from './interpreter.ts'
import { keptWheels } from './kept-wheels.ts'
import { LIBRARY, layLibrary, type PythonLibrary, reached } from './library.ts'
import { LOADER_PACKAGE, loaderFiles, mainFile } from './loader-files.ts'
import { canonicalName, type MarkerEnvironment } from './markers.ts'
import { type PythonTarget, targetMarkers, targetName } from './target.ts'
import { readWheel, type Wheel } from './wheel.ts'

/** What Zapp adds to an app of Python: its dependencies, the loader, and what starts it. */
export interface PythonPart extends PythonLibrary {
  /** One sentence each, for people. */
  readonly notes: readonly string[]
  /** Files of the project that were made just now. */
  readonly collected?: Collected
}

const NOTHING: PythonPart = { files: [], packages: [], roots: [], findings: [], missing: [], notes: [] }

export interface PythonOptions {
  readonly target: PythonTarget
  readonly collectStatic?: boolean
  /** See {@link keptWheels}. */
  readonly wheels?: string | undefined
  readonly signal?: AbortSignal
}

/**
 * @param own the project's own files: one with a `__main__.py` starts as its author wants
 * @throws ZappError PACK_PYTHON, NEED_RUNTIME, DEP_LOCK, DEP_FETCH, WHEEL_MISSING, WHEEL_INVALID, COLLECT_STATIC, IO; the
 *   codes of foreign zips
 */
export async function pythonPart(
  root: string,
  manifest: Manifest,
  own: readonly PlannedFile[],
  options: PythonOptions,
): Promise<PythonPart> {
  if (!usesPython(manifest)) return NOTHING
  const library = await packages(root, manifest, options)
  const collected = options.collectStatic && (await collect(manifest, [...own, ...library.files], options))
  const part = { ...library, ...(collected ? { collected } : {}) }
  if (![...manifest.entries.values()].some(({ type }) => type === 'wsgi' || type === 'asgi')) return part
  const hasMain = own.some(({ path }) => path === '__main__.py')
  return {
    ...part,
    files: [...library.files, ...loaderFiles(), ...(hasMain ? [] : [mainFile()])],
    packages: [...library.packages, LOADER_PACKAGE],
  }
}

async function collect(manifest: Manifest, files: readonly PlannedFile[], { target, signal }: PythonOptions) {
  const interpreter = await interpreterFor(manifest, target)
  if (isForeign({ target, interpreter })) {
    throw fail('COLLECT_STATIC', '', { reason: 'the packages are for another Python or platform than this one' })
  }
  return collectStatic(manifest, files, interpreter, signal)
}

function usesPython(manifest: Manifest): boolean {
  const runs = [...manifest.processes.values(), ...(manifest.migrate ? [manifest.migrate] : [])]
  return (
    [...manifest.entries.values()].some((entry) =>
      entry.type === 'server' ? entry.run[0] === '{python}' : entry.type === 'wsgi' || entry.type === 'asgi',
    ) || runs.some(({ run }) => run[0] === '{python}')
  )
}

async function packages(
  root: string,
  manifest: Manifest,
  { target, wheels, signal }: PythonOptions,
): Promise<PythonPart> {
  // Read once without Python: an app that needs nothing packs on a machine that has none.
  if (!needsAny(readDependencies(root, {}))) return NOTHING
  const interpreter = await interpreterFor(manifest, target)
  const markers = targetMarkers(interpreter, target)
  const found = readDependencies(root, markers)
  if (!found || !needsAny(found)) return NOTHING
  if (found.findings.length > 0) return { ...NOTHING, findings: found.findings }

  const name = targetName(markers, target)
  const provided = new Set(manifest.dependencies.provided.python.map(canonicalName))
  const options = { interpreter, target, targetName: name, ...(signal ? { signal } : {}) }
  const library = await fetchLibrary(found, markers, provided, options, wheels)
  return { ...library, notes: [`${found.from} names the dependencies: wheels for ${name}`] }
}

// Packages need each other over a few corners at most.
const MAX_ROUNDS = 5

/**
 * pip judges markers for the Python that it runs in. What they ask for on the target and pip left out is asked for by
 * name, until nothing is missing; what only this Python would need is dropped.
 */
async function fetchLibrary(
  found: Dependencies,
  markers: MarkerEnvironment,
  provided: ReadonlySet<string>,
  options: FetchOptions,
  folder: string | undefined,
): Promise<PythonLibrary> {
  let { lines } = found
  for (let round = 1; ; round++) {
    const asked = { ...found, lines }
    const fetched = await (folder === undefined ? fetchWheels(asked, options) : keptWheels(folder, asked, options))
    const wheels: Wheel[] = []
    for (const one of fetched) wheels.push(await readWheel(one))
    const packed = wheels.filter(({ id }) => !provided.has(id))
    const library = layLibrary(packed, found, markers, provided)
    if (library.missing.length === 0 || found.locked || round === MAX_ROUNDS) {
      if (found.locked || !isForeign(options)) return library
      const needed = new Set([...reached(library.roots)].map(({ path }) => path))
      const kept = packed.filter(({ info }) => needed.has(`${LIBRARY}/${info}`))
      return layLibrary(kept, found, markers, provided)
    }
    lines = [...lines, ...library.missing]
  }
}

function isForeign({ target, interpreter }: Pick<FetchOptions, 'target' | 'interpreter'>): boolean {
  return (
    target.platforms.length > 0 ||
    (target.python ?? interpreter.markers.python_version) !== interpreter.markers.python_version
  )
}

function needsAny(found: Dependencies | undefined): boolean {
  return found !== undefined && (found.roots.length > 0 || found.findings.length > 0)
}

async function interpreterFor(manifest: Manifest, { python }: PythonTarget): Promise<Interpreter> {
  const range = manifest.dependencies.runtime.python
  const found = await findInterpreter(python, python === undefined ? range : undefined)
  if (!found) throw fail('PACK_PYTHON', '', { got: 'no Python' })
  if (found.pip === undefined) throw fail('PACK_PYTHON', '', { got: `Python ${found.version} without pip` })
  // Of "3.12" any release may be meant.
  const versions = python === undefined ? [found.version] : [`${python}.0`, `${python}.999`]
  if (range && !versions.some((version) => satisfies(version, range))) {
    throw fail('NEED_RUNTIME', 'zapp.json', { runtime: 'Python', expected: range.text, got: python ?? found.version })
  }
  return found
}
