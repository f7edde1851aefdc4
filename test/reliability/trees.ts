import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Place } from './host-process.ts'

/** How many files each run tree of a cache holds: the versions of one app have the same number. */
export function treeSizes({ cache }: Place): number[] {
  const trees = join(cache, 'v1/trees')
  return readdirSync(trees).map((name) => {
    const files = readdirSync(join(trees, name), { recursive: true, withFileTypes: true })
    return files.filter((entry) => entry.isFile()).length
  })
}
