import type { Package } from './package-graph.ts'

/**
 * For each package the one that stands for it: copies of one published version that find equal packages are one
 * package, laid out anew as npm would do it from scratch. Package managers leave such copies where another version was
 * in the way: between members of a workspace above all.
 *
 * @param own packages that only stand for themselves, whatever their version says
 */
export function equalPackages(
  packages: Iterable<Package>,
  own: (pkg: Package) => boolean,
): ReadonlyMap<Package, Package> {
  const all = [...packages]
  let classes = classify(all, (pkg) => `${pkg.name}\n${pkg.version}${own(pkg) ? `\n${pkg.real}` : ''}`)
  // Split until the packages of each class need packages of the same classes under the same names.
  for (let count = 0; count < new Set(classes.values()).size; ) {
    count = new Set(classes.values()).size
    const before = classes
    classes = classify(all, (pkg) => {
      const edges = pkg.edges.map(({ name, kind, target }) => `${name} ${kind} ${before.get(target)}`)
      return [before.get(pkg), ...edges.sort()].join('\n')
    })
  }
  const first = new Map<number, Package>()
  for (const [pkg, id] of classes) if (!first.has(id) || isHigher(pkg, first.get(id)!)) first.set(id, pkg)
  return new Map(all.map((pkg) => [pkg, first.get(classes.get(pkg)!)!]))
}

function classify(packages: readonly Package[], key: (pkg: Package) => string): Map<Package, number> {
  const ids = new Map<string, number>()
  return new Map(
    packages.map((pkg) => {
      const text = key(pkg)
      if (!ids.has(text)) ids.set(text, ids.size)
      return [pkg, ids.get(text)!]
    }),
  )
}

function isHigher(a: Package, b: Package): boolean {
  return a.real.length < b.real.length || (a.real.length === b.real.length && a.real < b.real)
}
