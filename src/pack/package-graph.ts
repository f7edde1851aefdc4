import { realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'
import { compareNames } from '../archive/name-order.ts'
import { type Finding, finding } from '../errors.ts'
import { type PackageJson, readPackageJson } from './package-json.ts'

/** A package on disk. One real path is one package: what Node loads as one module instance. */
export interface Package {
  /** Folder, links resolved. */
  readonly real: string
  readonly name: string
  readonly version: string
  readonly json: PackageJson
  /** Its real path lies in no node_modules: a workspace member or a `file:` link, not published content. */
  readonly linked: boolean
  readonly edges: readonly Edge[]
}

/** `name` is what the code writes in `require(name)`, the target is what Node finds there on this disk. */
export interface Edge {
  readonly name: string
  readonly kind: Kind
  readonly target: Package
}

type Kind = 'dependency' | 'optional' | 'peer' | 'optional peer'

/** A folder of the project whose package.json asks for packages: the project itself, or a member inside it. */
export interface Importer {
  /** Its path in the archive: "" for the project itself. */
  readonly path: string
  readonly real: string
  readonly edges: readonly Edge[]
}

export interface PackageGraph {
  /** Parents before their children. */
  readonly importers: readonly Importer[]
  /** By real path. */
  readonly packages: ReadonlyMap<string, Package>
  /** Packages that are needed even where every optional dependency is absent. */
  readonly required: ReadonlySet<Package>
  /** DEP_MISSING, all of them. */
  readonly findings: readonly Finding[]
  /** What Node finds for a name from a folder, if it is one of {@link packages}. */
  lookUp(name: string, from: string): Package | undefined
}

/**
 * Walks the production dependencies of the importers as Node resolves them: for each folder upwards
 * `node_modules/<name>`, links followed, the package's identity its real path. So npm, pnpm, yarn and their workspaces
 * are all the same to it. devDependencies are not followed.
 */
export function readPackageGraph(
  importers: readonly { path: string; real: string; json: PackageJson }[],
): PackageGraph {
  const packages = new Map<string, Package>()
  const findings: Finding[] = []
  const found = new Map<string, string | undefined>()

  const find = (name: string, from: string): string | undefined => {
    for (let dir = from; ; dir = dirname(dir)) {
      if (basename(dir) !== 'node_modules') {
        const candidate = join(dir, 'node_modules', name)
        if (!found.has(candidate)) found.set(candidate, packageAt(candidate))
        const real = found.get(candidate)
        if (real !== undefined) return real
      }
      if (dir === dirname(dir)) return undefined
    }
  }

  // Packages refer to each other in cycles: each is entered first, and its edges are filled in later.
  const edgesByPackage = new Map<Package, Edge[]>()
  const enter = (real: string, name: string): Package => {
    const known = packages.get(real)
    if (known) return known
    const json = readPackageJson(real) ?? EMPTY
    const edges: Edge[] = []
    const linked = !real.split(sep).includes('node_modules')
    const pkg = { real, name: json.name ?? name, version: json.version ?? '0.0.0', json, linked, edges }
    packages.set(real, pkg)
    edgesByPackage.set(pkg, edges)
    return pkg
  }
  const edgesOf = (json: PackageJson, real: string, who: string, path: string): Edge[] =>
    wanted(json).flatMap(([name, kind]): Edge[] => {
      if (kind === 'optional peer') return []
      const target = find(name, real)
      if (target !== undefined) return [{ name, kind, target: enter(target, name) }]
      // A missing peer is between the app and its package manager: on this disk the code runs without it.
      if (kind === 'dependency') findings.push(finding('DEP_MISSING', path, { package: who, dependency: name }))
      return []
    })

  const roots = importers.map(({ path, real, json }) => {
    const file = join(path, 'package.json').replaceAll(sep, '/')
    return { path, real, edges: edgesOf(json, real, json.name ?? (path || 'the project'), file) }
  })
  // Grows while it is walked.
  for (const [pkg, edges] of edgesByPackage)
    edges.push(...edgesOf(pkg.json, pkg.real, `${pkg.name}@${pkg.version}`, ''))
  // An optional peer ships only where something else needs it: alone it is what development brought along.
  for (const [{ json, real }, edges] of edgesByPackage) {
    for (const [name, kind] of wanted(json)) {
      const target = kind === 'optional peer' ? packages.get(find(name, real) ?? '') : undefined
      if (target) edges.push({ name, kind, target })
    }
  }
  return {
    importers: roots,
    packages,
    required: required(roots),
    findings,
    lookUp(name, from) {
      const real = find(name, from)
      return real === undefined ? undefined : packages.get(real)
    },
  }
}

const EMPTY: PackageJson = {
  scripts: {},
  dependencies: {},
  devDependencies: {},
  optionalDependencies: {},
  peerDependencies: {},
  optionalPeers: [],
  bundled: [],
  bin: [],
}

/** The names that a package asks for, each once; optional wins over dependency, as npm has it. */
function wanted(json: PackageJson): (readonly [name: string, kind: Kind])[] {
  const kinds = new Map<string, Kind>()
  for (const name of Object.keys(json.peerDependencies)) kinds.set(name, 'peer')
  for (const name of json.optionalPeers) kinds.set(name, 'optional peer')
  for (const name of json.bundled) kinds.set(name, 'optional')
  for (const name of Object.keys(json.dependencies)) kinds.set(name, 'dependency')
  for (const name of Object.keys(json.optionalDependencies)) kinds.set(name, 'optional')
  return [...kinds].sort(([a], [b]) => compareNames(a, b))
}

/**
 * The real path of the package at `node_modules/<name>`. As with `require`, a folder with neither package.json nor
 * index file is passed over: npm leaves such folders behind, holding only a node_modules of their own.
 */
function packageAt(candidate: string): string | undefined {
  const kind = (path: string) => {
    try {
      return statSync(path, { throwIfNoEntry: false })
    } catch {
      return undefined
    }
  }
  if (!kind(candidate)?.isDirectory()) return undefined
  const loadable = ['package.json', 'index.js', 'index.json', 'index.node'].some((file) =>
    kind(join(candidate, file))?.isFile(),
  )
  return loadable ? realpathSync.native(candidate) : undefined
}

function required(importers: readonly Importer[]): ReadonlySet<Package> {
  const reached = new Set<Package>()
  const queue = importers.flatMap(({ edges }) => edges)
  for (let edge = queue.shift(); edge; edge = queue.shift()) {
    if (edge.kind.startsWith('optional') || reached.has(edge.target)) continue
    reached.add(edge.target)
    queue.push(...edge.target.edges)
  }
  return reached
}
