import { type Finding, finding } from '../errors.ts'
import type { ContentsRow } from '../format/contents.ts'
import type { RawEntry } from './layout.ts'

export const CONTENTS = 'ZAPP-INF/contents.json'
export const SIGNATURE = 'ZAPP-INF/signature.dsse.json'

/** Whether contents.json must have a row for an entry: every file but itself and the signature. */
export function isListed(entry: Pick<RawEntry, 'kind' | 'path'>): boolean {
  return entry.kind === 'file' && entry.path !== CONTENTS && entry.path !== SIGNATURE
}

/**
 * Compares contents.json with the directory: the same files in the same order, each with its size and mode; the two
 * files that have no row are 0644. The SHA-256 of a row is a claim until the content has been read.
 */
export function compareContents(rows: readonly ContentsRow[], entries: readonly RawEntry[]): Finding[] {
  const listed = entries.filter(isListed)
  const findings: Finding[] = []
  const mismatch = (path: string, what: string, expected: string | number, got: string | number) =>
    findings.push(finding('INDEX_MISMATCH', path, { what, expected, got }))

  for (const entry of entries) {
    const isOwn = entry.path === CONTENTS || entry.path === SIGNATURE
    if (isOwn && entry.mode !== 0o644) mismatch(entry.path, 'its mode', '0644', '0755')
  }
  const sameNames = rows.length === listed.length && listed.every((entry, i) => entry.path === rows[i]!.path)
  const byPath = sameNames ? undefined : new Map(rows.map((row) => [row.path, row]))
  for (const [i, entry] of listed.entries()) {
    const row = byPath ? byPath.get(entry.path) : rows[i]!
    byPath?.delete(entry.path)
    if (row === undefined) {
      mismatch(entry.path, 'the number of its rows in contents.json', 1, 0)
      continue
    }
    if (row.size !== entry.size) mismatch(entry.path, 'its size in contents.json', entry.size, row.size)
    const mode = entry.mode === 0o755 ? '0755' : '0644'
    if (row.mode !== mode) mismatch(entry.path, 'its mode in contents.json', mode, row.mode)
  }
  if (byPath) {
    for (const path of byPath.keys()) mismatch(path, 'the number of its rows in contents.json', 0, 1)
    // Every file has a row and every row a file, so what differs is the order, or a row that is there twice.
    const out = rows.findIndex((row, i) => row.path !== listed[i]?.path)
    if (findings.length === 0) mismatch(rows[out]!.path, 'the order of contents.json', 'the order of the archive', out)
  }
  return findings
}
