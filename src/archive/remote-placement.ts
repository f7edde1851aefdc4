import { type Finding, finding } from '../errors.ts'
import { BUILD_INFO_PATH } from './build-info.ts'
import { CONTENTS } from './contents-index.ts'
import type { Directory, DirectoryRecord } from './directory.ts'
import { compareHeaders } from './local-header.ts'
import { isPrefix, type Placement } from './placement.ts'
import type { Report } from './report.ts'
import type { UrlSource } from './url-source.ts'
import { FLAG, LOCAL, SENTINEL32 } from './zip-records.ts'

/** What is read of the metadata, which lies at the end. */
const READ: ReadonlySet<string> = new Set([BUILD_INFO_PATH, CONTENTS])
/** What is larger is not fetched ahead, but when its reader has judged its size. */
const AHEAD = 1024 * 1024

/**
 * Passes 3 and 4 as far as the directory tells: it says how long every local header must be, so the entries have to lie
 * back to back by these lengths. The headers of the first two entries and of what is read of the metadata are compared,
 * and the content of these entries is fetched with them.
 */
export async function checkRemotePlacement(
  source: UrlSource,
  directory: Directory,
  report: Report,
): Promise<Placement | undefined> {
  const { records, offset: end } = directory
  const front = records.slice(0, 2)
  await fetchAhead(source, 0, front, end)
  const first = records[0]?.localOffset ?? end
  const prefixLength = (await isPrefix(source, first, end)) ? first : 0

  const dataOffsets: number[] = []
  let expected = prefixLength
  for (const record of records) {
    const broken = breakOfChain(record, expected)
    if (broken) {
      report.add(broken.pass, record.index, broken.rule, broken.finding)
      return undefined
    }
    dataOffsets.push(dataOffsetOf(record))
    expected = endOf(record)
  }
  if (expected !== end) {
    report.add(3, records.length, 2, finding('LAYOUT', '', { what: 'the directory', expected, got: end }))
    return undefined
  }

  const back = records.filter((record) => record.index > 1 && READ.has(record.shownName))
  await fetchAhead(source, back[0]?.localOffset ?? end, back, end)
  for (const record of [...front, ...back]) {
    const header = await source.read(record.localOffset, LOCAL.size + record.nameLength)
    if (header.readUInt32LE(0) !== LOCAL.signature) {
      report.add(3, record.index, 3, misplaced(record, record.localOffset, 'other data'))
      return undefined
    }
    compareHeaders(directory, record, header, report)
  }
  return { prefixLength, dataOffsets }
}

interface Break {
  readonly pass: number
  readonly rule: number
  readonly finding: Finding
}

function breakOfChain(record: DirectoryRecord, expected: number): Break | undefined {
  const { flags, compressedSize, size, localOffset, extraLength: length, shownName } = record
  if (compressedSize === SENTINEL32 || size === SENTINEL32 || localOffset === SENTINEL32) {
    return { pass: 3, rule: 1, finding: finding('ZIP64', shownName) }
  }
  if (localOffset !== expected) return { pass: 3, rule: 2, finding: misplaced(record, expected, localOffset) }
  if ((flags & FLAG.descriptor) !== 0) return { pass: 3, rule: 4, finding: finding('DATA_DESCRIPTOR', shownName) }
  // The local header has one as well, as a rule, of a length that nothing here tells.
  if (length !== 0) return { pass: 4, rule: 11, finding: finding('EXTRA', shownName, { length, where: 'directory' }) }
  return undefined
}

function misplaced({ shownName }: DirectoryRecord, expected: number, got: number | string): Finding {
  return finding('LAYOUT', shownName, { what: 'the local header', expected, got })
}

function dataOffsetOf({ localOffset, nameLength }: DirectoryRecord): number {
  return localOffset + LOCAL.size + nameLength
}

function endOf(record: DirectoryRecord): number {
  return dataOffsetOf(record) + record.compressedSize
}

/** One request for entries that follow each other. Nothing is proven of them yet. */
async function fetchAhead(
  source: UrlSource,
  start: number,
  records: readonly DirectoryRecord[],
  end: number,
): Promise<void> {
  const [first, last] = [records[0], records.at(-1)]
  if (!first || !last || last.index - first.index !== records.length - 1) return
  const stop = Math.min(endOf(last), end)
  if (start < stop && stop - start <= AHEAD) await source.load(start, stop)
}
