import { decode } from './content.ts'
import type { JudgedEntry } from './foreign-entries.ts'
import { DEFLATE } from './zip-records.ts'

/** What a file of a foreign zip holds. */
export interface ForeignContent {
  readonly content: Buffer
  /** The bytes as they stand in the zip: the content itself, or a raw deflate stream that gives exactly it. */
  readonly stored: Buffer
  readonly method: 'stored' | 'deflate'
}

/** @throws ZappError SIZE, INFLATE, DEFLATE_TRAILING, CRC, ZIP_UNREADABLE, IO */
export async function readForeign({ path, kind, entry }: JudgedEntry): Promise<ForeignContent> {
  const { size, compressedSize, crc32 } = entry
  const method = entry.method === DEFLATE ? 'deflate' : 'stored'
  const stored = await entry.stored()
  const content = decode({ path, kind, method, size, compressedSize, crc32, dataOffset: 0, sha256: '' }, stored)
  return { content, stored, method }
}
