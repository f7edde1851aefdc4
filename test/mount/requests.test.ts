import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Archive, openArchive } from '../../src/archive/archive.ts'
import type { Answer, ResponseAnswer } from '../../src/mount/answer.ts'
import { createMount, type Mount } from '../../src/mount/mount.ts'
import { bodyBytes } from './helpers/answers.ts'
import { type Expected, expectAnswer } from './helpers/expected.ts'
import { contentOf, makeArchive } from './helpers/make-archive.ts'
import { REQUEST_SITES, TREE } from './helpers/request-sites.ts'

/* The vectors that every loader must pass; fixtures/requests/README.md says what their keys mean. */

const FOLDER = join(import.meta.dirname, '../../fixtures/requests')

interface Vector {
  readonly name: string
  readonly request: {
    readonly method: string
    readonly rawTarget: string | null
    readonly pathBytes?: string
    readonly query?: string
    readonly headers: Readonly<Record<string, string>>
    readonly mount?: string
  }
  readonly answer: Expected
}

if (process.env.UPDATE) {
  for (const [name, manifest] of Object.entries(REQUEST_SITES)) {
    writeFileSync(join(FOLDER, `${name}.zapp`), makeArchive(manifest, TREE))
  }
}

const suites = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .map((name) => ({ name, ...JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) }))

describe.each(suites)('$name', (suite: { archive: string; rows: readonly Vector[] }) => {
  let archive: Archive
  let mount: Mount
  beforeAll(async () => {
    archive = await openArchive(join(FOLDER, suite.archive))
    mount = await createMount(archive, { entries: archive.manifest.entries.keys() })
  })
  afterAll(() => archive.close())

  test.each(suite.rows)('$name', async ({ request, answer: expected }) => {
    const answer = await mount.answer({
      method: request.method,
      target: request.rawTarget ?? encodeBytes(request.pathBytes!) + (request.query ?? ''),
      headers: new Headers(request.headers),
      mount: request.mount ?? '',
    })
    if (expected.entry !== undefined) {
      const { kind, route: _, ...rest } = answer as Answer & { kind: 'entry' }
      expect({ kind, ...rest }).toEqual({ kind: 'entry', ...expected })
      return
    }
    expect(answer).toMatchObject({ kind: 'response', status: expected.status })
    const { headers, body } = answer as ResponseAnswer
    const bytes = await bodyBytes(answer as ResponseAnswer)
    await expectAnswer({ headers, body: body && bytes }, expected, archive)
  })
})

/** How a loader without the raw target asks: each byte of the decoded path stands for itself. */
function encodeBytes(path: string): string {
  return path.replace(/[^A-Za-z0-9/]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

test.each(Object.entries(REQUEST_SITES))(
  '%s.zapp is what the tree gives (if not: UPDATE=1 npx vitest run test/mount/requests)',
  async (name, manifest) => {
    const committed = join(FOLDER, `${name}.zapp`)
    const fresh = makeArchive(manifest, TREE)
    const [a, b] = await Promise.all([openArchive(fresh), openArchive(committed)])
    expect(b.contentDigest).toBe(a.contentDigest)
    await Promise.all([a.close(), b.close()])
  },
)

test('the siblings in the tree are the files that they stand for', () => {
  const bytes = (path: string) => contentOf(TREE[path]!)
  expect(gunzipSync(bytes('public/style.css.gz')).equals(bytes('public/style.css'))).toBe(true)
  for (const path of ['public/style.css', 'public/only.js']) {
    expect(brotliDecompressSync(bytes(`${path}.br`)).equals(bytes(path))).toBe(true)
  }
})

test('there are enough of them', () => {
  expect(suites.reduce((sum, { rows }) => sum + rows.length, 0)).toBeGreaterThan(400)
})
