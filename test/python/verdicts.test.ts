import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ACCEPTED_DIR, rejectedFiles } from '../../fixtures/make/files.ts'
import { ROOT, runPython } from './python.ts'

/* The Python loader against the same files as the one in TypeScript: the name of a file is what it must say. */

const MANIFESTS = join(ROOT, 'fixtures/manifests')

function filesIn(folder: string, end: string): string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(end))
  return names.map((name) => join(folder, name))
}

const files = [
  ...(await rejectedFiles()).map(({ path }) => path),
  ...filesIn(ACCEPTED_DIR, '.zapp'),
  ...filesIn(MANIFESTS, '.json'),
  ...filesIn(join(MANIFESTS, 'rejected'), '.json'),
]
// One process for all of them: to start one takes longer than the work.
const verdicts = runPython<Record<string, [opening: string | null, validating: string | null]>>(
  'verdicts.py',
  files.join('\n'),
)

describe('the Python loader', () => {
  test.each(files.map((path) => ({ path, name: path.slice(ROOT.length + 1) })))('$name', ({ path, name }) => {
    const code = name.includes('rejected/') ? /([A-Z0-9_]+)--[^/]*$/.exec(name)![1]! : null
    expect(verdicts[path]).toEqual([code, code])
  })

  test('there are enough of them', () => {
    expect(files.length).toBeGreaterThan(400)
  })
})

test('python/zapp/_tables is schema/ (if not: python3 python/scripts/copy_tables.py)', () => {
  execFileSync('python3', [join(ROOT, 'python/scripts/copy_tables.py'), '--check'], { stdio: 'pipe' })
})
