import { parseRange, satisfies } from '../../format/version-range.ts'
import type { Dependencies } from './dependencies.ts'
import { tables } from './lock-uv.ts'
import { type LockedEdge, type LockedPackage, lockedDependencies } from './locked.ts'
import { canonicalName, holds, type MarkerEnvironment } from './markers.ts'
import { type Pyproject, readToml, type Table, table, texts } from './pyproject.ts'
import { pythonRange } from './python-range.ts'
import { parseRequirement } from './requirement.ts'

/** poetry.lock, of Poetry 1 and 2; what the project asks for is in its pyproject.toml. */
export function readPoetryLock(
  root: string,
  markers: MarkerEnvironment,
  project: Pyproject | undefined,
): Dependencies | undefined {
  const lock = readToml(root, 'poetry.lock')
  if (!lock) return undefined
  // Poetry 1.0 to 1.4 kept the hashes in one table for all.
  const files = table(table(lock.metadata).files)
  const packages = tables(lock.package).map((pkg) => locked(pkg, files, markers))
  const own = (project?.dependencies ?? []).map(parseRequirement).filter((found) => found !== undefined)
  const roots = [...own, ...edges(project?.poetry ?? {}).filter(({ name }) => name !== 'python')]
  return lockedDependencies('poetry.lock', packages, roots, markers)
}

function locked(pkg: Table, files: Table, markers: MarkerEnvironment): LockedPackage {
  const name = canonicalName(String(pkg.name))
  const { type } = table(pkg.source)
  const wheels = [...tables(pkg.files), ...tables(files[String(pkg.name)])]
  return {
    name,
    version: String(pkg.version),
    hashes: wheels.flatMap(({ file, hash }) => (String(file).endsWith('.whl') ? [String(hash)] : [])),
    edges: [...edges(table(pkg.dependencies)), ...extraEdges(pkg)],
    fits: isFor(pkg, markers),
    // "legacy" is an index of one's own.
    ...(typeof type === 'string' && type !== 'legacy' ? { foreign: type } : {}),
  }
}

/** Poetry 2 says a marker of each package, or one of each group; both say which Pythons it is for. */
function isFor(pkg: Table, markers: MarkerEnvironment): boolean {
  const said = typeof pkg.markers === 'string' ? pkg.markers : table(pkg.markers).main
  const range = parseRange(pythonRange(String(pkg['python-versions'] ?? '')) ?? '')
  return (
    (typeof said !== 'string' || holds(said, markers)) &&
    (!range || markers.python_full_version === undefined || satisfies(markers.python_full_version, range))
  )
}

/** `{name: "^1", other: {version, extras, markers, optional}, third: [{…}, {…}]}`. */
function edges(list: Table): LockedEdge[] {
  return Object.entries(list).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map(table).flatMap((said): LockedEdge[] => {
      if (said.optional === true) return []
      const marker = markerOf(said)
      return [
        {
          name: canonicalName(name),
          extras: texts(said.extras).map(canonicalName),
          ...(marker === undefined ? {} : { marker }),
        },
      ]
    }),
  )
}

/** What an extra needs stands among the dependencies, as optional, and by name at the extra. */
function extraEdges(pkg: Table): LockedEdge[] {
  const optional = table(pkg.dependencies)
  return Object.entries(table(pkg.extras)).flatMap(([extra, list]) =>
    texts(list).flatMap((text): LockedEdge[] => {
      const named = parseRequirement(text)
      if (!named) return []
      const key = Object.keys(optional).find((name) => canonicalName(name) === named.name)
      const said = table(key === undefined ? undefined : optional[key])
      // The marker repeats the extra that it belongs to.
      const marker = [markerOf(said), `extra == '${extra}'`]
        .filter((part) => part !== undefined)
        .map((part) => `(${part})`)
      return [
        { ...named, extras: [...named.extras, ...texts(said.extras).map(canonicalName)], marker: marker.join(' and ') },
      ]
    }),
  )
}

/** `markers`, and Poetry's own `python` ("<3.11") and `platform`. */
function markerOf({ markers, python, platform }: Table): string | undefined {
  const parts = [
    ...(typeof markers === 'string' ? [`(${markers})`] : []),
    ...(typeof python === 'string' ? pythonMarker(python) : []),
    ...(typeof platform === 'string' ? [`sys_platform == '${platform}'`] : []),
  ]
  return parts.length === 0 ? undefined : parts.join(' and ')
}

function pythonMarker(constraint: string): string[] {
  const range = pythonRange(constraint)
  return (range?.split(',') ?? []).map((bound) => bound.replace(/^(>=|<)(.+)$/, "python_full_version $1 '$2'"))
}
