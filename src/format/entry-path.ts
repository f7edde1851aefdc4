import type { ErrorCode } from '../errors.ts'
import type { Fault } from './fault.ts'
import { inSet } from './sorted.ts'
import { ASSIGNED, INVISIBLE } from './tables.ts'

declare const brand: unique symbol

/** A name inside an archive that passed every rule A. Folders end in "/". Only the judges below make one. */
export type EntryPath = string & { readonly [brand]: 'EntryPath' }

/*
 * Rules A (FORMAT.md §Names). The first rule that a name breaks is the one reported, in this order:
 *
 *   A1  NAME_EMPTY               at least one byte
 *   A2  NAME_TOO_LONG            at most 1,024 bytes as stored, at most 255 bytes between slashes
 *   A3  NAME_TOO_DEEP            at most 64 segments; the slash that ends a folder's name begins no further one
 *   A4  NAME_ENCODING            a byte >= 0x80 needs general purpose bit 11
 *   A5  NAME_NOT_UTF8            well-formed UTF-8
 *   A6  NAME_CONTROL             no U+0000–001F, U+007F–009F
 *   A7  NAME_INVISIBLE           none of the table INVISIBLE
 *   A8  NAME_UNASSIGNED          only code points of the table ASSIGNED
 *   A9  NAME_BACKSLASH           no "\"
 *   A10 NAME_ABSOLUTE            does not begin with "/"
 *   A11 NAME_EMPTY_SEGMENT       no "//"
 *   A12 NAME_DOT_SEGMENT         no segment "." or "..", in the name or in its NFKC form split at "/" and "\"
 *   A13 NAME_RESERVED_CHAR       none of < > : " | ? *
 *   A14 NAME_TRAILING_DOT_SPACE  no segment ends in "." or " "
 *   A15 NAME_DEVICE              no segment is a device of Windows, up to its first "." and without spaces before that
 *   A16 NAME_NOT_NFC             in Unicode normal form C
 *
 * Why this order: A1–A3 bound the work of the others. A8 stands before A12 and A16, because normal forms agree between
 * two Unicode versions only for code points that both know.
 */

type Rule = readonly [code: ErrorCode, breaks: (name: string, segments: readonly string[]) => boolean]

const MAX_NAME_BYTES = 1024
const MAX_SEGMENT_BYTES = 255
const MAX_DEPTH = 64

/** A6 to A16, in order. */
const TEXT_RULES: readonly Rule[] = [
  ['NAME_CONTROL', (name) => /[\u0000-\u001f\u007f-\u009f]/.test(name)],
  ['NAME_INVISIBLE', (name) => hasPoint(name, (point) => inSet(INVISIBLE, point))],
  ['NAME_UNASSIGNED', (name) => hasPoint(name, (point) => !inSet(ASSIGNED, point))],
  ['NAME_BACKSLASH', (name) => name.includes('\\')],
  ['NAME_ABSOLUTE', (name) => name.startsWith('/')],
  ['NAME_EMPTY_SEGMENT', (name) => name.includes('//')],
  // Decoders and file systems that compare compatibility forms turn full-width dots and one-character ".." into dots.
  ['NAME_DOT_SEGMENT', (name, segments) => [...segments, ...name.normalize('NFKC').split(/[/\\]/)].some(isDots)],
  ['NAME_RESERVED_CHAR', (name) => /[<>:"|?*]/.test(name)],
  ['NAME_TRAILING_DOT_SPACE', (_, segments) => segments.some((segment) => /[. ]$/.test(segment))],
  ['NAME_DEVICE', (name) => DEVICE.test(name)],
  ['NAME_NOT_NFC', (name) => name.normalize('NFC') !== name],
]

const DEVICE = /(?:^|\/)(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[1-9¹²³]) *(?:[./]|$)/i

// Almost every name of a real tree is decided by this and DEVICE: short, plain ASCII, no rule broken. Below 128 bytes a
// name can break neither A2 nor A3.
const SHORT = 127
const ORDINARY = /^(?:[!#-)+-.0-9;=@-[\]-{}~ ]*[!#-)+-\-0-9;=@-[\]-{}~](?:\/|$))+$/

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const bytewise = new TextDecoder('latin1')
const encoder = new TextEncoder()

/** Judges the raw bytes of a name, as a zip holds them. `utf8Flag` is general purpose bit 11. Never throws. */
export function judgeName(raw: Uint8Array, utf8Flag: boolean): EntryPath | Fault {
  if (raw.length === 0) return { code: 'NAME_EMPTY', args: {} }
  if (raw.length > MAX_NAME_BYTES) return { code: 'NAME_TOO_LONG', args: { length: raw.length } }

  // One character per byte: enough for names of ASCII, and for lengths before it is known whether the bytes are text.
  const bytes = bytewise.decode(raw)
  if (isOrdinary(bytes)) return bytes as EntryPath
  const segments = split(bytes)
  const length = Math.max(...segments.map((segment) => segment.length))
  if (length > MAX_SEGMENT_BYTES) return { code: 'NAME_TOO_LONG', args: { length } }
  if (segments.length > MAX_DEPTH) return { code: 'NAME_TOO_DEEP', args: { depth: segments.length } }
  if (!utf8Flag && raw.some((byte) => byte >= 0x80)) return { code: 'NAME_ENCODING', args: { name: bytes } }

  let name: string
  try {
    name = decoder.decode(raw)
  } catch {
    return { code: 'NAME_NOT_UTF8', args: { name: bytes } }
  }
  return judgeText(name)
}

/** Judges a name that is text already: what a packer found on disk, what a manifest says. Same rules, same order. */
export function judgePath(name: string): EntryPath | Fault {
  if (isOrdinary(name)) return name as EntryPath
  if (/\p{Surrogate}/u.test(name)) return { code: 'NAME_NOT_UTF8', args: { name } }
  return judgeName(encoder.encode(name), true)
}

function judgeText(name: string): EntryPath | Fault {
  const segments = split(name)
  const broken = TEXT_RULES.find(([, breaks]) => breaks(name, segments))
  return broken ? { code: broken[0], args: { name } } : (name as EntryPath)
}

function isOrdinary(name: string): boolean {
  return name.length <= SHORT && ORDINARY.test(name) && !DEVICE.test(name)
}

/** The segments; a slash at the end marks a folder and begins no further one. */
function split(name: string): string[] {
  return (name.endsWith('/') ? name.slice(0, -1) : name).split('/')
}

function isDots(segment: string): boolean {
  return segment === '.' || segment === '..'
}

function hasPoint(name: string, test: (point: number) => boolean): boolean {
  for (const char of name) if (test(char.codePointAt(0)!)) return true
  return false
}
