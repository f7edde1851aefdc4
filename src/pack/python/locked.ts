import { type Finding, fail, finding } from '../../errors.ts'
import type { Dependencies } from './dependencies.ts'
import { holds, type MarkerEnvironment } from './markers.ts'
import type { Requirement } from './requirement.ts'

/** A package as a lock file has it. */
export interface LockedPackage {
  /** In canonical form. */
  readonly name: string
  readonly version: string
  /** Of its wheels: `sha256:<hex>`. */
  readonly hashes: readonly string[]
  readonly edges: readonly LockedEdge[]
  /** Where it is not from an index: "git", "directory". */
  readonly foreign?: string
  /** Whether this one of several of its name is meant for the target. */
  readonly fits: boolean
}

/** The marker may ask for an extra of the package that the edge leaves. */
export interface LockedEdge extends Requirement {
  /** Where the lock says which of several. */
  readonly version?: string
}

/**
 * What is to be installed, from the project's own edges on: exact versions with the hashes of their wheels, so that pip
 * has nothing left to choose but the wheel that fits.
 */
export function lockedDependencies(
  from: string,
  packages: readonly LockedPackage[],
  roots: readonly LockedEdge[],
  markers: MarkerEnvironment,
): Dependencies {
  const extras = new Map<LockedPackage, Set<string>>()
  const findings: Finding[] = []
  const follow = (edges: readonly LockedEdge[], asked: ReadonlySet<string>): boolean => {
    let more = false
    for (const edge of edges) {
      if (!holds(edge.marker, markers, asked)) continue
      const target = targetOf(edge, packages)
      // What a lock does not hold, the wheels tell again: DEP_MISSING.
      if (!target) continue
      const known = extras.get(target) ?? new Set()
      more ||= !extras.has(target) || edge.extras.some((extra) => !known.has(extra))
      extras.set(target, new Set([...known, ...edge.extras]))
    }
    return more
  }
  const own = roots.filter(({ marker }) => holds(marker, markers))
  for (let more = follow(own, new Set()); more; ) {
    more = [...extras].map(([{ edges }, asked]) => follow(edges, asked)).includes(true)
  }
  const lines: string[] = []
  for (const { name, version, hashes, foreign } of extras.keys()) {
    if (foreign !== undefined) {
      findings.push(finding('DEP_SOURCE', from, { requirement: `${name} (${foreign})` }))
    } else if (hashes.length === 0) {
      findings.push(finding('WHEEL_MISSING', from, { package: `${name}==${version}`, target: 'any Python' }))
    } else if (!/^[\w.+!]+$/.test(version) || !/^[\w-]+$/.test(name) || !hashes.every((hash) => HASH.test(hash))) {
      throw fail('DEP_LOCK', from, {
        reason: `${name} has no name, version and hashes`,
        todo: 'the tool that wrote it',
      })
    } else lines.push(`${name}==${version} ${hashes.map((hash) => `--hash=${hash}`).join(' ')}`)
  }
  return { from, lines, roots: own, locked: true, findings }
}

const HASH = /^sha(?:256|384|512):[0-9a-f]+$/

function targetOf({ name, version }: LockedEdge, packages: readonly LockedPackage[]): LockedPackage | undefined {
  const named = packages.filter((pkg) => pkg.name === name && (version === undefined || pkg.version === version))
  return named.find(({ fits }) => fits) ?? named[0]
}
