import type { MountRequest } from './answer.ts'

/**
 * Judges request paths, rules P of FORMAT.md §Request paths; the only file that does. Nothing is normalised: a path is
 * taken as it is, or refused.
 *
 * Which check is the boundary: what keeps files private is the static table, a map made at mount from the declared
 * public folders only; a path that is not one of its keys has no file (static-table.ts). The checks here protect what
 * comes after us. Dot segments, control characters and a leading `//` mean different things to different decoders
 * (applications, proxies, browsers), so no route ever sees them (P4 to P6, P9).
 *
 * A path is decoded exactly once, here; everything later sees the decoded value. A segment that has no
 * single meaning once decoded (`%2f`, `%5c`, `\`, `%zz`, bytes that are not UTF-8) stays as it was sent and makes the
 * path not {@link RequestPath.plain}: it goes untouched to an entry, and is never looked up in a folder (P7).
 */
export interface RequestPath {
  /** Below the mount, decoded, what routes are matched on: `""`, or begins with `/`. */
  readonly decoded: string
  /** The same below the mount as it was sent; has the same number of segments. */
  readonly raw: string
  /** Every segment has one meaning only: the path may be looked up. */
  readonly plain: boolean
  /** With its `?`, or `""`. Never decoded. */
  readonly query: string
}

/** Status of a refusal: a bad target, a path that is not below the mount, a method that has no path. */
export type Refusal = 400 | 404 | 405

/** Absolute form, RFC 9112 §3.2.2. Userinfo stays in the authority and so never equals a Host. */
const ABSOLUTE = /^https?:\/\/([^/?#]+)(.*)$/i
/** RFC 3986 has neither spaces, controls nor bytes beyond ASCII in a URI; a fragment never goes over the wire (P3). */
const NOT_A_TARGET = /[^\x21-\x7e]|#/
/** Without one of these a path decodes to itself and has no odd segment: nearly every request. */
const ODD = /%|\\|\/\.|\/\//
/** `.` or `..` as a whole segment, or before the parameters that some servers cut off at `;` (P5). */
const DOT_SEGMENT = /(?:^|[/\\])\.\.?(?:[;/\\]|$)/
const CONTROL = /[\x00-\x1f\x7f]/
const ESCAPE = /%([0-9a-f]{2})/gi

export function judgeRequestPath(request: MountRequest): RequestPath | Refusal {
  if (request.method === 'CONNECT') return 405
  const target = originForm(request)
  if (target === undefined || NOT_A_TARGET.test(target)) return 400
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  const query = mark === -1 ? '' : target.slice(mark)

  if (!ODD.test(path)) {
    const below = belowMount(path, request.mount)
    return below === undefined ? 404 : { decoded: below, raw: below, plain: true, query }
  }

  if (isSchemeRelative(path)) return 400
  const whole = decodeSegments(path)
  if (whole === undefined) return 400
  // A mount is "/café" in a configuration, and "/caf%C3%A9" where a container takes it from the request.
  const { mount } = request
  if (belowMount(whole.decoded, mount) === undefined && belowMount(path, mount) === undefined) return 404
  const raw = skipSegments(path, countSegments(mount))
  if (isSchemeRelative(raw)) return 400
  return { decoded: skipSegments(whole.decoded, countSegments(mount)), raw, plain: whole.plain, query }
}

/** `//host` and `/\host`: an application that redirects to its own path would send the client elsewhere (P4, P9). */
export function isSchemeRelative(path: string): boolean {
  return path.startsWith('//') || path.startsWith('/\\')
}

/** The rest of a raw path after its first segments; both sides of a decoding have equally many. */
export function skipSegments(path: string, count: number): string {
  let at = 0
  for (let i = 0; i < count; i++) {
    at = path.indexOf('/', at + 1)
    if (at === -1) return ''
  }
  return path.slice(at)
}

/** Segments of a prefix like `/shop/admin`: as many as it has slashes. */
export function countSegments(prefix: string): number {
  return prefix.split('/').length - 1
}

/** The host decides which site answers, so an absolute target may not name another one than Host does (P2). */
function originForm(request: MountRequest): string | undefined {
  const { target } = request
  if (target.startsWith('/')) return target
  const [, authority, rest] = ABSOLUTE.exec(target) ?? []
  if (authority === undefined || rest === undefined) return undefined
  if (authority.toLowerCase() !== request.headers.get('host')?.toLowerCase()) return undefined
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** Exact, on a segment's boundary, case-sensitive: `/shop` is neither `/shopping` nor `/SHOP` (P8). */
function belowMount(path: string, mount: string): string | undefined {
  if (!path.startsWith(mount)) return undefined
  const rest = path.slice(mount.length)
  return rest === '' || rest.startsWith('/') ? rest : undefined
}

function decodeSegments(path: string): { decoded: string; plain: boolean } | undefined {
  let plain = true
  let decoded = ''
  for (const segment of path.slice(1).split('/')) {
    // As bytes, one character each: what every decoder downstream sees, whatever it thinks of UTF-8.
    const bytes = segment.replace(ESCAPE, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    if (DOT_SEGMENT.test(bytes) || CONTROL.test(bytes)) return undefined
    const text = decodeStrictly(segment)
    if (text === undefined) plain = false
    decoded += `/${text ?? segment}`
  }
  return { decoded, plain }
}

/** `decodeURIComponent` refuses bad escapes and bytes that are not UTF-8, overlong ones too, and keeps a BOM. */
function decodeStrictly(segment: string): string | undefined {
  try {
    const text = decodeURIComponent(segment)
    return text.includes('/') || text.includes('\\') ? undefined : text
  } catch {
    return undefined
  }
}
