import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { crc32, createInflateRaw, inflateRawSync } from 'node:zlib'
import { type Args, type ErrorCode, type Finding, fail, ZappError } from '../errors.ts'
import type { RawEntry } from './layout.ts'
import { type ByteSource, readBuffer } from './source.ts'

/** What pass 8 needs to know of an entry. `sha256` is hex; "" where contents.json has no row: then CRC-32 alone. */
export type ContentEntry = Readonly<
  Pick<RawEntry, 'path' | 'kind' | 'method' | 'size' | 'compressedSize' | 'crc32' | 'dataOffset' | 'sha256'>
>

/** Up to this size an entry is handled in one piece and without streams: a few ms of one processor at most. */
const ONE_PIECE = 1024 * 1024
/** Bytes of a larger entry that are in memory at a time, on each side of the decoder. */
const CHUNK = 64 * 1024

export function isSmall(entry: ContentEntry): boolean {
  return entry.size <= ONE_PIECE && entry.compressedSize <= ONE_PIECE
}

/**
 * Pass 8 for an entry whose stored bytes are in memory: its content.
 *
 * @throws ZappError, in this order: SIZE (too many bytes), INFLATE, DEFLATE_TRAILING, SIZE (too few), CRC, INDEX_MISMATCH
 */
export function decode(entry: ContentEntry, stored: Buffer): Buffer {
  const content = entry.method === 'stored' ? stored : inflate(entry, stored)
  const sums = new Checksums(entry)
  sums.update(content)
  sums.check()
  return content
}

function inflate(entry: ContentEntry, stored: Buffer): Buffer {
  try {
    // One byte more than the size is room enough to notice that there are too many.
    const { buffer, engine } = inflateRawSync(stored, {
      info: true,
      chunkSize: Math.max(MIN_CHUNK, entry.size + 1),
      maxOutputLength: Math.max(1, entry.size),
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } }
    checkLengths(entry, buffer.length, engine.bytesWritten)
    return buffer
  } catch (error) {
    throw asFinding(entry, error)
  }
}

/** zlib's Z_MIN_CHUNK */
const MIN_CHUNK = 64

/** The stored bytes of an entry, in chunks; `start` and `end` (exclusive) count from its first byte. */
export async function* storedChunks(
  source: ByteSource,
  entry: ContentEntry,
  start = 0,
  end = entry.compressedSize,
): AsyncGenerator<Buffer> {
  for (let at = start; at < end; at += CHUNK) {
    yield await readBuffer(source, entry.dataOffset + at, Math.min(CHUNK, end - at))
  }
}

/**
 * The content of an entry, in chunks, with bounded memory. Sizes are checked on the way, sums are not.
 *
 * @throws ZappError SIZE, INFLATE, DEFLATE_TRAILING
 */
export async function* contentChunks(source: ByteSource, entry: ContentEntry): AsyncGenerator<Buffer> {
  if (entry.method === 'stored') {
    yield* storedChunks(source, entry)
    return
  }
  const inflater = createInflateRaw({ chunkSize: CHUNK })
  const input = Readable.from(storedChunks(source, entry))
  input.on('error', (error) => inflater.destroy(error))
  input.pipe(inflater)
  let length = 0
  try {
    for await (const chunk of inflater as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > entry.size) throw tooMany(entry)
      yield chunk
    }
    checkLengths(entry, length, inflater.bytesWritten)
  } catch (error) {
    throw asFinding(entry, error)
  } finally {
    input.destroy()
    inflater.destroy()
  }
}

/** As {@link contentChunks}; throws CRC or INDEX_MISMATCH after the last chunk if the sums are not right. */
export async function* checkedChunks(source: ByteSource, entry: ContentEntry): AsyncGenerator<Buffer> {
  const sums = new Checksums(entry)
  for await (const chunk of contentChunks(source, entry)) {
    sums.update(chunk)
    yield chunk
  }
  sums.check()
}

/** The finding of pass 8 that an error carries; anything else (a failing disk) is thrown on. */
export function findingOf(error: unknown): Finding {
  if (error instanceof ZappError && PASS_8.has(error.code)) return error.findings[0]!
  throw error
}

const PASS_8: ReadonlySet<ErrorCode> = new Set(['SIZE', 'INFLATE', 'DEFLATE_TRAILING', 'CRC', 'INDEX_MISMATCH'])

function checkLengths(entry: ContentEntry, length: number, consumed: number): void {
  if (length > entry.size) throw tooMany(entry)
  if (consumed !== entry.compressedSize) {
    throw wrong(entry, 'DEFLATE_TRAILING', { expected: entry.compressedSize, got: consumed })
  }
  if (length < entry.size) throw wrong(entry, 'SIZE', { expected: entry.size, got: length })
}

/** Errors of zlib have codes that begin with Z_, except for an output beyond the limit. */
function asFinding(entry: ContentEntry, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ERR_BUFFER_TOO_LARGE') return tooMany(entry)
  return code?.startsWith('Z_') ? wrong(entry, 'INFLATE', { got: message }) : error
}

function tooMany(entry: ContentEntry): ZappError {
  return wrong(entry, 'SIZE', { expected: entry.size, got: `${entry.size + 1} or more` })
}

function wrong(entry: ContentEntry, code: ErrorCode, args: Args): ZappError {
  return fail(code, entry.path, args)
}

class Checksums {
  readonly #entry: ContentEntry
  readonly #hash = createHash('sha256')
  #crc = 0

  constructor(entry: ContentEntry) {
    this.#entry = entry
  }

  update(chunk: Buffer): void {
    this.#crc = crc32(chunk, this.#crc)
    if (this.#entry.sha256 !== '') this.#hash.update(chunk)
  }

  check(): void {
    const { crc32: expected, sha256 } = this.#entry
    if (this.#crc !== expected) throw wrong(this.#entry, 'CRC', { expected: hex32(expected), got: hex32(this.#crc) })
    if (sha256 === '') return
    const got = this.#hash.digest('hex')
    if (got !== sha256) throw wrong(this.#entry, 'INDEX_MISMATCH', { what: 'the SHA-256', expected: sha256, got })
  }
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0')
}
