import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './python.ts'

test('python/tests: what only the Python loader has (WSGI, run trees, modules, commands)', () => {
  const args = ['-W', 'error', '-m', 'unittest', 'discover', '-s', 'tests', '-t', '.']
  // vitest's own variables are not the loader's: MODE is one that an app of the tests declares.
  const env = { PATH: process.env.PATH, HOME: process.env.HOME }
  const { status, stderr } = spawnSync('python3', args, { cwd: join(ROOT, 'python'), encoding: 'utf8', env })
  expect(status, stderr).toBe(0)
  expect(Number(/Ran ([0-9]+) tests/.exec(stderr)?.[1])).toBeGreaterThan(30)
}, 240_000)
