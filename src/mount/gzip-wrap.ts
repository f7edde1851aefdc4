import { Readable } from 'node:stream'
import type { Archive, ArchiveEntry } from '../archive/archive.ts'

/**
 * A gzip member around the deflate stream as it is stored: nothing is inflated or compressed per request.
 *
 * | bytes | field (RFC 1952 §2.3)                        |
 * |-------|----------------------------------------------|
 * | 2     | magic 1f 8b                                  |
 * | 1     | compression method 8, deflate                |
 * | 1     | flags 0                                      |
 * | 4     | time 0: none                                 |
 * | 1     | extra flags 0                                |
 * | 1     | system 255: unknown, so the bytes never vary |
 * | n     | deflate stream                               |
 * | 4     | CRC-32 of the content, little-endian         |
 * | 4     | size of the content modulo 2^32              |
 *
 * CRC and size come from the directory; they are right because the archive checks them before the first byte leaves.
 */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
const TRAILER_SIZE = 8

export function gzipSize(entry: ArchiveEntry): number {
  return HEADER.length + entry.compressedSize + TRAILER_SIZE
}

/** The whole member. Rejects when the entry is damaged. */
export async function readGzip(archive: Archive, entry: ArchiveEntry): Promise<Uint8Array> {
  return Buffer.concat([HEADER, await archive.readRaw(entry), trailer(entry)])
}

/** Bytes `start` to `end` (inclusive) of the member, in bounded memory; what lies before is read and dropped. */
export function streamGzip(archive: Archive, entry: ArchiveEntry, start: number, end: number): Readable {
  return Readable.from(slice(member(archive, entry), start, end), { objectMode: false })
}

async function* member(archive: Archive, entry: ArchiveEntry): AsyncGenerator<Uint8Array> {
  yield HEADER
  yield* archive.raw(entry)
  yield trailer(entry)
}

async function* slice(chunks: AsyncIterable<Uint8Array>, start: number, end: number): AsyncGenerator<Uint8Array> {
  let at = 0
  for await (const chunk of chunks) {
    const piece = chunk.subarray(Math.max(0, start - at), Math.max(0, end + 1 - at))
    at += chunk.length
    if (piece.length > 0) yield piece
    if (at > end) return
  }
}

function trailer(entry: ArchiveEntry): Buffer {
  const bytes = Buffer.allocUnsafe(TRAILER_SIZE)
  bytes.writeUInt32LE(entry.crc32, 0)
  bytes.writeUInt32LE(entry.size % 2 ** 32, 4)
  return bytes
}
