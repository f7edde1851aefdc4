import { type Finding, finding } from '../errors.ts'
import type { Directory, DirectoryRecord } from './directory.ts'
import { HeaderWindow } from './header-window.ts'
import { compareHeaders } from './local-header.ts'
import type { Report } from './report.ts'
import { type ByteSource, readBuffer } from './source.ts'
import { FLAG, LOCAL, SENTINEL32 } from './zip-records.ts'

/** What every Linux reads of a `#!` line: BINPRM_BUF_SIZE was 128 before 5.1. The line feed is included. */
const MAX_PREFIX = 127

export interface Placement {
  /** Bytes of the `#!` line in front of the first entry; 0 without one. */
  readonly prefixLength: number
  /** By entry: where its data begins. */
  readonly dataOffsets: readonly number[]
}

/**
 * Pass 3: the entries lie back to back, in the order of the directory, from the first byte (or a `#!` line) to the
 * directory. So there is no other prefix, no gap, no overlap and no entry that the directory does not list.
 * Pass 4, in the same sweep because it reads the same headers: see {@link compareHeaders}.
 * Undefined when the chain breaks.
 */
export async function checkPlacement(
  source: ByteSource,
  directory: Directory,
  report: Report,
): Promise<Placement | undefined> {
  const { records, offset: end } = directory
  const window = new HeaderWindow(source, directory)
  const dataOffsets: number[] = []
  const first = records[0]?.localOffset ?? end
  const prefixLength = (await isPrefix(source, first, end)) ? first : 0

  const stop = (index: number, rule: number, found: Finding) => {
    report.add(3, index, rule, found)
    return undefined
  }
  const misplaced = (record: DirectoryRecord, rule: number, expected: number, got: number | string) =>
    stop(record.index, rule, finding('LAYOUT', record.shownName, { what: 'the local header', expected, got }))

  let expected: number | undefined = prefixLength
  let descriptors = false
  for (const record of records) {
    const { index, localOffset } = record
    if (record.compressedSize === SENTINEL32 || record.size === SENTINEL32 || localOffset === SENTINEL32) {
      return stop(index, 1, finding('ZIP64', record.shownName))
    }
    if (expected !== undefined && localOffset !== expected) return misplaced(record, 2, expected, localOffset)
    if (localOffset + LOCAL.size > end) return misplaced(record, 3, localOffset, 'the directory')

    const length = Math.min(LOCAL.size + record.nameLength, end - localOffset)
    const header = window.peek(localOffset, length) ?? (await window.load(index, localOffset, length))
    if (header.readUInt32LE(0) !== LOCAL.signature) return misplaced(record, 3, localOffset, 'other data')
    const dataOffset: number =
      localOffset + LOCAL.size + header.readUInt16LE(LOCAL.nameLength) + header.readUInt16LE(LOCAL.extraLength)
    if (dataOffset > end) return misplaced(record, 3, localOffset, 'one that runs into the directory')

    // Behind a descriptor, whose length nothing tells, the chain cannot be followed. The flag is looked for here and
    // not in pass 5, so that the next entry is not blamed for lying elsewhere.
    if (((record.flags | header.readUInt16LE(LOCAL.flags)) & FLAG.descriptor) !== 0) {
      report.add(3, index, 4, finding('DATA_DESCRIPTOR', record.shownName))
      descriptors = true
      expected = undefined
      continue
    }
    compareHeaders(directory, record, header, report)
    dataOffsets.push(dataOffset)
    expected = dataOffset + record.compressedSize
  }
  if (expected !== undefined && expected !== end) {
    return stop(records.length, 2, finding('LAYOUT', '', { what: 'the directory', expected, got: end }))
  }
  return descriptors ? undefined : { prefixLength, dataOffsets }
}

/** The file may begin with one `#!` line, so that a system that was told so can run it. */
export async function isPrefix(source: ByteSource, length: number, end: number): Promise<boolean> {
  if (length < 3 || length > MAX_PREFIX || length > end) return false
  const line = await readBuffer(source, 0, length)
  return line[0] === 0x23 && line[1] === 0x21 && line.indexOf(0x0a) === length - 1
}
