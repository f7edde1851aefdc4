import type { Dependencies } from './dependencies.ts'
import { type LockedEdge, type LockedPackage, lockedDependencies } from './locked.ts'
import { canonicalName, holds, type MarkerEnvironment } from './markers.ts'
import { readToml, type Table, table, texts } from './pyproject.ts'

/** uv.lock; https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile */
export function readUvLock(root: string, markers: MarkerEnvironment): Dependencies | undefined {
  const lock = readToml(root, 'uv.lock')
  if (!lock) return undefined
  const all = tables(lock.package)
  const project = all.find(({ source }) => isProject(table(source)))
  const packages = all.filter((pkg) => pkg !== project).map((pkg) => locked(pkg, markers))
  return lockedDependencies('uv.lock', packages, edges(project?.dependencies), markers)
}

function isProject({ virtual, editable }: Table): boolean {
  return virtual === '.' || editable === '.'
}

function locked(pkg: Table, markers: MarkerEnvironment): LockedPackage {
  const { registry, ...other } = table(pkg.source)
  const [foreign] = Object.keys(other)
  const forks = texts(pkg['resolution-markers'])
  const optional = Object.entries(table(pkg['optional-dependencies'])).flatMap(([extra, list]) =>
    edges(list).map((edge) => ({ ...edge, marker: bothOf(edge.marker, `extra == '${extra}'`) })),
  )
  return {
    name: canonicalName(String(pkg.name)),
    version: String(pkg.version ?? '0'),
    hashes: tables(pkg.wheels).flatMap(({ hash }) => (typeof hash === 'string' ? [hash] : [])),
    edges: [...edges(pkg.dependencies), ...optional],
    fits: forks.length === 0 || forks.some((marker) => holds(marker, markers)),
    ...(registry === undefined && foreign !== undefined ? { foreign } : {}),
  }
}

function edges(list: unknown): LockedEdge[] {
  return tables(list).map(({ name, version, marker, extra }) => ({
    name: canonicalName(String(name)),
    extras: texts(extra).map(canonicalName),
    ...(typeof version === 'string' ? { version } : {}),
    ...(typeof marker === 'string' ? { marker } : {}),
  }))
}

function bothOf(a: string | undefined, b: string): string {
  return a === undefined ? b : `(${a}) and ${b}`
}

export function tables(value: unknown): readonly Table[] {
  return Array.isArray(value) ? value.map(table) : []
}
