import { type Finding, finding } from '../errors.ts'
import type { FilesBelow } from './files-below.ts'
import type { Manifest } from './manifest-types.ts'

/**
 * Rule E15: each file below a static route's folder is a row in the table of that route, so rows are what a mount costs,
 * and a short manifest could ask for any number of them. MANIFEST_STATIC_FILES.
 *
 * @param limit rows of all routes together
 */
export function checkStaticFiles({ routes }: Manifest, below: FilesBelow, limit: number): Finding[] {
  let rows = 0
  for (const { pattern, target } of routes) {
    if (target.kind === 'static' && pattern.kind !== 'exact') rows += below.count(target.path)
  }
  return rows > limit ? [finding('MANIFEST_STATIC_FILES', 'zapp.json', { limit, got: rows })] : []
}
