import { type Args, type ErrorCode, finding } from '../errors.ts'
import type { Directory } from './directory.ts'
import type { Report } from './report.ts'
import { DEFLATE, FLAG, STORED } from './zip-records.ts'

const ALLOWED_FLAGS = FLAG.utf8 | FLAG.level
/** Version 2.0: folders and deflate. Later ones announce what the format does not have. */
const MAX_VERSION = 20

/** Pass 5: each entry uses only what the format has. */
export function checkFields({ records }: Directory, report: Report): void {
  for (const record of records) {
    const { flags, method, version, disk, commentLength } = record
    const isPlain = (flags & ~ALLOWED_FLAGS) === 0 && (method === STORED || method === DEFLATE)
    if (isPlain && version <= MAX_VERSION && disk === 0 && commentLength === 0) continue

    const add = (rule: number, code: ErrorCode, args: Args) =>
      report.add(5, record.index, rule, finding(code, record.shownName, args))
    if (disk !== 0) add(1, 'MULTI_DISK', { field: 'the disk of an entry', got: disk })
    if ((flags & FLAG.encrypted) !== 0) add(2, 'ENCRYPTED', { got: hex(flags) })
    if ((flags & ~(ALLOWED_FLAGS | FLAG.encrypted)) !== 0) add(3, 'FLAGS', { got: hex(flags) })
    if (method !== STORED && method !== DEFLATE) add(4, 'METHOD', { got: method })
    if (version > MAX_VERSION) add(5, 'VERSION', { got: version })
    if (commentLength !== 0) add(6, 'ENTRY_COMMENT', { length: commentLength })
  }
}

function hex(flags: number): string {
  return `0x${flags.toString(16).padStart(4, '0')}`
}
