import type { Finding } from '../errors.ts'
import { didYouMean } from './did-you-mean.ts'
import { type NamedPath, pathsOf } from './manifest-loose.ts'
import { type ParsedManifest, placed } from './manifest-parse.ts'
import { broken } from './manifest-rule.ts'
import type { Manifest } from './manifest-types.ts'
import { collisionKey, foldersAbove } from './name-table.ts'

/**
 * Rule R22: every path of the manifest is an entry of the archive, byte for byte, and a file or a folder as it must be;
 * a data folder may be absent. MANIFEST_PATH.
 *
 * @param has what the archive (or a project's folder) holds under a path without a slash at the end
 * @param names every name there, to suggest the one that was meant; read only when something is found
 * @param parsed what {@link parseManifest} returned: findings carry line and column
 */
export function checkManifestPaths(
  manifest: Manifest,
  has: (path: string) => 'file' | 'dir' | undefined,
  names: Iterable<string>,
  parsed: Pick<ParsedManifest, 'locate'>,
  file = 'zapp.json',
): readonly Finding[] {
  const findings: Finding[] = []
  let meant: ((value: string) => string) | undefined
  for (const { at, value, want } of pathsOf(manifest.source)) {
    const found = has(value)
    const wanted = want === 'file' ? 'file' : 'dir'
    if (found === wanted || (found === undefined && want === 'data')) continue
    meant ??= createHints(names)
    const hint = found === undefined ? meant(value) : WRONG_KIND[want]
    const trouble = broken('R22', at, 'an entry of the archive', value, { code: 'MANIFEST_PATH', hint })
    findings.push(placed(trouble, file, parsed))
  }
  return findings
}

const WRONG_KIND: Readonly<Record<NamedPath['want'], string>> = {
  file: ' (a folder; a file must stand here)',
  folder: ' (a file; a folder must stand here)',
  data: ' (a file; a folder must stand here)',
}

/** Looking for a slip costs a pass over all names; the first findings are the ones that are read. */
const MOST_SLIPS = 10

/** Case first: it is the mistake that works on the author's machine. Then slips of the keyboard. */
function createHints(names: Iterable<string>): (value: string) => string {
  const known = new Map<string, string>()
  for (const name of names) {
    // Folders need no entry of their own.
    for (const folder of foldersAbove(name)) known.set(collisionKey(folder), folder)
    if (!name.endsWith('/')) known.set(collisionKey(name), name)
  }
  let slips = 0
  return (value) => {
    const meant =
      known.get(collisionKey(value)) ?? (slips++ < MOST_SLIPS ? didYouMean(value, known.values()) : undefined)
    return meant === undefined ? '' : ` (did you mean ${JSON.stringify(meant)}?)`
  }
}
