/** Both inclusive, within the representation. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

const ONE_RANGE = /^bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*$/i

/**
 * Reads Range (RFC 9110 §14.2) for a representation of `length` bytes.
 *
 * One range only: several in one field have been used to make servers multiply a file (CVE-2011-3192), and nothing
 * gains by them. Several, another unit or a malformed field give `undefined`: answer as if there were no Range.
 * A well-formed range that lies behind the end is `unsatisfiable` (416): a client that resumes a download learns from
 * it that it has everything, which 200 and the whole file again would not tell. Nothing can be cut from an empty file,
 * and clients that send `bytes=0-` with every request mean no harm: there too the answer is the whole.
 */
export function parseRange(field: string | null | undefined, length: number): ByteRange | 'unsatisfiable' | undefined {
  const [, first, last] = ONE_RANGE.exec(field ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
  if (length === 0) return undefined
  if (first === '') {
    const count = Number(last)
    return count === 0 ? 'unsatisfiable' : { start: Math.max(0, length - count), end: length - 1 }
  }
  const start = Number(first)
  const end = last === '' ? length - 1 : Math.min(Number(last), length - 1)
  if (last !== '' && Number(last) < start) return undefined
  return start >= length ? 'unsatisfiable' : { start, end }
}
