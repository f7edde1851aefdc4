import type { CacheRule } from '../format/manifest-types.ts'

export type Header = readonly [name: string, value: string]

/**
 * Cache-Control for a route's rule. Without a rule `no-cache`: a browser may keep the file but asks each time, and the
 * ETag makes that a 304; so a new version is seen at once, which guessing from a date (RFC 9111 §4.2.2) would spoil.
 */
export function cacheControl(rule: CacheRule | undefined): Header {
  if (rule === undefined) return ['Cache-Control', 'no-cache']
  if (rule === 'no-store') return ['Cache-Control', 'no-store']
  if (rule === 'immutable') return ['Cache-Control', 'public, max-age=31536000, immutable']
  return ['Cache-Control', `public, max-age=${rule.seconds}`]
}

/**
 * The rule for what a route answers besides its files: redirects, and the page for a path that is not there. These
 * change with a deploy even where the files by their hashed names do not, so `immutable` must not freeze them.
 */
export function softCacheControl(rule: CacheRule | undefined): Header {
  return cacheControl(rule === 'immutable' ? undefined : rule)
}

/** What the author wrote for the route replaces our field of the same name; Vary adds up. */
export function withRouteHeaders(ours: readonly Header[], theirs: readonly Header[]): Header[] {
  const named = new Set(theirs.map(([name]) => name.toLowerCase()))
  const vary = ours.find(([name]) => name === 'Vary')
  return [
    ...ours.filter(([name]) => !named.has(name.toLowerCase())),
    ...theirs.map(([name, value]): Header => {
      return vary && name.toLowerCase() === 'vary' ? ['Vary', `${vary[1]}, ${value}`] : [name, value]
    }),
  ]
}

/** No sniffing: the type is what the table says, whatever the bytes look like. */
export const NOSNIFF: Header = ['X-Content-Type-Options', 'nosniff']

/** A map key or prefix as URL text. The input is decoded, so nothing of it can end the path or begin a query. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}
