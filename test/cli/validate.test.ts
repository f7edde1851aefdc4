import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { asPlainUser } from '../helpers/as-user.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { cli, cliJson, ROOT } from './helper.ts'

const FINDING = z.strictObject({
  code: z.string().regex(/^[A-Z][A-Z0-9_]+$/),
  severity: z.enum(['error', 'warning']),
  path: z.string(),
  line: z.int().positive().optional(),
  column: z.int().positive().optional(),
  message: z.string().min(1),
  fix: z.string().min(1),
})
const VERDICT = z.strictObject({ valid: z.boolean(), findings: z.array(FINDING) })
const VERDICTS = z.strictObject({ valid: z.boolean(), findings: z.array(FINDING.extend({ file: z.string() })) })

const MANIFESTS = join(ROOT, 'fixtures/manifests')

const FIVE_MISTAKES = `{
  "zapp": 1,
  "name": "Shop",
  "version": "1.2.0",
  "entry": {
    "type": "node",
    "modul": "app.js"
  },
  "routes": {
    "/assets/*": {
      "static": "assets",
      "cache": "forever"
    },
    "/*": {
      "entry": "main"
    }
  },
  "config": {
    "PAGE_SIZE": {
      "type": "integer",
      "default": "20"
    }
  }
}
`

let dir: string
let good: string
beforeAll(async () => {
  dir = await tmpDir()
  await writeFile(join(dir, 'five.json'), FIVE_MISTAKES)
  good = await makeArchive(dir, { routes: { '/': { static: 'public' } } }, { 'public/index.html': 'hello' })
})

describe('a manifest', () => {
  it('that has five mistakes shows five errors, each with its place', async () => {
    const { code, stdout, stderr } = await cli(['validate', 'five.json'], { cwd: dir, columns: 80 })
    expect([code, stderr]).toEqual([1, ''])
    expect(stdout).toBe(
      `
error MANIFEST_VALUE  five.json:3:11
  "name" must be 1 to 64 lower-case letters, digits, ".", "_" or "-", beginning
  with a letter or digit, got "Shop"
  3 |   "name": "Shop",
    |           ^^^^^^
  fix: Change the value.

error MANIFEST_UNKNOWN_KEY  five.json:7:5
  "modul" is not a key here (did you mean "module"?)
  7 |     "modul": "app.js"
    |     ^^^^^^^
  fix: Use a known key, or one that begins with "x-".

error MANIFEST_VALUE  five.json:12:16
  "routes['/assets/*'].cache" must be "immutable", "no-store" or a duration like
  "1h" (units: s, m, h, d), got "forever"
  12 |       "cache": "forever"
     |                ^^^^^^^^^
  fix: Change the value.

error MANIFEST_RULE  five.json:14:5
  the pattern for everything must be written "/": "/*" would hide every suffix
  route, got "/*" (rule R3)
  14 |     "/*": {
     |     ^^^^
  fix: Change it: schema/FORMAT.md, rule R3.

error MANIFEST_RULE  five.json:21:18
  a default must be a JSON number, like the variable, got "20" (rule R13)
  21 |       "default": "20"
     |                  ^^^^
  fix: Change it: schema/FORMAT.md, rule R13.

five.json: invalid, 5 errors
`.trimStart(),
    )
    const json = await cliJson(['validate', 'five.json'], { cwd: dir })
    const { valid, findings } = VERDICT.parse(json.answer)
    expect([json.code, valid]).toEqual([1, false])
    expect(findings.map(({ line, column }) => [line, column])).toEqual([
      [3, 11],
      [7, 5],
      [12, 16],
      [14, 5],
      [21, 18],
    ])
  })

  it('that is right says so', async () => {
    expect(await cli(['validate', 'shop.json'], { cwd: MANIFESTS })).toEqual({
      code: 0,
      stdout: 'shop.json: valid\n',
      stderr: '',
    })
    expect(await cliJson(['validate', 'shop.json'], { cwd: MANIFESTS })).toEqual({
      code: 0,
      answer: { valid: true, findings: [] },
    })
  })

  it('of the rejected fixtures has its code as the first error', async () => {
    const rejected = join(MANIFESTS, 'rejected')
    for (const name of await readdir(rejected)) {
      const { code, answer } = await cliJson(['validate', join(rejected, name)])
      const { findings } = VERDICT.parse(answer)
      // Rule 22 asks whether a path exists: a question about a tree, which a manifest by itself has not.
      const expected = name.includes('--R22-') ? [name, 0, undefined] : [name, 1, name.split('--')[0]]
      expect([name, code, findings[0]?.code]).toEqual(expected)
    }
  })

  it('over its limit is refused unread', async () => {
    const file = join(dir, 'large.json')
    await writeFile(file, Buffer.alloc(2 ** 20 + 1, ' '))
    const { code, answer } = await cliJson(['validate', file])
    expect(code).toBe(1)
    expect(VERDICT.parse(answer).findings).toMatchObject([
      { code: 'MANIFEST_TOO_LARGE', message: 'zapp.json must be at most 1,048,576 bytes, got 1,048,577' },
    ])
  })
})

