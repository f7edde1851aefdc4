import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ACCEPTED_DIR, fixtureFiles, LARGE_DIR, REJECTED_DIR, rejectedFiles } from '../../fixtures/make/files.ts'
import { ERRORS } from '../../src/errors.ts'

const FIXTURES = join(ACCEPTED_DIR, '..')
const REFRESH = 'run: npm run fixtures'

// Another zlib than the one that Node brings along may compress differently.
const ownZlib = process.config.variables.node_shared_zlib !== true

test.runIf(ownZlib)('fixtures/accepted and fixtures/rejected are what fixtures/make makes', async () => {
  const made = fixtureFiles()
  const there: string[] = []
  for (const dir of ['accepted', 'rejected']) {
    for (const entry of await readdir(join(FIXTURES, dir), { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) there.push(join(entry.parentPath, entry.name).slice(FIXTURES.length + 1))
    }
  }
  expect(there.sort(), REFRESH).toEqual([...made.keys()].sort())

  const stale: string[] = []
  for (const [path, { bytes, mode }] of made) {
    const file = join(FIXTURES, path)
    const same = (await readFile(file)).equals(bytes)
    const sameMode = process.platform === 'win32' || ((await stat(file)).mode & 0o100) === (mode & 0o100)
    if (!same || !sameMode) stale.push(path)
  }
  expect(stale, REFRESH).toEqual([])
})

test('every rejected archive is named by a code, once, and committed only if it is small', async () => {
  const files = await rejectedFiles()
  expect(new Set(files.map(({ name }) => name)).size).toBe(files.length)
  for (const { name, code, path } of files) {
    expect(Object.keys(ERRORS)).toContain(code)
    expect(name).toMatch(/^[A-Z0-9_]+--[a-z0-9]+(-[a-z0-9.]+)*\.zapp$/)
    const isSmall = (await stat(path)).size < 64 * 1024
    expect(path).toBe(join(isSmall ? REJECTED_DIR : LARGE_DIR, name))
  }
})
