import { crc32 } from 'node:zlib'
import { type Args, type ErrorCode, type Finding, finding } from '../errors.ts'
import { type EntryPath, judgeName } from '../format/entry-path.ts'
import { type Fault, isFault } from '../format/fault.ts'
import type { Limits } from '../format/limits.ts'
import { NameTable } from '../format/name-table.ts'
import type { ForeignEntry } from './foreign-zip.ts'
import { DEFLATE, FLAG, STORED } from './zip-records.ts'

export interface JudgedEntry {
  readonly path: EntryPath
  readonly kind: 'file' | 'dir'
  readonly entry: ForeignEntry
}

/**
 * The entries of a foreign zip that may go into an archive, held to the rules of the format wherever writing it anew
 * cannot put them right: names, collisions, types, encryption, methods, quotas. All that is wrong is reported.
 * What Finder adds for itself (`__MACOSX/`) is left out.
 */
export function judgeForeign(entries: readonly ForeignEntry[], limits: Limits) {
  const table = new NameTable()
  const judged: JudgedEntry[] = []
  const findings: Finding[] = []
  let total = 0
  for (const entry of entries) {
    const path = foreignName(entry)
    if (isFault(path)) {
      findings.push(finding(path.code, printable(entry.nameBytes), path.args))
      continue
    }
    if (path.startsWith('__MACOSX/')) continue
    const add = (code: ErrorCode, args: Args = {}) => findings.push(finding(code, path, args))
    const kind = path.endsWith('/') ? 'dir' : 'file'
    const collision = table.add(path)
    if (collision) add(collision.code, collision.args)
    checkEntry(entry, kind, limits, add)
    const before = total
    total += entry.size
    if (total > limits.totalBytes && before <= limits.totalBytes) add('TOTAL', { limit: limits.totalBytes, got: total })
    judged.push({ path, kind, entry })
  }
  return { judged, findings }
}

const UNIX = { type: 0o170000, file: 0o100000, folder: 0o040000 } as const
const DOS_FOLDER = 0x10

function checkEntry(
  { flags, method, size, compressedSize, attributes }: ForeignEntry,
  kind: JudgedEntry['kind'],
  limits: Limits,
  add: (code: ErrorCode, args?: Args) => void,
): void {
  if ((flags & FLAG.encrypted) !== 0) add('ENCRYPTED', { got: `0x${flags.toString(16).padStart(4, '0')}` })
  if (method !== STORED && method !== DEFLATE) add('METHOD', { got: method })
  const type = (attributes >>> 16) & UNIX.type
  if (type !== 0 && type !== (kind === 'dir' ? UNIX.folder : UNIX.file)) {
    add('TYPE', { got: `mode ${(attributes >>> 16).toString(8)}` })
  } else if (kind === 'file' && (attributes & DOS_FOLDER) !== 0) {
    add('TYPE', { got: 'a folder without "/"' })
  }
  // jar deflates folders, which makes two bytes of nothing.
  if (kind === 'dir' && size > 0) add('DIR_DATA', { got: size })
  if (size > limits.fileBytes) add('FILE', { limit: limits.fileBytes, got: size })
  if (size > limits.ratioFrom && size > limits.ratio * compressedSize) {
    add('RATIO', { limit: limits.ratio, got: Math.ceil(size / compressedSize) })
  }
}

/**
 * A name beyond ASCII is UTF-8 where the flag says so, where Info-ZIP's extra field 0x7075 gives it (it is bound to the
 * name by a CRC), or where its bytes are well-formed UTF-8 (Finder sets no flag). Any other encoding would be a guess.
 */
function foreignName(entry: ForeignEntry): EntryPath | Fault {
  const { nameBytes, flags, extraFields } = entry
  const isPlain = (flags & FLAG.utf8) !== 0 || nameBytes.every((byte) => byte < 0x80)
  const unicode = isPlain
    ? undefined
    : extraFields.find(({ id, data }) => id === 0x7075 && isUnicodePath(data, nameBytes))
  return judgeName(unicode ? unicode.data.subarray(5) : nameBytes, true)
}

/** APPNOTE 4.6.9: version 1, CRC-32 of the name that it replaces, the name in UTF-8. */
function isUnicodePath(data: Buffer, nameBytes: Buffer): boolean {
  return data.length > 5 && data[0] === 1 && data.readUInt32LE(1) === crc32(nameBytes)
}

function printable(name: Buffer): string {
  return name.toString('utf8')
}
