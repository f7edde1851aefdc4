import { readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'
import { compareNames } from '../archive/name-order.ts'
import { type Finding, finding } from '../errors.ts'
import { equalPackages } from './equal-packages.ts'
import { type PackageJson, readPackageJson } from './package-json.ts'

/** A package on disk: one real path, or several that hold equal copies ({@link equalPackages}). */
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
 *
 * @param importers `traced`: its node_modules hold exactly what is needed ({@link isTraced}), so all of that is asked
 *   for, what is not there is not missing, and nothing is looked for above
 */
export function readPackageGraph(
  importers: readonly { path: string; real: string; json: PackageJson; traced?: boolean }[],
): PackageGraph {
  const packages = new Map<string, Package>()
  const findings: Finding[] = []
  const found = new Map<string, string | undefined>()
  const traced = importers.filter((importer) => importer.traced).map(({ real }) => real)
  const tracedBy = (dir: string) => traced.find((real) => dir === real || dir.startsWith(`${real}${sep}`))

  const find = (name: string, from: string): string | undefined => {
    const top = tracedBy(from)
    for (let dir = from; ; dir = dirname(dir)) {
      if (basename(dir) !== 'node_modules') {
        const candidate = join(dir, 'node_modules', name)
        if (!found.has(candidate)) found.set(candidate, packageAt(candidate))
        const real = found.get(candidate)
        if (real !== undefined) return real
      }
      if (dir === top || dir === dirname(dir)) return undefined
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
      if (kind === 'dependency' && tracedBy(real) === undefined) {
        findings.push(finding('DEP_MISSING', path, { package: who, dependency: name }))
      }
      return []
    })

  const roots = importers.map(({ path, real, json, traced }) => {
    const file = join(path, 'package.json').replaceAll(sep, '/')
    const asked = traced ? { ...EMPTY, dependencies: installed(real) } : json
    return { path, real, edges: edgesOf(asked, real, json.name ?? (path || 'the project'), file) }
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
  const same = equalPackages(packages.values(), (pkg) => pkg.linked || tracedBy(pkg.real) !== undefined)
  const merged = (edges: readonly Edge[]) => edges.map((edge) => ({ ...edge, target: same.get(edge.target)! }))
  for (const edges of edgesByPackage.values()) edges.splice(0, edges.length, ...merged(edges))
  const mergedRoots = roots.map((root) => ({ ...root, edges: merged(root.edges) }))
  return {
    importers: mergedRoots,
    packages: new Map([...packages].filter(([, pkg]) => same.get(pkg) === pkg)),
    required: required(mergedRoots),
    findings,
    lookUp(name, from) {
      const pkg = packages.get(find(name, from) ?? '')
      return pkg && same.get(pkg)
    },
  }
}

/** The names of the packages in a folder's node_modules, each asked for in any version. */
function installed(folder: string): Record<string, string> {
  const list = (dir: string) => readdirSync(dir).filter((name) => !name.startsWith('.'))
  const modules = join(folder, 'node_modules')
  if (!statSync(modules, { throwIfNoEntry: false })) return {}
  const names = list(modules).flatMap((name) =>
    name.startsWith('@') ? list(join(modules, name)).map((inner) => `${name}/${inner}`) : [name],
  )
  return Object.fromEntries(names.map((name) => [name, '*']))
}

const EMPTY: PackageJson = {
  scripts: {},
  dependencies: {},
  devDependencies: {},
  optionalDependencies: {},
  peerDependencies: {},
  optionalPeers: [],
  bundled: [],
  commands: {},
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
