import { finding } from '../errors.ts'
import type { EndRecord } from './end-record.ts'
import type { Report } from './report.ts'
import { type ByteSource, readBuffer } from './source.ts'
import { CENTRAL, END, SENTINEL16 } from './zip-records.ts'

/**
 * One record of the central directory: what it says, not yet judged. Its fields are read where they are asked for:
 * copies of them would be most of the memory that opening an archive takes.
 */
export class DirectoryRecord {
  readonly index: number
  /** Where the record begins in {@link Directory.bytes}. */
  readonly at: number
  readonly #bytes: Buffer

  constructor(bytes: Buffer, at: number, index: number) {
    this.#bytes = bytes
    this.at = at
    this.index = index
  }

  get version(): number {
    return this.#bytes.readUInt16LE(this.at + CENTRAL.version)
  }
  get flags(): number {
    return this.#bytes.readUInt16LE(this.at + CENTRAL.flags)
  }
  get method(): number {
    return this.#bytes.readUInt16LE(this.at + CENTRAL.method)
  }
  get crc32(): number {
    return this.#bytes.readUInt32LE(this.at + CENTRAL.crc32)
  }
  get compressedSize(): number {
    return this.#bytes.readUInt32LE(this.at + CENTRAL.compressedSize)
  }
  get size(): number {
    return this.#bytes.readUInt32LE(this.at + CENTRAL.uncompressedSize)
  }
  get nameLength(): number {
    return this.#bytes.readUInt16LE(this.at + CENTRAL.nameLength)
  }
  get extraLength(): number {
    return this.#bytes.readUInt16LE(this.at + CENTRAL.extraLength)
  }
  get commentLength(): number {
    return this.#bytes.readUInt16LE(this.at + CENTRAL.commentLength)
  }
  get disk(): number {
    return this.#bytes.readUInt16LE(this.at + CENTRAL.disk)
  }
  get attributes(): number {
    return this.#bytes.readUInt32LE(this.at + CENTRAL.attributes)
  }
  get localOffset(): number {
    return this.#bytes.readUInt32LE(this.at + CENTRAL.localOffset)
  }

  get nameBytes(): Buffer {
    const start = this.at + CENTRAL.size
    return this.#bytes.subarray(start, start + this.nameLength)
  }
  /** For messages, before the name is judged: bytes that are not UTF-8 show as U+FFFD. */
  get shownName(): string {
    return this.nameBytes.toString()
  }
  /** Where the next record begins. */
  get end(): number {
    return this.at + CENTRAL.size + this.nameLength + this.extraLength + this.commentLength
  }
}

export interface Directory {
  readonly bytes: Buffer
  /** Where the directory begins in the file: the last entry's data must end here. */
  readonly offset: number
  readonly records: readonly DirectoryRecord[]
}

/**
 * Names have at most 1,024 bytes and nothing follows them, so no valid directory is larger (70 MB). The bound keeps a
 * sparse file of 4 GiB from being read into memory.
 */
const MAX_SIZE = (SENTINEL16 - 1) * (CENTRAL.size + 1024)

/** Pass 2: the directory ends where the end record begins, and its records fill it exactly. */
export async function readDirectory(
  source: ByteSource,
  end: EndRecord,
  report: Report,
): Promise<Directory | undefined> {
  const { count, directoryOffset: offset, directorySize: size } = end
  if (offset + size !== end.offset) {
    report.add(2, 0, 1, finding('CD_NOT_ADJACENT', '', { expected: end.offset, got: offset + size }))
    return undefined
  }
  const wrong = (index: number, rule: number, detail: string) => {
    report.add(2, index, rule, finding('CD_SIZE', '', { count, detail }))
    return undefined
  }
  if (size > MAX_SIZE) return wrong(0, 2, `and no more than ${MAX_SIZE} bytes, got ${size}`)

  const bytes =
    offset >= end.tailOffset
      ? end.tail.subarray(offset - end.tailOffset, end.tail.length - END.size)
      : await readBuffer(source, offset, size)

  const records: DirectoryRecord[] = []
  let at = 0
  for (let index = 0; index < count; index++) {
    if (at + CENTRAL.size > size || bytes.readUInt32LE(at) !== CENTRAL.signature) {
      return wrong(index, 3, `got ${index} records in ${at} of its ${size} bytes`)
    }
    const record = new DirectoryRecord(bytes, at, index)
    if (record.end > size) return wrong(index, 3, `got one that ends ${record.end - size} bytes behind it`)
    records.push(record)
    at = record.end
  }
  if (at !== size) return wrong(count, 3, `got ${size - at} bytes more`)
  return { bytes, offset, records }
}
