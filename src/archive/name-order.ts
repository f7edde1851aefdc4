/**
 * Orders names by their UTF-8 bytes, as FORMAT.md §Order demands. JavaScript's own order is by UTF-16 units, which
 * differs beyond U+FFFF: a surrogate (U+D800 …) sorts before U+E000 there, but its character comes after it.
 */
export function compareNames(a: string, b: string): number {
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return a < b ? -1 : a > b ? 1 : 0
}

const SURROGATE = /[\ud800-\udfff]/