describe('an archive', () => {
  it('that is good', async () => {
    const { code, answer } = await cliJson(['validate', good])
    const { valid, findings } = VERDICT.parse(answer)
    expect([code, valid]).toEqual([0, true])
    expect(findings.every(({ severity }) => severity === 'warning')).toBe(true)
  })

  it('shows the source line of its manifest', async () => {
    const file = join(ROOT, 'fixtures/rejected/MANIFEST_SYNTAX--trailing-comma.zapp')
    const { code, stdout } = await cli(['validate', file])
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /^error MANIFEST_SYNTAX {2}.*--trailing-comma\.zapp › zapp\.json:\d+:\d+\n {2}.+\n {2}\d+ \| /,
    )
  })
})

describe('a project folder', () => {
  it('is checked against the tree that would be packed', async () => {
    const project = join(dir, 'project')
    await mkdir(join(project, 'Public'), { recursive: true })
    await writeFile(join(project, 'Public/index.html'), 'x')
    await writeFile(
      join(project, 'zapp.json'),
      '{"zapp":1,"name":"site","version":"1.0.0",\n "routes":{"/":{"static":"public"}}}',
    )
    const wrong = await cli(['validate', 'project'], { cwd: dir })
    expect(wrong.code).toBe(1)
    expect(wrong.stdout).toMatch(/^error MANIFEST_PATH {2}project\/zapp\.json/)
    expect(wrong.stdout).toContain('did you mean "Public"?')

    await writeFile(
      join(project, 'zapp.json'),
      '{"zapp":1,"name":"site","version":"1.0.0",\n "routes":{"/":{"static":"Public"}}}',
    )
    expect(await cliJson(['validate', 'project'], { cwd: dir })).toEqual({
      code: 0,
      answer: { valid: true, findings: [] },
    })
  })

  it('with a broken manifest shows all of its mistakes', async () => {
    const project = await tmpDir()
    await writeFile(join(project, 'zapp.json'), FIVE_MISTAKES)
    const { code, stdout } = await cli(['validate', '.'], { cwd: project })
    expect(code).toBe(1)
    expect(stdout.match(/^error \w+ {2}zapp\.json:\d+:\d+$/gm)).toHaveLength(5)
    expect(stdout).toContain('\n  7 |     "modul": "app.js"\n')
  })
})

describe('several paths', () => {
  it('are all checked, and the worst gives the exit code', async () => {
    const paths = [good, 'five.json', 'nope.zapp', join(MANIFESTS, 'shop.json')]
    const { code, stdout } = await cli(['validate', ...paths], { cwd: dir })
    expect(code).toBe(2)
    expect(stdout).toContain(`${good}: valid`)
    expect(stdout).toContain('\nfive.json: invalid, 5 errors\n')
    expect(stdout).toContain('\nnope.zapp: not checked, 1 error\n')
    expect(stdout).toMatch(/shop\.json: valid\n$/)
  })

  it('give one document in which every finding names its file', async () => {
    const paths = ['five.json', join(MANIFESTS, 'shop.json'), 'nope.json']
    const { code, answer } = await cliJson(['validate', ...paths], { cwd: dir })
    const { valid, findings } = VERDICTS.parse(answer)
    expect([code, valid]).toEqual([2, false])
    expect(findings.map(({ file, code }) => `${file} ${code}`)).toEqual([
      'five.json MANIFEST_VALUE',
      'five.json MANIFEST_UNKNOWN_KEY',
      'five.json MANIFEST_VALUE',
      'five.json MANIFEST_RULE',
      'five.json MANIFEST_RULE',
      'nope.json NOT_FOUND',
    ])
  })
})

describe('what cannot be checked', () => {
  it.each(['nope.zapp', 'nope.json', 'nope/nope.zapp'])('%s is not there', async (path) => {
    const { code, answer } = await cliJson(['validate', path], { cwd: dir })
    expect(code).toBe(2)
    expect(VERDICT.parse(answer)).toEqual({
      valid: false,
      findings: [{ code: 'NOT_FOUND', severity: 'error', path, message: `${path} must exist`, fix: 'Check the path.' }],
    })
  })

  it('may not be read', async () => {
    const file = join(dir, 'secret.zapp')
    await writeFile(file, 'x')
    await chmod(dir, 0o755)
    await chmod(file, 0)
    const { code, stdout } = await asPlainUser(() => cli(['validate', file]))
    expect(code).toBe(1)
    expect(stdout).toMatch(/^error IO {2}.*secret\.zapp\n {2}open failed: EACCES/)
  })

  it('is empty, junk, or a zip of another kind', async () => {
    for (const [name, bytes, code] of [
      ['empty.zapp', Buffer.alloc(0), 'TOO_SHORT'],
      ['junk.zapp', Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 167) % 256)), 'EOCD_NOT_AT_END'],
      ['empty.zip', Buffer.from(`504b0506${'00'.repeat(18)}`, 'hex'), 'MIMETYPE'],
      ['empty.json', Buffer.alloc(0), 'MANIFEST_SYNTAX'],
    ] as const) {
      await writeFile(join(dir, name), bytes)
      const { code: exit, answer } = await cliJson(['validate', name], { cwd: dir })
      expect([name, exit, VERDICT.parse(answer).findings[0]?.code]).toEqual([name, 1, code])
    }
  })
})
