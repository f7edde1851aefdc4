import type { Fault } from './fault.ts'

/** A URL pattern of a route, as the Servlet specification (6.0, chapter 12) defines them. */
export type Pattern =
  | { readonly kind: 'exact'; readonly text: string; readonly path: string }
  /** `prefix` is "/a" for "/a/*". */
  | { readonly kind: 'prefix'; readonly text: string; readonly prefix: string }
  /** `extension` is "pdf" for "*.pdf". */
  | { readonly kind: 'suffix'; readonly text: string; readonly extension: string }
  | { readonly kind: 'default'; readonly text: string }

export interface Match<T> {
  readonly value: T
  /** What the pattern consumed: the whole path (exact), the prefix ("/a" of "/a/*"), "" (suffix, default). */
  readonly matched: string
  /** What is left: "" (exact), "" or "/…" (prefix), the whole path (suffix, default). */
  readonly rest: string
}

/** Reads a pattern: `/a`, `/a/*`, `*.pdf` or `/`. MANIFEST_RULE, rule R3, where it is none of these. */
export function parsePattern(text: string): Pattern | Fault {
  const wrong = whyNot(text)
  if (wrong !== undefined) return { code: 'MANIFEST_RULE', args: { rule: 'R3', expected: wrong, got: text } }
  if (text === '/') return { kind: 'default', text }
  if (text.startsWith('*.')) return { kind: 'suffix', text, extension: text.slice(2) }
  if (text.endsWith('/*')) return { kind: 'prefix', text, prefix: text.slice(0, -2) }
  return { kind: 'exact', text, path: text }
}

function whyNot(text: string): string | undefined {
  if (text === '/*') return 'the pattern for everything must be written "/": "/*" would hide every suffix route'
  if (!/^(?:\/|\*\.)/.test(text)) return 'a pattern must begin with "/" or "*."'
  if (/^\*\.(?:.*[./*]|$)/s.test(text)) return 'a suffix pattern must be "*." and what follows the last dot of a name'
  if (/\*/.test(text.replace(/^\*\.|\/\*$/, '')))
    return 'a pattern must hold "*" only in a final "/*" or a leading "*."'
  if (/[?#]/.test(text)) return 'a pattern must hold no "?" and no "#": only the path is matched'
  if (/%/.test(text)) return 'a pattern must be written decoded, without "%": it is matched on the decoded path'
  if (/[\u0000-\u001f\u007f-\u009f\\]/.test(text)) return 'a pattern must hold no backslash and no control character'
  if (/\/\.{0,2}\/|\/\.{1,2}$/.test(text)) return 'a pattern must hold no empty, "." or ".." segment'
  return undefined
}

/**
 * Compiles a routing table once. Exact beats the longest prefix, which beats suffix, which beats default; whole
 * segments, case-sensitive.
 * @returns a function of the decoded path below the mount, which begins with "/"
 */
export function createMatcher<T>(rows: readonly (readonly [Pattern, T])[]): (path: string) => Match<T> | undefined {
  const exact = new Map<string, T>()
  const prefixes = new Map<string, T>()
  const suffixes = new Map<string, T>()
  let fallback: { value: T } | undefined
  for (const [pattern, value] of rows) {
    if (pattern.kind === 'exact') exact.set(pattern.path, value)
    else if (pattern.kind === 'prefix') prefixes.set(pattern.prefix, value)
    else if (pattern.kind === 'suffix') suffixes.set(pattern.extension, value)
    else fallback = { value }
  }
  // A path of 8 KiB of slashes must not cost 8,000 look-ups.
  const longest = rows.reduce((most, [pattern]) => Math.max(most, pattern.text.length), 0)

  return (path) => {
    if (exact.has(path)) return { value: exact.get(path)!, matched: path, rest: '' }
    for (let end = Math.min(path.length, longest); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const matched = path.slice(0, end)
      const rest = path.slice(end)
      if ((rest === '' || rest.startsWith('/')) && prefixes.has(matched)) {
        return { value: prefixes.get(matched)!, matched, rest }
      }
    }
    // With a dot in an earlier segment only, this holds a slash, which no suffix has.
    const extension = path.slice(path.lastIndexOf('.') + 1)
    if (suffixes.has(extension)) return { value: suffixes.get(extension)!, matched: '', rest: path }
    return fallback && { value: fallback.value, matched: '', rest: path }
  }
}
