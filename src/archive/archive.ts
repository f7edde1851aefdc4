import type { Readable } from 'node:stream'
import { type Finding, fail, throwIfErrors } from '../errors.ts'
import { type Limits, limitsWith } from '../format/limits.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { type ByteRange, ContentReader } from './content-reader.ts'
import { SIGNATURE } from './contents-index.ts'
import { digestFile, digestUnsigned } from './digests.ts'
import { type Holdings, readHoldings } from './holdings.ts'
import { type Layout, type RawEntry, readLayout } from './layout.ts'
import { type ByteSource, bytesSource, fileSource, guardSource } from './source.ts'

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
   * Every entry with its verified content, in the order of the archive and in portions that were read together; the
   * content of files over 1 MiB is undefined, {@link stream} them. Rejects at the first entry that is wrong.
   */
  readAll(signal?: AbortSignal): AsyncIterable<readonly (readonly [ArchiveEntry, Uint8Array | undefined])[]>
  /** Pass 8 over every entry: what is wrong, in the order of the archive. */
  verify(signal?: AbortSignal): Promise<Finding[]>
  /** Closes the source; a read after it rejects. */
  close(): Promise<void>
}

export interface OpenOptions {
  /** Each limit that is not given has its default. */
  readonly limits?: Partial<Limits>
  /**
   * The same bytes were opened before, and nothing was found: the schema and the rules of the manifest are not asked
   * again. Default false. A process that only runs what another has checked starts a third sooner without them.
   */
  readonly judged?: boolean
}

/**
 * Opens an archive: passes 1 to 7 of the layout, then what every archive must hold, contents.json against the
 * directory, the manifest and its paths. The content of other entries is checked when it is read.
 * A {@link ByteSource} is taken over: it is closed with the archive, or when opening fails.
 *
 * @throws ZappError with the first finding of level error, all of them in its `findings`; NOT_FOUND, NOT_A_FILE, IO
 */
export async function openArchive(
  input: string | Uint8Array | ByteSource,
  options: OpenOptions = {},
): Promise<Archive> {
  const limits = limitsWith(options.limits)
  const source = await toSource(input)
  try {
    const layout = await readLayout(source, limits)
    throwIfErrors(layout.findings)
    const reader = new ContentReader(source)
    const holdings = await readHoldings(reader, layout.entries, { limits, judged: options.judged === true })
    throwIfErrors(holdings.findings)
    return new ZipArchive(typeof input === 'string' ? input : undefined, source, reader, layout, holdings)
  } catch (error) {
    // Why it could not be opened is what to tell, not that it could not be closed either.
    await source.close().catch(() => {})
    throw error
  }
}

/** @throws ZappError NOT_FOUND, NOT_A_FILE, IO */
export async function toSource(input: string | Uint8Array | ByteSource): Promise<ByteSource> {
  if (typeof input === 'string') return guardSource(await fileSource(input), input)
  return guardSource(input instanceof Uint8Array ? bytesSource(input) : input, '')
}

class ZipArchive implements Archive {
  readonly file: string | undefined
  readonly bytes: number
  readonly manifest: Manifest
  readonly manifestText: string
  readonly entries: ReadonlyMap<string, ArchiveEntry>
  readonly contentDigest: string
  readonly findings: readonly Finding[]
  readonly #source: ByteSource
  readonly #reader: ContentReader
  readonly #layout: Layout
  #fileDigest: Promise<string> | undefined
  #digest: Promise<string> | undefined

  constructor(
    file: string | undefined,
    source: ByteSource,
    reader: ContentReader,
    layout: Layout,
    { entries, findings, contentDigest, manifest, manifestText }: Holdings,
  ) {
    if (!manifest) throw fail('INTERNAL', '', { reason: 'a manifest without errors was not parsed' })
    this.file = file
    this.bytes = source.size
    this.manifest = manifest
    this.manifestText = manifestText ?? ''
    this.entries = entries
    this.contentDigest = contentDigest
    this.findings = findings
    this.#source = source
    this.#reader = reader
    this.#layout = layout
  }

  fileDigest(): Promise<string> {
    this.#fileDigest ??= digestFile(this.#source)
    return this.#fileDigest
  }

  digest(): Promise<string> {
    const signature = this.entries.get(SIGNATURE)
    if (!signature) return this.fileDigest()
    this.#digest ??= digestUnsigned(this.#source, signature, this.#layout)
    return this.#digest
  }

  read(entry: ArchiveEntry): Promise<Uint8Array> {
    return this.#reader.read(entry)
  }

  stream(entry: ArchiveEntry, range?: ByteRange): Readable {
    return this.#reader.stream(entry, range)
  }

  raw(entry: ArchiveEntry): Readable {
    return this.#reader.raw(entry)
  }

  readRaw(entry: ArchiveEntry): Promise<Uint8Array> {
    return this.#reader.readRaw(entry)
  }

  readAll(signal?: AbortSignal): AsyncIterable<readonly (readonly [ArchiveEntry, Uint8Array | undefined])[]> {
    return this.#reader.readAll([...this.entries.values()], signal)
  }

  verify(signal?: AbortSignal): Promise<Finding[]> {
    return this.#reader.verifyAll([...this.entries.values()], signal)
  }

  close(): Promise<void> {
    return this.#source.close()
  }
}
