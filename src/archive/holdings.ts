import { createHash } from 'node:crypto'
import { type Finding, finding } from '../errors.ts'
import { parseContents } from '../format/contents.ts'
import { isFault } from '../format/fault.ts'
import { FilesBelow } from '../format/files-below.ts'
import type { Limits } from '../format/limits.ts'
import { parseManifest } from '../format/manifest-parse.ts'
import { checkManifestPaths } from '../format/manifest-paths.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { checkStaticFiles } from '../format/static-files.ts'
import type { ArchiveEntry } from './archive.ts'
import { findingOf } from './content.ts'
import type { ContentReader } from './content-reader.ts'
import { CONTENTS, compareContents, isListed, SIGNATURE } from './contents-index.ts'
import { foldersOf } from './folders.ts'
import type { RawEntry } from './layout.ts'

export const MIMETYPE = 'mimetype'
export const MANIFEST = 'zapp.json'
const MEDIA_TYPE = 'application/vnd.zapp+zip'

export const METADATA = 'ZAPP-INF/'
export const SBOM = 'ZAPP-INF/sbom.cdx.json'
export const BUILD_INFO = 'ZAPP-INF/build.json'
const LIBRARY = 'ZAPP-INF/lib/'
const RESERVED: ReadonlySet<string> = new Set([METADATA, SBOM, BUILD_INFO, CONTENTS, SIGNATURE])

export interface Holdings {
  readonly entries: ReadonlyMap<string, ArchiveEntry>
  readonly findings: readonly Finding[]
  /** "" without a contents.json that can be read. */
  readonly contentDigest: string
  /** Absent when it cannot be read, or has errors. */
  readonly manifest?: Manifest | undefined
  readonly manifestText?: string | undefined
}

/**
 * What makes a zip of the right layout a .zapp, in this order: the entries that must be there and where (MIMETYPE,
 * MANIFEST_MISSING, RESERVED_NAME, SIG_POSITION), contents.json against the directory, the content of mimetype, the
 * manifest, its paths. FORMAT.md §Entries.
 */
export async function readHoldings(
  reader: ContentReader,
  raw: readonly RawEntry[],
  options: { readonly limits: Limits },
): Promise<Holdings> {
  const findings = checkPlaces(raw)
  const contentDigest = await readIndex(reader, raw, findings)
  const entries = new Map<string, ArchiveEntry>()
  for (const entry of raw) entries.set(entry.path, entry)

  const [first, second] = raw
  if (first?.path === MIMETYPE && first.size === MEDIA_TYPE.length) {
    const content = await readEntry(reader, first, findings)
    if (content && content.toString('latin1') !== MEDIA_TYPE) {
      findings.push(finding('MIMETYPE', MIMETYPE, { got: content.toString('latin1') }))
    }
  }
  const manifest = second?.path === MANIFEST ? await readManifest(reader, second, entries, options, findings) : {}
  return { entries, findings, contentDigest, ...manifest }
}

/** The rules that the directory alone decides. */
function checkPlaces(entries: readonly RawEntry[]): Finding[] {
  const findings: Finding[] = []
  const [first, second] = entries
  if (first?.path !== MIMETYPE || first.method !== 'stored' || first.size !== MEDIA_TYPE.length) {
    const got = first ? `${first.path}, ${first.method}, ${first.size} bytes` : 'no entry'
    findings.push(finding('MIMETYPE', MIMETYPE, { got }))
  }
  if (second?.path !== MANIFEST)
    findings.push(finding('MANIFEST_MISSING', MANIFEST, { got: second?.path ?? 'no entry' }))

  for (const { path } of entries) {
    if (path.startsWith(METADATA) && !RESERVED.has(path) && !path.startsWith(LIBRARY)) {
      findings.push(finding('RESERVED_NAME', path, { name: path }))
    }
  }
  const signature = entries.find((entry) => entry.path === SIGNATURE)
  if (signature && signature.index !== entries.length - 1) {
    findings.push(finding('SIG_POSITION', SIGNATURE, { got: signature.index + 1 }))
  }
  return findings
}

