import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Archive, openArchive } from '../../src/archive/archive.ts'
import { type Expected, expectAnswer } from '../mount/helpers/expected.ts'
import { ROOT, runPython } from './python.ts'

/* The vectors that every loader must pass, answered by the one in Python; fixtures/requests/README.md has their keys. */

interface Row {
  readonly name: string
  readonly answer: Expected
}

interface Got {
  readonly status: number
  readonly headers: [string, string][]
  readonly body: string | null
}

const FOLDER = join(ROOT, 'fixtures/requests')
const suites = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .map((name) => ({ name, ...JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) }))

interface Suite {
  readonly name: string
  readonly archive: string
  readonly rows: readonly Row[]
}

const runs = ['wsgi', 'asgi'].flatMap((edge) => {
  const answers = runPython<Record<string, Got[]>>('request_answers.py', '', edge)
  return suites.map((suite: Suite) => ({ edge, ...suite, answers: answers[suite.name]! }))
})

describe.each(runs)('the Python loader, $edge, $name', (suite) => {
  let archive: Archive
  beforeAll(async () => {
    archive = await openArchive(join(FOLDER, suite.archive))
  })
  afterAll(() => archive.close())

  test.each(suite.rows.map((row, i) => ({ ...row, got: suite.answers[i]! })))('$name', async (row) => {
    const { answer: expected, got } = row
    if (expected.entry !== undefined) {
      expect(got).toEqual(expected)
      return
    }
    expect(got.status).toBe(expected.status)
    const body = got.body === null ? null : Buffer.from(got.body, 'base64')
    await expectAnswer({ headers: got.headers, body }, expected, archive)
  })
})

test('every row was answered', () => {
  for (const { answers, rows } of runs) expect(answers).toHaveLength(rows.length)
})
