import { resolve as resolvePath } from 'node:path'
import { type Finding, finding } from '../errors.ts'
import type { Edge, Importer, Package, PackageGraph } from './package-graph.ts'

/** A package at its place in the archive: `node_modules/a/node_modules/b`. */
export interface Placement {
  readonly path: string
  readonly pkg: Package
}

/** A folder whose node_modules hold packages: an importer, or a placed package. */
interface Place {
  readonly path: string
  /** Its folder on disk. */
  readonly real: string
  readonly pkg?: Package
  readonly parent?: Place
  readonly depth: number
  readonly edges: readonly Edge[]
  /** Its own node_modules. */
  readonly children: Map<string, Place>
  /** Names that something below resolves by looking past this folder: another package here would catch them. */
  readonly passing: Map<string, Package>
}

// Packages that need each other's old versions in a ring nest without end; npm cannot lay them out either. Real trees
// of 500 packages have less than 100 second copies, five folders deep.
const MAX_DEPTH = 30
const MAX_COPIES = 20

/**
 * Re-lays node_modules: every package of the graph as a plain folder, as high up as no other version is in the way, so
 * that each edge leads to the package that Node finds on this disk. What lies at the top on disk keeps its place, so
 * code that asks for a package without declaring it finds the same one.
 *
 * Packages are told apart by their real path: pnpm has one for each set of peers. A package whose peers differ from
 * those at the top is nested together with its peers, so that both sides keep sharing one instance.
 */
export function relay(graph: PackageGraph): { placements: readonly Placement[]; findings: readonly Finding[] } {
  const findings: Finding[] = []
  const places: Place[] = []
  for (const importer of graph.importers) {
    const parent = places.findLast(({ path }) => path === '' || importer.path.startsWith(`${path}/`))
    places.push(place(importer.path, importer, parent))
  }
  const importers = places.length
  const most = importers + MAX_COPIES * graph.packages.size

  const settle = (from: Place, edge: Edge, lowest: Place): void => {
    const { name, target } = edge
    if (answer(from, name, from)?.pkg !== target) {
      const at = homeOf(lowest, edge, graph) ?? (lowest === from ? undefined : homeOf(from, edge, graph))
      if (!at || at.depth > MAX_DEPTH || places.length >= most) return
      const added = place(join(at.path, `node_modules/${name}`), target, at, target)
      at.children.set(name, added)
      places.push(added)
      // Peers first, beside the package and not below it: the folder it lies in is where its user finds them too.
      for (const peer of target.edges) if (isPeer(peer)) settle(added, peer, at)
    }
    const home = answer(from, name, from)?.at
    for (let p: Place | undefined = from; p && p !== home; p = p.parent) p.passing.set(name, target)
  }
  // `places` grows while it is walked: breadth first, so that what is asked for higher up is placed first.
  for (const from of places) for (const edge of from.edges) settle(from, edge, from)

  const placements = places.slice(importers).map(({ path, pkg }) => ({ path, pkg: pkg! }))
  findings.push(...check(graph, placements))
  return { placements, findings }
}

function place(path: string, { real, edges }: Importer | Package, parent?: Place, pkg?: Package): Place {
  const above = parent ? { parent, depth: parent.depth + 1 } : { depth: 0 }
  return { path, real, edges, ...above, ...(pkg ? { pkg } : {}), children: new Map(), passing: new Map() }
}

/**
 * What is found for `name` from a folder, and the folder that answers: the first upwards that holds it, or that asks
 * for it itself (other than `asker`) and so will hold it, or see it above, once its turn comes.
 */
function answer(from: Place, name: string, asker?: Place): { pkg: Package; at: Place } | undefined {
  for (let at: Place | undefined = from; at; at = at.parent) {
    const pkg = at.children.get(name)?.pkg ?? (at === asker ? undefined : wish(at, name))
    if (pkg) return { pkg, at }
  }
  return undefined
}

function wish(p: Place, name: string): Package | undefined {
  return p.edges.find((edge) => edge.name === name)?.target
}

function isPeer({ kind }: Edge): boolean {
  return kind === 'peer' || kind === 'optional peer'
}

/**
 * Where the edge's target goes: where it lies on disk, if that is in a folder above (npm and yarn nest like this, and
 * the fewest copies come of following them); else the highest folder that can take it and lets it find its peers.
 */
function homeOf(from: Place, edge: Edge, graph: PackageGraph): Place | undefined {
  let best: Place | undefined
  let lowest: Place | undefined
  for (const p of free(from, edge, graph)) {
    lowest ??= p
    if (resolvePath(p.real, 'node_modules', edge.name) === edge.target.real) return p
    if (peersFit(p, edge.target, graph)) best = p
  }
  return best ?? lowest
}

/** The folders, from `from` upwards, that can take the edge's target without changing what anyone finds. */
function* free(from: Place, { name, target }: Edge, graph: PackageGraph): Generator<Place> {
  for (let p: Place | undefined = from; p; p = p.parent) {
    const passing = p.passing.get(name) ?? wish(p, name)
    if (p.children.has(name) || (passing && passing !== target)) return
    // What an importer finds on disk without asking for it, it shall find in the archive.
    const onDisk = p.pkg ? undefined : graph.lookUp(name, p.real)
    if (!onDisk || onDisk === target) yield p
  }
}

/** Whether the package, placed here, would find its peers, now or once they are placed here or above. */
function peersFit(p: Place, pkg: Package, graph: PackageGraph): boolean {
  return pkg.edges.every((edge) => {
    if (!isPeer(edge)) return true
    const found = answer(p, edge.name)?.pkg
    return found ? found === edge.target : free(p, edge, graph).next().done === false
  })
}

/** Resolves every edge again in the result, by paths alone. */
function check(graph: PackageGraph, placements: readonly Placement[]): Finding[] {
  const byPath = new Map(placements.map(({ path, pkg }) => [path, pkg]))
  const from = [
    ...graph.importers.map(({ path, edges }) => ({ path, edges, who: path || 'the project' })),
    ...placements.map(({ path, pkg }) => ({ path, edges: pkg.edges, who: path })),
  ]
  return from.flatMap(({ path, edges, who }) =>
    edges.flatMap(({ name, target }) => {
      const got = resolve(path, name, byPath)
      if (got === target) return []
      const expected = `${target.name}@${target.version}`
      const args = { package: who, dependency: name, expected, got: got ? `${got.name}@${got.version}` : 'nothing' }
      return [finding('DEP_RELAY', path, args)]
    }),
  )
}

/** Node's algorithm (modules.html, "Loading from node_modules folders"), on the paths of the archive. */
function resolve(from: string, name: string, packages: ReadonlyMap<string, Package>): Package | undefined {
  const parts = from === '' ? [] : from.split('/')
  for (let n = parts.length; n >= 0; n--) {
    if (parts[n - 1] === 'node_modules') continue
    const found = packages.get(join(parts.slice(0, n).join('/'), `node_modules/${name}`))
    if (found) return found
  }
  return undefined
}

function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`
}
