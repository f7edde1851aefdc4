import { type Finding, finding } from '../../errors.ts'
import type { PlannedFile, PlannedPackage } from '../plan.ts'
import type { Dependencies } from './dependencies.ts'
import { holds, type MarkerEnvironment } from './markers.ts'
import { parseRequirement, type Requirement } from './requirement.ts'
import type { Wheel } from './wheel.ts'

/** The folder that holds what is imported beside the app's own modules. */
export const LIBRARY = 'ZAPP-INF/lib'

/** A distribution, and who needs whom. */
export interface PythonPackage {
  readonly name: string
  readonly version: string
  readonly license?: string
  /** The package's own folder in the archive, that of its metadata. */
  readonly path: string
  /** Of a package index: then it has a package URL. */
  readonly published: boolean
  readonly needs: readonly PythonPackage[]
}

export interface PythonLibrary {
  readonly files: readonly PlannedFile[]
  readonly packages: readonly PythonPackage[]
  /** What the app itself asks for. */
  readonly roots: readonly PythonPackage[]
  readonly findings: readonly Finding[]
  /** Requirements, without markers, that no wheel meets. */
  readonly missing: readonly string[]
}

/**
 * Lays wheels beside each other and resolves every requirement of each again, for the target: pip judges markers for
 * the Python that it runs in.
 *
 * @param provided names in canonical form that the container supplies
 */
export function layLibrary(
  wheels: readonly Wheel[],
  { roots }: Pick<Dependencies, 'roots'>,
  markers: MarkerEnvironment,
  provided: ReadonlySet<string>,
): PythonLibrary {
  const { files, findings } = spread(wheels)
  const edges = resolveEdges(wheels, roots, markers, provided)
  const packages = new Map<string, PythonPackage & { needs: PythonPackage[] }>()
  for (const { id, name, version, license, info } of wheels) {
    const known = license === undefined ? {} : { license }
    packages.set(id, { name, version, ...known, path: `${LIBRARY}/${info}`, published: true, needs: [] })
  }
  for (const [id, needs] of edges.needs) for (const need of needs) packages.get(id)?.needs.push(packages.get(need)!)
  return {
    files,
    packages: [...packages.values()],
    roots: [...new Set(roots.map(({ name }) => packages.get(name)).filter((found) => found !== undefined))],
    findings: [...findings, ...edges.findings],
    missing: edges.missing,
  }
}

function spread(wheels: readonly Wheel[]) {
  const laid = new Map<string, { wheel: Wheel; sha256: string }>()
  const files: PlannedFile[] = []
  const findings: Finding[] = []
  for (const wheel of wheels) {
    for (const { path, size, sha256, method, stored, addon } of wheel.files) {
      const other = laid.get(path)
      if (other && other.sha256 !== sha256) {
        const args = { package: distribution(wheel), other: distribution(other.wheel) }
        findings.push(finding('WHEEL_CONFLICT', `${LIBRARY}/${path}`, args))
      }
      if (other) continue
      laid.set(path, { wheel, sha256 })
      files.push({
        path: `${LIBRARY}/${path}`,
        source: { method, stored },
        size,
        mtimeMs: 0,
        dependency: true,
        package: `${LIBRARY}/${wheel.info}`,
        ...(addon ? { addon } : {}),
      })
    }
  }
  return { files, findings }
}

/** The extras that each package is asked for decide what it needs, so this goes on until nothing is new. */
function resolveEdges(
  wheels: readonly Wheel[],
  roots: readonly Requirement[],
  markers: MarkerEnvironment,
  provided: ReadonlySet<string>,
) {
  const extras = new Map<string, Set<string>>(wheels.map(({ id }) => [id, new Set()]))
  const needs = new Map<string, Set<string>>(wheels.map(({ id }) => [id, new Set()]))
  const missing = new Map<string, Finding>()
  const wanted = new Set<string>()
  const ask = (who: string, text: string, { name, extras: asked, url }: Requirement, path: string): void => {
    if (!extras.has(name) && !provided.has(name)) {
      missing.set(`${who} ${name}`, finding('DEP_MISSING', path, { package: who, dependency: name }))
      // A wheel may name an address; only the project may have things fetched from one.
      if (url === undefined) wanted.add(text.replace(/\s*;.*$/, ''))
    }
    for (const extra of asked) extras.get(name)?.add(extra)
  }
  for (const root of roots) if (holds(root.marker, markers)) ask('the project', root.name, root, '')
  for (let before = -1, now = 0; before !== now; ) {
    before = now
    for (const wheel of wheels) {
      for (const text of wheel.requires) {
        const requirement = parseRequirement(text)
        if (!requirement || !holds(requirement.marker, markers, extras.get(wheel.id))) continue
        ask(distribution(wheel), text, requirement, `${LIBRARY}/${wheel.info}/METADATA`)
        if (extras.has(requirement.name)) needs.get(wheel.id)?.add(requirement.name)
      }
    }
    now = [...extras.values(), ...needs.values()].reduce((sum, set) => sum + set.size, 0)
  }
  return { needs, missing: [...wanted], findings: [...missing.values()] }
}

/** Packages that the roots lead to. */
export function reached(roots: readonly PythonPackage[]): ReadonlySet<PythonPackage> {
  const all = new Set(roots)
  // Grows while it is walked.
  for (const { needs } of all) for (const need of needs) all.add(need)
  return all
}

function distribution({ name, version }: Pick<Wheel, 'name' | 'version'>): string {
  return `${name} ${version}`
}

export function plannedPackage({ name, version, license, path }: PythonPackage): PlannedPackage {
  return { name, version, path, ...(license === undefined ? {} : { license }), optional: false }
}
