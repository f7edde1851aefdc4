import type { Readable, Writable } from 'node:stream'
import { ZipFile } from 'yazl'

/** What a header says of a file whose bytes are compressed already. */
export interface EntryFields {
  readonly method: 'stored' | 'deflate'
  readonly size: number
  readonly crc32: number
}

/** The parts of yazl 3.3.1 that it does not document: package.json pins the version, a test holds the result. */
interface YazlEntry {
  readonly utf8FileName: Buffer
  crc32: number
  readonly compressedSize: number
  uncompressedSize: number
  lastModFileTime: number
  lastModFileDate: number
  getCompressionMethod(): number
  getDataDescriptor(): Buffer
  getLocalFileHeader(): Buffer
  getCentralDirectoryRecord(): Buffer
}

const EMPTY = Buffer.alloc(0)
const UTF8_FLAG = 0x0800
const LOCAL_FLAGS = 6
const CENTRAL_FLAGS = 8
// 1980-01-01 00:00:00, the first moment of DOS time. yazl would take it from the local time zone.
const DOS_DATE = 0x0021
const DOS_TIME = 0

/** yazl, held to the canonical layout: no descriptors, no extra fields, one date, ready-made deflate streams. */
export class CanonicalZip {
  readonly #zip = new ZipFile()
  readonly #entries: YazlEntry[] = []

  /** The bytes of the archive. An error of yazl destroys it. */
  get output(): Readable & Writable {
    return this.#zip.outputStream as Readable & Writable
  }

  /** @param prefix what stands in front of the first entry: FORMAT.md §Layout allows one line that begins with `#!` */
  constructor(prefix: Uint8Array = EMPTY) {
    this.#zip.on('error', (error) => this.output.destroy(error))
    // Offsets count from the start of the file.
    Object.assign(this.#zip, { outputStreamCursor: prefix.length })
    if (prefix.length > 0) this.output.write(prefix)
  }

  /** `data` is the content or its raw deflate stream, as `fields.method` says. */
  file(path: string, mode: 0o644 | 0o755, data: Uint8Array, fields: EntryFields): void {
    const options = { mode: 0o100000 | mode, compressionLevel: 0, forceDosTimestamp: true }
    this.#add(() => this.#zip.addBuffer(EMPTY, path, options), fields, data)
  }

  folder(path: string): void {
    const options = { mode: 0o40755, forceDosTimestamp: true }
    this.#add(() => this.#zip.addEmptyDirectory(path, options), { method: 'stored', size: 0, crc32: 0 }, EMPTY)
  }

  end(): void {
    Object.assign(this.#zip, { entries: this.#entries })
    this.#zip.end()
  }

  /**
   * yazl writes an entry's header inside the call that adds it, so the fields are set at the moment when yazl pushes
   * the entry onto its list. Each call has a list of its own: yazl searches the list from its start every time, which
   * takes seconds for 60,000 entries.
   */
  #add(add: () => void, fields: EntryFields, data: Uint8Array): void {
    const list: YazlEntry[] = []
    list.push = (entry) => Array.prototype.push.call(list, canonical(entry as YazlEntry, fields, data))
    Object.assign(this.#zip, { entries: list })
    add()
    this.#entries.push(...list)
  }
}

/** The one place that sets undocumented fields of yazl's entries. */
function canonical(entry: YazlEntry, fields: EntryFields, data: Uint8Array): YazlEntry {
  entry.crc32 = fields.crc32
  entry.uncompressedSize = fields.size
  // The data takes the place of the descriptor behind the empty buffer: given the data itself, yazl would compute a CRC
  // of the deflate stream, in JavaScript, and set the size to that of the buffer, hence the constant.
  Object.defineProperty(entry, 'compressedSize', { get: () => data.length, set: () => {} })
  entry.getDataDescriptor = () => Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  entry.lastModFileTime = DOS_TIME
  entry.lastModFileDate = DOS_DATE
  entry.getCompressionMethod = () => (fields.method === 'deflate' ? 8 : 0)
  if (entry.utf8FileName.every((byte) => byte < 0x80)) {
    // yazl always sets the flag; Python's zipfile and Info-ZIP set it only where it says something.
    const { getLocalFileHeader, getCentralDirectoryRecord } = entry
    entry.getLocalFileHeader = () => clearFlag(getLocalFileHeader.call(entry), LOCAL_FLAGS)
    entry.getCentralDirectoryRecord = () => clearFlag(getCentralDirectoryRecord.call(entry), CENTRAL_FLAGS)
  }
  return entry
}

function clearFlag(header: Buffer, offset: number): Buffer {
  header.writeUInt16LE(header.readUInt16LE(offset) & ~UTF8_FLAG, offset)
  return header
}
