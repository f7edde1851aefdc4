import { type Finding, warning } from '../errors.ts'
import { limitsWith } from '../format/limits.ts'
import type { Manifest } from '../format/manifest-types.ts'
import type { OpenOptions } from './archive.ts'
import { ContentReader } from './content-reader.ts'
import { CONTENTS, SIGNATURE } from './contents-index.ts'
import { foldersOf } from './folders.ts'
import { BUILD_INFO, MANIFEST, METADATA, MIMETYPE, readHoldings, SBOM } from './holdings.ts'
import { type RawEntry, readLayout } from './layout.ts'
import { compareNames } from './name-order.ts'
import { type ArchiveInput, toSource } from './source.ts'

export interface ValidateOptions extends OpenOptions {
  readonly signal?: AbortSignal
}

export interface Validation {
  /** No finding of level error. */
  readonly valid: boolean
  /** Errors in the pinned order, then warnings. */
  readonly findings: readonly Finding[]
  /** Absent when it cannot be read, or has errors. */
  readonly manifest?: Manifest
  /** As far as it could be read: the text that line and column of the manifest's findings point into. */
  readonly manifestText?: string
}

/**
 * Every finding (of one pass of the layout at most 1,000): the layout, what every archive must hold, the manifest, the
 * content of every entry, and as warnings what a packer should have done. An archive whose layout is wrong is not read
 * any further: where entries are not where they should be, everything else would be a guess.
 *
 * @throws ZappError NOT_FOUND, NOT_A_FILE, IO
 */
export async function validateArchive(input: ArchiveInput, options: ValidateOptions = {}): Promise<Validation> {
  const limits = limitsWith(options.limits)
  const source = await toSource(input)
  try {
    const layout = await readLayout(source, limits)
    if (layout.findings.length > 0) return { valid: false, findings: layout.findings }

    const reader = new ContentReader(source)
    const holdings = await readHoldings(reader, layout.entries, { limits })
    const { findings } = holdings
    const entries = [...holdings.entries.values()]
    // What was wrong with the entries that have been read already is not said twice.
    const known = new Set(findings.map(identity))
    const content = (await reader.verifyAll(entries, options.signal)).filter((found) => !known.has(identity(found)))

    const errors = [...findings.filter(({ severity }) => severity === 'error'), ...content]
    const warnings = [...findings.filter(({ severity }) => severity === 'warning'), ...checkDuties(entries)]
    const { manifest, manifestText } = holdings
    return {
      valid: errors.length === 0,
      findings: [...errors, ...warnings],
      ...(manifest && { manifest }),
      ...(manifestText !== undefined && { manifestText }),
    }
  } finally {
    await source.close()
  }
}

function identity({ code, path }: Finding): string {
  return `${code} ${path}`
}

/** What every packer should do and no loader depends on. FORMAT.md §Order. */
function checkDuties(entries: readonly RawEntry[]): Finding[] {
  const warnings: Finding[] = []
  const unsorted = entries.find((entry, i) => i > 0 && compareOrder(entries[i - 1]!.path, entry.path) > 0)
  if (unsorted) {
    const other = entries[unsorted.index - 1]!.path
    warnings.push(warning('ENTRY_ORDER', unsorted.path, { name: unsorted.path, other }))
  }
  const names = new Set<string>(entries.map(({ path }) => path))
  for (const folder of foldersOf(names)) {
    // ZAPP-INF itself needs none: only its library is read by tools that look for folders.
    const isMissing = folder !== METADATA && !names.has(folder)
    if (isMissing) warnings.push(warning('FOLDER_MISSING', folder, { name: folder }))
  }
  for (const name of [SBOM, BUILD_INFO]) {
    if (!names.has(name)) warnings.push(warning('METADATA_MISSING', name, { name }))
  }
  return warnings
}

/** mimetype, zapp.json, names by their UTF-8 bytes, then Zapp's metadata, so that a writer needs one pass. */
function compareOrder(a: string, b: string): number {
  return rank(a) - rank(b) || compareNames(a, b)
}

const FIRST = [MIMETYPE, MANIFEST]
const LAST = [SBOM, BUILD_INFO, CONTENTS, SIGNATURE]

function rank(path: string): number {
  const first = FIRST.indexOf(path)
  return first >= 0 ? first - FIRST.length : LAST.indexOf(path) + 1
}