/** Reads contents.json, gives each entry its SHA-256, and returns the digest of the file; "" if it cannot be read. */
async function readIndex(reader: ContentReader, entries: readonly RawEntry[], findings: Finding[]): Promise<string> {
  const entry = entries.find(({ path }) => path === CONTENTS)
  const wrong = (what: string, expected: string, got: string | number) => {
    findings.push(finding('INDEX_MISMATCH', CONTENTS, { what, expected, got }))
    return ''
  }
  if (entry === undefined) return wrong('the index', 'an entry', 'none')
  // The rows follow from the directory, so their length is known: an index that is far too long is not read.
  const most = entries.reduce((sum, { path }) => sum + Buffer.byteLength(path) + MAX_ROW, MAX_ROW)
  if (entry.size > most) return wrong('its size', `at most ${most}`, entry.size)

  const bytes = await readEntry(reader, entry, findings)
  if (bytes === undefined) return ''
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  const rows = parseContents(bytes)
  if (isFault(rows)) {
    findings.push(finding(rows.code, CONTENTS, rows.args))
    return digest
  }
  const listed = entries.filter(isListed)
  const mismatches = compareContents(rows, entries)
  findings.push(...mismatches)
  // With a wrong row, which claim is whose is in doubt: then no content is held against one.
  if (mismatches.length === 0) {
    for (const [i, listedEntry] of listed.entries()) listedEntry.sha256 = rows[i]!.sha256
  }
  return digest
}

/** More than a row has besides its path: 120 bytes with the longest size, SHA-256 and mode. */
const MAX_ROW = 256

async function readManifest(
  reader: ContentReader,
  entry: ArchiveEntry,
  entries: ReadonlyMap<string, ArchiveEntry>,
  { limits }: { readonly limits: Limits },
  findings: Finding[],
): Promise<Pick<Holdings, 'manifest' | 'manifestText'>> {
  if (entry.size > limits.manifestBytes) {
    findings.push(finding('MANIFEST_TOO_LARGE', MANIFEST, { limit: limits.manifestBytes, got: entry.size }))
    return {}
  }
  const bytes = await readEntry(reader, entry, findings)
  if (bytes === undefined) return {}
  const parsed = parseManifest(bytes, { file: MANIFEST, maxBytes: limits.manifestBytes })
  findings.push(...parsed.findings)
  if (parsed.manifest === undefined) return { manifestText: parsed.text }

  const wrongPaths = checkManifestPaths(parsed.manifest, kindsOf(entries), entries.keys(), parsed)
  findings.push(...wrongPaths)
  if (wrongPaths.length === 0) {
    findings.push(...checkStaticFiles(parsed.manifest, FilesBelow.among(entries.values()), limits.staticFiles))
  }
  return { manifest: parsed.manifest, manifestText: parsed.text }
}

/** Tells file from folder; a folder need not have an entry of its own. */
function kindsOf(entries: ReadonlyMap<string, ArchiveEntry>): (path: string) => 'file' | 'dir' | undefined {
  let folders: ReadonlySet<string> | undefined
  return (path) => {
    const folder = path.endsWith('/') ? path : `${path}/`
    if (path !== folder && entries.has(path)) return 'file'
    if (entries.has(folder)) return 'dir'
    folders ??= foldersOf(entries.keys())
    return folders.has(folder) ? 'dir' : undefined
  }
}

/** The content of an entry; if it is wrong, undefined and a finding. */
async function readEntry(reader: ContentReader, entry: ArchiveEntry, findings: Finding[]): Promise<Buffer | undefined> {
  try {
    return await reader.read(entry)
  } catch (error) {
    findings.push(findingOf(error))
    return undefined
  }
}
