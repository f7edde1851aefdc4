import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Archive, openArchive } from '../../src/archive/archive.ts'
import { ROOT, runPython } from './python.ts'

/* The vectors that every loader must pass, answered by the one in Python; fixtures/requests/README.md has their keys. */

interface Expected {
  readonly entry?: string
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | null>>
  readonly body?: string
  readonly base64?: string
  readonly file?: string
  readonly slice?: readonly [number, number]
  readonly gunzips?: string
}

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
    await check(got, expected)
  })

  async function check(got: Got, expected: Expected): Promise<void> {
    const headers = new Headers(got.headers)
    for (const [name, value] of Object.entries(expected.headers ?? {})) {
      expect([name, headers.get(name)]).toEqual([name, value])
    }
    const body = Buffer.from(got.body ?? '', 'base64')
    if (got.body !== null) expect(headers.get('content-length')).toBe(String(body.length))
    if (expected.body !== undefined) expect(body.toString()).toBe(expected.body)
    if (expected.base64 !== undefined) expect(body.toString('base64')).toBe(expected.base64)
    if (expected.gunzips !== undefined) expect(gunzipSync(body).equals(await fileBytes(expected.gunzips))).toBe(true)
    if (expected.file !== undefined) {
      const [start, end] = expected.slice ?? [0, Number.POSITIVE_INFINITY]
      expect(body.equals((await fileBytes(expected.file)).subarray(start, end + 1))).toBe(true)
    }
  }

  async function fileBytes(path: string): Promise<Buffer> {
    return Buffer.from(await archive.read(archive.entries.get(path)!))
  }
})

test('every row was answered', () => {
  for (const { answers, rows } of runs) expect(answers).toHaveLength(rows.length)
})
