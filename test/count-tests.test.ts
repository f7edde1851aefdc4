import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tmpDir } from './helpers/tmp.ts'

const SCRIPT = join(import.meta.dirname, '../scripts/count-tests.js')

const one = (title: string, status: string, failureMessages: string[] = [], meta = {}) => ({
  ...{ title, fullName: ` ${title}`, status, failureMessages, meta },
})
const file = (name: string, status: string, message: string, ...assertionResults: object[]) => ({
  ...{ name: join(process.cwd(), name), status, message, assertionResults },
})

test('the end of a long run names what failed, what was tried twice and what could not be run, with reasons, and counts', async () => {
  const dir = await tmpDir()
  const thrown = `Error: \u001b[31mexpected\u001b[39m 1 to be 2\n    at /x/node_modules/a.js:1:1\n    at ${process.cwd()}/test/a.test.ts:4:2`
  const runs = {
    'test.json': {
      ...{ numPassedTests: 4, numFailedTests: 1, numPendingTests: 1, numTodoTests: 0 },
      testResults: [
        file(
          'test/a.test.ts',
          'failed',
          '',
          one('adds', 'failed', [thrown]),
          one('good', 'passed'),
          one('at last', 'passed', [thrown]),
        ),
        file('test/b.test.ts', 'failed', 'no such module'),
        file('test/c.test.ts', 'failed', 'no port', one('never ran', 'skipped')),
      ],
    },
    'interop.json': {
      ...{ numPassedTests: 2, numFailedTests: 0, numPendingTests: 1, numTodoTests: 0 },
      testResults: [file('test/d.test.ts', 'passed', '', one('all', 'skipped', [], { notRun: 'it needs apache2' }))],
    },
  }
  for (const [name, run] of Object.entries(runs)) await writeFile(join(dir, name), JSON.stringify(run))
  const { status, stdout } = spawnSync(process.execPath, [SCRIPT, dir], { encoding: 'utf8' })
  expect(stdout).toBe(`interop.json: 2 passed, 0 failed
test.json: 4 passed, 3 failed

not run interop: test/d.test.ts: all
          it needs apache2
failed  test: test/a.test.ts: adds
          Error: expected 1 to be 2
          at ${process.cwd()}/test/a.test.ts:4:2
retried test: test/a.test.ts: at last
          Error: expected 1 to be 2
          at ${process.cwd()}/test/a.test.ts:4:2
failed  test: test/b.test.ts: outside of its tests
          no such module
failed  test: test/c.test.ts: outside of its tests
          no port

6 passed, 3 failed, 2 skipped
`)
  expect(status).toBe(1)
})
