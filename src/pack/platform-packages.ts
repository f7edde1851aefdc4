import type { Package, PackageGraph } from './package-graph.ts'

/** Systems in the names of packages: `@esbuild/linux-x64`, `@img/sharp-win32-x64`, `argon2-wasm32-wasi`. */
const SYSTEM = /[-/](?<system>linux|darwin|win32|windows|freebsd|openbsd|netbsd|android|sunos|wasm32)(?:-|$)/

/**
 * Packages that hold the native code of another one for one system, each with that other one: it names one for every
 * system as optional dependencies, package managers install those that fit, and it does not run without. One that has
 * WebAssembly installed runs anywhere. A single optional package (fsevents) is what it says: optional.
 */
export function platformPackages(graph: PackageGraph): ReadonlyMap<Package, Package> {
  const parents = new Map<Package, Package>()
  for (const parent of graph.packages.values()) {
    const named = Object.keys(parent.json.optionalDependencies).map(systemOf)
    if (new Set(named.filter((system) => system !== undefined)).size < 2) continue
    const installed = parent.edges.filter(({ name, kind }) => kind === 'optional' && systemOf(name) !== undefined)
    if (installed.some(({ name }) => systemOf(name) === 'wasm32')) continue
    for (const { target } of installed) parents.set(target, parent)
  }
  return parents
}

function systemOf(name: string): string | undefined {
  return SYSTEM.exec(name)?.groups?.system
}
