import { finding } from '../errors.ts'
import type { Directory, DirectoryRecord } from './directory.ts'
import type { Report } from './report.ts'
import { CENTRAL, LOCAL } from './zip-records.ts'

/** From version to name length both headers have the same bytes; in the local one they begin two earlier. */
const SAME_FROM = CENTRAL.version
const SAME_TO = CENTRAL.extraLength
const SHIFT = CENTRAL.version - LOCAL.version

/** Rules 1 to 8 of pass 4: what a message calls the field, its offset in the directory record, its size. */
const FIELDS = [
  ['version needed', CENTRAL.version, 2],
  ['flags', CENTRAL.flags, 2],
  ['method', CENTRAL.method, 2],
  ['time and date', CENTRAL.time, 4],
  ['CRC-32', CENTRAL.crc32, 4],
  ['compressed size', CENTRAL.compressedSize, 4],
  ['size', CENTRAL.uncompressedSize, 4],
  ['name length', CENTRAL.nameLength, 2],
] as const

/**
 * Pass 4: the local header is byte-equal to the directory (rules 1 to 9), and both extra fields are empty (10, 11).
 * So no tool that believes the one can read other things than a tool that believes the other.
 *
 * @param header begins at the local header and holds at least the fixed fields
 */
export function compareHeaders(directory: Directory, record: DirectoryRecord, header: Buffer, report: Report): void {
  const { bytes } = directory
  const { index, at, nameLength, extraLength } = record
  const sameFields = header.compare(bytes, at + SAME_FROM, at + SAME_TO, SAME_FROM - SHIFT, SAME_TO - SHIFT) === 0
  // Of equal length, so the header holds all of the name: the caller has seen that it ends in front of the directory.
  const sameName =
    header.readUInt16LE(LOCAL.nameLength) !== nameLength ||
    header.compare(bytes, at + CENTRAL.size, at + CENTRAL.size + nameLength, LOCAL.size, LOCAL.size + nameLength) === 0
  const localExtra = header.readUInt16LE(LOCAL.extraLength)
  if (sameFields && sameName && localExtra === 0 && extraLength === 0) return

  const path = record.shownName
  const mismatch = (rule: number, field: string, expected: string | number, got: string | number) =>
    report.add(4, index, rule, finding('LFH_MISMATCH', path, { field, expected, got }))

  let rule = 0
  for (const [field, offset, size] of FIELDS) {
    rule++
    const expected = bytes.readUIntLE(at + offset, size)
    const got = header.readUIntLE(offset - SHIFT, size)
    if (got !== expected) mismatch(rule, field, expected, got)
  }
  if (!sameName) {
    mismatch(9, 'name', JSON.stringify(path), header.toString(undefined, LOCAL.size, LOCAL.size + nameLength))
  }
  if (localExtra !== 0) report.add(4, index, 10, finding('EXTRA', path, { length: localExtra, where: 'local' }))
  if (extraLength !== 0) report.add(4, index, 11, finding('EXTRA', path, { length: extraLength, where: 'directory' }))
}
