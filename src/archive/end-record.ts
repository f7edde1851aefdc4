import { finding } from '../errors.ts'
import type { Limits } from '../format/limits.ts'
import type { Report } from './report.ts'
import { type ByteSource, readBuffer } from './source.ts'
import { END, SENTINEL16, SENTINEL32, ZIP64_LOCATOR } from './zip-records.ts'

export interface EndRecord {
  /** Where the record begins: the directory must end here. */
  readonly offset: number
  readonly count: number
  readonly directoryOffset: number
  readonly directorySize: number
  /** The file's last bytes, which often hold the whole directory: one read less. */
  readonly tail: Buffer
  readonly tailOffset: number
}

/** Holds the end record and the longest comment, which only the messages need, and 400 directory records. */
const TAIL = 65_536 + END.size

/** Pass 1: the end record. Undefined when a rule is broken: without it nothing else can be found. */
export async function readEndRecord(
  source: ByteSource,
  limits: Limits,
  report: Report,
): Promise<EndRecord | undefined> {
  const add = (rule: number, code: Parameters<typeof finding>[0], args: Parameters<typeof finding>[2] = {}) =>
    report.add(1, 0, rule, finding(code, '', args))

  if (source.size < END.size) {
    add(1, 'TOO_SHORT', { size: source.size })
    return undefined
  }
  const tailOffset = Math.max(0, source.size - TAIL)
  const tail = await readBuffer(source, tailOffset, source.size - tailOffset)
  const at = tail.length - END.size

  if (tail.readUInt32LE(at) !== END.signature) {
    const comment = commentToTheEnd(tail)
    if (comment === undefined) add(2, 'EOCD_NOT_AT_END')
    else add(2, 'EOCD_COMMENT', { length: comment })
    return undefined
  }
  const commentLength = tail.readUInt16LE(at + END.commentLength)
  if (commentLength !== 0) add(3, 'EOCD_COMMENT', { length: commentLength })

  const disk = tail.readUInt16LE(at + END.disk)
  const directoryDisk = tail.readUInt16LE(at + END.directoryDisk)
  if (disk !== 0) add(4, 'MULTI_DISK', { field: 'the number of this disk', got: disk })
  if (directoryDisk !== 0) add(4, 'MULTI_DISK', { field: 'the disk of the directory', got: directoryDisk })

  const count = tail.readUInt16LE(at + END.count)
  const diskCount = tail.readUInt16LE(at + END.diskCount)
  if (diskCount !== count) add(5, 'COUNT_MISMATCH', { total: count, got: diskCount })

  // Before the zip64 marks: a file of 100,000 entries is told that it has too many, not which structure says so.
  if (count === SENTINEL16 || count > limits.entries) add(6, 'TOO_MANY', { limit: limits.entries, got: count })

  const directorySize = tail.readUInt32LE(at + END.directorySize)
  const directoryOffset = tail.readUInt32LE(at + END.directoryOffset)
  const locator = at - ZIP64_LOCATOR.size
  if (
    directorySize === SENTINEL32 ||
    directoryOffset === SENTINEL32 ||
    source.size > SENTINEL32 ||
    (locator >= 0 && tail.readUInt32LE(locator) === ZIP64_LOCATOR.signature)
  ) {
    add(7, 'ZIP64')
  }
  if (!report.empty) return undefined
  return { offset: tailOffset + at, count, directoryOffset, directorySize, tail, tailOffset }
}

/**
 * Length of the archive comment when the last end record of the file has one that ends with the file; undefined when
 * what follows the record is not its comment. Only tells "has a comment" from "has bytes appended".
 */
function commentToTheEnd(tail: Buffer): number | undefined {
  const at = tail.lastIndexOf('PK\x05\x06', undefined, 'latin1')
  if (at < 0 || at + END.size > tail.length) return undefined
  const length = tail.readUInt16LE(at + END.commentLength)
  return at + END.size + length === tail.length ? length : undefined
}
