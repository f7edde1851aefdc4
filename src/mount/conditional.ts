import type { MountRequest } from './answer.ts'

const ENTITY_TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g

/**
 * Evaluates preconditions in the order of RFC 9110 §13.2.2. 200 means: go on.
 *
 * No Last-Modified is sent: an archive knows no times (its dates are fixed, for equal bytes), and the day it was
 * unpacked or mounted says nothing about its content; one in the past has made Express and Flask answer 304 for changed
 * content. If-Modified-Since and If-Unmodified-Since are therefore ignored, as §13.1.3 and §13.1.4 ask of a resource
 * without a modification date.
 */
export function evaluatePreconditions(headers: MountRequest['headers'], etag: string): 200 | 304 | 412 {
  const match = headers.get('if-match') ?? undefined
  // Strong comparison: a weak tag never matches (§13.1.1).
  if (match !== undefined && match.trim() !== '*' && !tagsOf(match).includes(etag)) return 412
  const noneMatch = headers.get('if-none-match') ?? undefined
  if (noneMatch === undefined) return 200
  if (noneMatch === etag || noneMatch.trim() === '*') return 304
  // Weak comparison: a cache on the way may have weakened the tag that it got from us (§13.1.2).
  return tagsOf(noneMatch).some((tag) => tag.replace(/^W\//, '') === etag) ? 304 : 200
}

/** Whether a Range may be answered: no If-Range, or exactly this tag. A date never equals: we send none (§13.1.5). */
export function ifRangeHolds(field: string | null | undefined, etag: string): boolean {
  return field === null || field === undefined || field.trim() === etag
}

function tagsOf(field: string): string[] {
  return field.match(ENTITY_TAG) ?? []
}
