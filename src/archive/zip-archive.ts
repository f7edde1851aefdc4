import type { Readable } from 'node:stream'
import type { Finding } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import type { Archive, ArchiveEntry } from './archive.ts'
import type { ByteRange, ContentReader } from './content-reader.ts'
import { SIGNATURE } from './contents-index.ts'
import { digestFile, digestUnsigned } from './digests.ts'
import type { ByteSource } from './source.ts'

export interface ZipArchiveParts {
  readonly file: string | undefined
  readonly source: ByteSource
  readonly reader: ContentReader
  readonly directoryOffset: number
  readonly endOffset: number
  readonly entries: ReadonlyMap<string, ArchiveEntry>
  readonly contentDigest: string
  readonly manifest: Manifest
  readonly manifestText: string
  readonly findings: readonly Finding[]
}

/** {@link Archive}, over a file of which the parts are known. */
export class ZipArchive implements Archive {
  readonly file: string | undefined
  readonly bytes: number
  readonly manifest: Manifest
  readonly manifestText: string
  readonly entries: ReadonlyMap<string, ArchiveEntry>
  readonly contentDigest: string
  readonly findings: readonly Finding[]
  readonly #parts: ZipArchiveParts
  #fileDigest: Promise<string> | undefined
  #digest: Promise<string> | undefined

  constructor(parts: ZipArchiveParts) {
    const { file, source, entries, findings, contentDigest, manifest, manifestText } = parts
    this.file = file
    this.bytes = source.size
    this.manifest = manifest
    this.manifestText = manifestText
    this.entries = entries
    this.contentDigest = contentDigest
    this.findings = findings
    this.#parts = parts
  }

  fileDigest(): Promise<string> {
    this.#fileDigest ??= digestFile(this.#parts.source)
    return this.#fileDigest
  }

  digest(): Promise<string> {
    const signature = this.entries.get(SIGNATURE)
    if (!signature) return this.fileDigest()
    this.#digest ??= digestUnsigned(this.#parts.source, signature, this.#parts)
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

  readAll(signal?: AbortSignal, entries: readonly ArchiveEntry[] = [...this.entries.values()]) {
    return this.#reader.readAll(entries, signal)
  }

  verify(signal?: AbortSignal): Promise<Finding[]> {
    return this.#reader.verifyAll([...this.entries.values()], signal)
  }

  close(): Promise<void> {
    return this.#parts.source.close()
  }

  get #reader(): ContentReader {
    return this.#parts.reader
  }
}
