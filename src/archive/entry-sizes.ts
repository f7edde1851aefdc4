import { type Args, type ErrorCode, finding } from '../errors.ts'
import type { Limits } from '../format/limits.ts'
import type { Directory, DirectoryRecord } from './directory.ts'
import type { Report } from './report.ts'
import { DEFLATE, STORED } from './zip-records.ts'

/**
 * The most that deflate can expand: 258 bytes from 2 bits make 1032:1 (zlib's "Maximum Expansion Factor"), and 64 bytes
 * stand for what the first bits of a block may give. A larger claim is a lie, known without inflating.
 */
const MAX_EXPANSION = 1032
const EXPANSION_SLACK = 64

/** Pass 7: sizes that can be true, then the quotas; the total is charged to the entry that exceeds it. */
export function checkSizes(directory: Directory, limits: Limits, report: Report): void {
  const add = (record: DirectoryRecord, rule: number, code: ErrorCode, args: Args) =>
    report.add(7, record.index, rule, finding(code, record.shownName, args))

  let total = 0
  for (const record of directory.records) {
    const { method, size, compressedSize } = record
    if (method === STORED && compressedSize !== size) add(record, 1, 'SIZE', { expected: compressedSize, got: size })
    const most = MAX_EXPANSION * compressedSize + EXPANSION_SLACK
    if (method === DEFLATE && size > most) {
      add(record, 2, 'SIZE_IMPOSSIBLE', { compressed: compressedSize, limit: most, got: size })
    }
    if (size > limits.fileBytes) add(record, 3, 'FILE', { limit: limits.fileBytes, got: size })
    if (size > limits.ratioFrom && size > limits.ratio * compressedSize) {
      add(record, 4, 'RATIO', { limit: limits.ratio, got: Math.ceil(size / compressedSize) })
    }
    const before = total
    total += size
    if (total > limits.totalBytes && before <= limits.totalBytes) {
      add(record, 5, 'TOTAL', { limit: limits.totalBytes, got: total })
    }
  }
}
