import type { Finding } from '../errors.ts'
import type { EntryPath } from '../format/entry-path.ts'
import type { Limits } from '../format/limits.ts'
import { type Directory, readDirectory } from './directory.ts'
import { readEndRecord } from './end-record.ts'
import { checkFields } from './entry-fields.ts'
import { checkNames } from './entry-names.ts'
import { checkSizes } from './entry-sizes.ts'
import { checkPlacement, type Placement } from './placement.ts'
import { Report } from './report.ts'
import type { ByteSource } from './source.ts'
import { STORED } from './zip-records.ts'

/** An entry that passed 1 to 7. Its SHA-256 comes later, from contents.json: "" until then. */
export interface RawEntry {
  /** Folders end in "/". */
  readonly path: EntryPath
  /** Position in the directory, from 0. */
  readonly index: number
  readonly kind: 'file' | 'dir'
  readonly method: 'stored' | 'deflate'
  /** Bytes of the content. */
  readonly size: number
  /** Bytes in the archive. */
  readonly compressedSize: number
  readonly crc32: number
  /** 0755 for folders and where the owner may execute. */
  readonly mode: 0o644 | 0o755
  /** Where the entry's local header begins in the file. */
  readonly localOffset: number
  /** Where its stored bytes begin. */
  readonly dataOffset: number
  sha256: string
}

export interface Layout {
  /** Every entry, or none if there is a finding. */
  readonly entries: readonly RawEntry[]
  /** In the pinned order: pass, entry, rule. */
  readonly findings: readonly Finding[]
  /** Bytes of the `#!` line in front of the first entry. */
  readonly prefixLength: number
  /** Where the directory and the end record begin. */
  readonly directoryOffset: number
  readonly endOffset: number
}

/**
 * Passes 1 to 7 of the canonical layout, on bytes, before any zip library sees the file. FORMAT.md §Layout.
 *
 * | pass | judges | where |
 * |---|---|---|
 * | 1 | the end record | end-record.ts |
 * | 2 | the directory is as large as it should be | directory.ts |
 * | 3 | entries are back to back | placement.ts |
 * | 4 | local headers equal the directory | local-header.ts |
 * | 5 | flags, method, version, comment | entry-fields.ts |
 * | 6 | names, collisions, types | entry-names.ts |
 * | 7 | sizes and quotas | entry-sizes.ts |
 *
 * 1 to 3 end at the first thing that is wrong; from 4 on everything is reported. Pass 8, the content, is content.ts.
 *
 * @param place passes 3 and 4: those of remote-placement.ts read less
 */
export async function readLayout<S extends ByteSource>(
  source: S,
  limits: Limits,
  place: (source: S, directory: Directory, report: Report) => Promise<Placement | undefined> = checkPlacement,
): Promise<Layout> {
  const report = new Report()
  const end = await readEndRecord(source, limits, report)
  const directory = end && (await readDirectory(source, end, report))
  const placement = directory && (await place(source, directory, report))
  if (!placement) {
    return { entries: [], findings: report.findings(), prefixLength: 0, directoryOffset: 0, endOffset: 0 }
  }
  checkFields(directory, report)
  const named = checkNames(directory, limits, report)
  checkSizes(directory, limits, report)

  const entries: RawEntry[] = []
  if (report.empty) {
    for (const record of directory.records) {
      const { path, kind, mode } = named[record.index]!
      entries.push({
        path,
        index: record.index,
        kind,
        method: record.method === STORED ? 'stored' : 'deflate',
        size: record.size,
        compressedSize: record.compressedSize,
        crc32: record.crc32,
        mode,
        localOffset: record.localOffset,
        dataOffset: placement.dataOffsets[record.index]!,
        sha256: '',
      })
    }
  }
  return {
    entries,
    findings: report.findings(),
    prefixLength: placement.prefixLength,
    directoryOffset: directory.offset,
    endOffset: end.offset,
  }
}
