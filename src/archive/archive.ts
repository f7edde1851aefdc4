import type { Readable } from 'node:stream'
import { type Finding, fail, throwIfErrors } from '../errors.ts'
import { type Limits, limitsWith } from '../format/limits.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { type ByteRange, ContentReader } from './content-reader.ts'
import { readHoldings } from './holdings.ts'
import { type RawEntry, readLayout } from './layout.ts'
import { type ArchiveInput, pathOf, toSource } from './source.ts'
import { ZipArchive } from './zip-archive.ts'

/** One entry of an open archive. `sha256` is hex; "" for folders, contents.json itself and the signature. */
export type ArchiveEntry = Readonly<RawEntry>

/** An archive whose layout, index and manifest have been checked. Content is checked per entry, before it leaves. */
export interface Archive {
  /** The path it was opened by, if it was opened by path. */
  readonly file: string | undefined
  /** Size of the file. */
  readonly bytes: number
  readonly manifest: Manifest
  readonly manifestText: string
  /** In the order of the archive; folders end in "/". */
  readonly entries: ReadonlyMap<string, ArchiveEntry>
  /** `sha256:<hex>` of contents.json: names the content, whatever compressed it. */
  readonly contentDigest: string
  /** Warnings. */
  readonly findings: readonly Finding[]
  /** `sha256:<hex>` of the whole file. */
  fileDigest(): Promise<string>
  /** `sha256:<hex>` of the file without its signature entry: what a signature signs. */
  digest(): Promise<string>
  /** The whole content, verified. Not to be changed: of an archive in memory it may be a part. */
  read(entry: ArchiveEntry): Promise<Uint8Array>
  /** The content, verified before the first byte; `range` in bytes of the content, `end` inclusive. */
  stream(entry: ArchiveEntry, range?: ByteRange): Readable
  /** The bytes as they are stored (for deflate: the raw stream), verified before the first byte. */
  raw(entry: ArchiveEntry): Readable
  /** As {@link raw}, in one piece. */
  readRaw(entry: ArchiveEntry): Promise<Uint8Array>
  /**
   * Entries with their verified content, in the order of the archive and in portions that were read together; the
   * content of files over 1 MiB is undefined, {@link stream} them. A portion is for one pass, which throws at the first
   * entry that is wrong.
   * @param entries which, in that order. Default: all
   */
  readAll(
    signal?: AbortSignal,
    entries?: readonly ArchiveEntry[],
  ): AsyncIterable<Iterable<readonly [ArchiveEntry, Uint8Array | undefined]>>
  /** Pass 8 over every entry: what is wrong, in the order of the archive. */
  verify(signal?: AbortSignal): Promise<Finding[]>
  /** Closes the source; a read after it rejects. */
  close(): Promise<void>
}

export interface OpenOptions {
  /** Each limit that is not given has its default. */
  readonly limits?: Partial<Limits>
}

/**
 * Opens an archive: passes 1 to 7 of the layout, then what every archive must hold, contents.json against the
 * directory, the manifest and its paths. The content of other entries is checked when it is read.
 * A {@link ByteSource} is taken over: it is closed with the archive, or when opening fails.
 *
 * @throws ZappError with the first finding of level error, all of them in its `findings`; NOT_FOUND, NOT_A_FILE, IO
 */
export async function openArchive(input: ArchiveInput, options: OpenOptions = {}): Promise<Archive> {
  const limits = limitsWith(options.limits)
  const source = await toSource(input)
  try {
    const layout = await readLayout(source, limits)
    throwIfErrors(layout.findings)
    const reader = new ContentReader(source)
    const holdings = await readHoldings(reader, layout.entries, { limits })
    throwIfErrors(holdings.findings)
    const { manifest, manifestText = '' } = holdings
    if (!manifest) throw fail('INTERNAL', '', { reason: 'a manifest without errors was not parsed' })
    return new ZipArchive({ ...layout, ...holdings, file: pathOf(input), source, reader, manifest, manifestText })
  } catch (error) {
    // Why it could not be opened is what to tell, not that it could not be closed either.
    await source.close().catch(() => {})
    throw error
  }
}
