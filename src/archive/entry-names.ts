import { type Args, type ErrorCode, finding } from '../errors.ts'
import { type EntryPath, judgeName } from '../format/entry-path.ts'
import { isFault } from '../format/fault.ts'
import type { Limits } from '../format/limits.ts'
import { NameTable } from '../format/name-table.ts'
import type { Directory, DirectoryRecord } from './directory.ts'
import type { Report } from './report.ts'
import { FLAG, STORED } from './zip-records.ts'

/** Unix mode, the high 16 bits of the external attributes. */
const UNIX = { type: 0o170000, none: 0, file: 0o100000, folder: 0o040000, setid: 0o7000, ownerExecutes: 0o100 } as const
/** DOS attributes, the low 16 bits: a folder; volume label, device, and reparse point (NTFS's link). */
const DOS = { folder: 0x10, special: 0x0448 } as const

export interface NamedEntry {
  readonly path: EntryPath
  readonly kind: 'file' | 'dir'
  readonly mode: 0o644 | 0o755
}

/**
 * Pass 6: names (rules A, number 1), collisions between them (rules B, number 2), types (rules C, numbers 3 to 5).
 * By entry; undefined where the name is refused.
 */
export function checkNames(directory: Directory, limits: Limits, report: Report): (NamedEntry | undefined)[] {
  const table = new NameTable(limits.entries)
  let isFull = false
  return directory.records.map((record) => {
    if (isFull) return undefined
    const path = judgeName(record.nameBytes, (record.flags & FLAG.utf8) !== 0)
    if (isFault(path)) {
      report.add(6, record.index, 1, finding(path.code, record.shownName, path.args))
      return undefined
    }
    const collision = table.add(path)
    if (collision) report.add(6, record.index, 2, finding(collision.code, path, collision.args))
    // Rule B4: what comes behind it would only cost time.
    isFull = collision?.code === 'TOO_MANY'

    const kind = path.endsWith('/') ? 'dir' : 'file'
    const { attributes } = record
    checkType(record, path, kind, attributes, report)
    return { path, kind, mode: kind === 'dir' || ((attributes >>> 16) & UNIX.ownerExecutes) !== 0 ? 0o755 : 0o644 }
  })
}

/**
 * The name decides what an entry is, and its attributes must not contradict. The Unix mode is judged whatever system
 * "version made by" names: some tools apply it without looking there (CPython's zipfile does).
 */
function checkType(
  record: DirectoryRecord,
  path: EntryPath,
  kind: NamedEntry['kind'],
  attributes: number,
  report: Report,
): void {
  const add = (rule: number, code: ErrorCode, args: Args) =>
    report.add(6, record.index, rule, finding(code, path, args))
  const mode = attributes >>> 16
  const type = mode & UNIX.type
  if (type !== UNIX.none && type !== (kind === 'dir' ? UNIX.folder : UNIX.file)) {
    add(3, 'TYPE', { got: `mode ${mode.toString(8)}` })
  } else if ((attributes & DOS.special) !== 0 || (kind === 'file' && (attributes & DOS.folder) !== 0)) {
    add(3, 'TYPE', { got: `DOS attributes 0x${(attributes & 0xffff).toString(16)}` })
  }
  if ((mode & UNIX.setid) !== 0) add(4, 'SETID', { got: mode.toString(8) })
  if (kind === 'dir' && (record.size !== 0 || record.compressedSize !== 0 || record.method !== STORED)) {
    add(5, 'DIR_DATA', { got: Math.max(record.size, record.compressedSize) })
  }
}
