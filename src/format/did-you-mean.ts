import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** The candidate that was probably meant: the same but for case, else at most two letters in five differ. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  // Loaded for the first mistake: every process of a host would carry its tables.
  const { distance } = require('fastest-levenshtein') as typeof import('fastest-levenshtein')
  const lower = word.toLowerCase()
  let best: string | undefined
  let least = Math.max(1, Math.floor(word.length * 0.4)) + 1
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= least) continue
    const edits = distance(lower, candidate.toLowerCase())
    if (edits < least) {
      least = edits
      best = candidate
    }
  }
  return best
}

/** Distances to more names than this are not computed: a hostile manifest must not cost minutes. */
const MOST_NAMES = 100

/** ` (did you mean "entry"?)`, the end of a message; empty where nothing is near, or names are too many. */
export function hint(word: string, names: readonly string[]): string {
  const meant = names.length > MOST_NAMES ? undefined : didYouMean(word, names)
  return meant === undefined ? '' : ` (did you mean ${JSON.stringify(meant)}?)`
}
