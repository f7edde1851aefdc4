import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl'
import { fail, ZappError } from '../errors.ts'
import type { Limits } from '../format/limits.ts'
import { type ByteSource, readBuffer } from './source.ts'
import { CENTRAL } from './zip-records.ts'

/** An entry of a zip that anyone made, as its directory describes it. */
export interface ForeignEntry {
  readonly nameBytes: Buffer
  readonly flags: number
  readonly method: number
  readonly size: number
  readonly compressedSize: number
  readonly crc32: number
  /** External attributes: Unix mode above, DOS attributes below. */
  readonly attributes: number
  readonly extraFields: readonly { readonly id: number; readonly data: Buffer }[]
  /** The bytes as they stand in the zip. */
  stored(): Promise<Buffer>
}

/**
 * The directory of any zip, read by yauzl, which accepts what the canonical layout refuses: descriptors, extra fields,
 * comments, gaps, zip64. Names stay bytes. Nothing about names, types or content is checked here.
 *
 * @throws ZappError TOO_MANY, CD_SIZE, ZIP_UNREADABLE, IO
 */
export async function readForeignZip(source: ByteSource, limits: Limits): Promise<readonly ForeignEntry[]> {
  const reader = new SourceReader(source, await readTail(source))
  try {
    const zip = await fromRandomAccessReaderPromise(reader, source.size, { decodeStrings: false, autoClose: false })
    // Checked before the list is built: a count costs nothing to claim.
    if (zip.entryCount > limits.entries) throw fail('TOO_MANY', '', { limit: limits.entries, got: zip.entryCount })
    const entries: ForeignEntry[] = []
    for await (const entry of zip.eachEntry()) entries.push(foreignEntry(zip, entry, source))
    await checkEnd(zip, source)
    return entries
  } catch (error) {
    throw unreadable(error)
  }
}

function foreignEntry(zip: ZipFile, entry: Entry, source: ByteSource): ForeignEntry {
  return {
    nameBytes: entry.fileNameRaw,
    flags: entry.generalPurposeBitFlag,
    method: entry.compressionMethod,
    size: entry.uncompressedSize,
    compressedSize: entry.compressedSize,
    crc32: entry.crc32,
    attributes: entry.externalFileAttributes,
    extraFields: entry.extraFields,
    async stored() {
      try {
        const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true })
        return await readBuffer(source, fileDataStart, entry.compressedSize)
      } catch (error) {
        throw unreadable(error)
      }
    },
  }
}

/** yauzl believes the end record's count. Where more records follow, other tools would see other files. */
async function checkEnd(zip: ZipFile, source: ByteSource): Promise<void> {
  const cursor = zip.readEntryCursor as unknown as number
  const next = await readBuffer(source, cursor, Math.min(4, source.size - cursor))
  if (next.length === 4 && next.readUInt32LE(0) === CENTRAL.signature) {
    throw fail('CD_SIZE', '', { count: zip.entryCount, detail: 'more records follow' })
  }
}

function unreadable(error: unknown): ZappError {
  if (error instanceof ZappError) return error
  return fail('ZIP_UNREADABLE', '', { reason: (error as Error).message }, error)
}

// Holds the directory of nearly every zip (the one of 60,000 files is about 6 MiB): yauzl makes two reads an entry.
const TAIL = 8 * 2 ** 20

function readTail(source: ByteSource): Promise<Buffer> {
  const length = Math.min(TAIL, source.size)
  return readBuffer(source, source.size - length, length)
}

/**
 * Gives yauzl its bytes. Every offset is checked here: with a reader of its own, yauzl 3.4.0 ends the process on a
 * zip64 locator that points beyond 2^53 (fixtures/rejected/ZIP64--…).
 */
class SourceReader extends RandomAccessReader {
  readonly #source: ByteSource
  readonly #tail: Buffer

  constructor(source: ByteSource, tail: Buffer) {
    super()
    this.#source = source
    this.#tail = tail
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    // Always in a later tick: yauzl calls itself from its callbacks, thousands of entries deep.
    this.#copy(buffer, offset, length, position).then(
      () => process.nextTick(callback, null, length),
      (error) => process.nextTick(callback, error),
    )
  }

  async #copy(buffer: Buffer, offset: number, length: number, position: number): Promise<void> {
    if (!(position >= 0 && position + length <= this.#source.size)) {
      throw new Error(`it refers to ${length} bytes at offset ${position} of ${this.#source.size}`)
    }
    const tailStart = this.#source.size - this.#tail.length
    const bytes =
      position >= tailStart
        ? this.#tail.subarray(position - tailStart, position - tailStart + length)
        : await readBuffer(this.#source, position, length)
    bytes.copy(buffer, offset)
  }
}
