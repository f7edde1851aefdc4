import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { openArchive } from '../../src/archive/archive.ts'
import { asPlainUser } from '../helpers/as-user.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { cli, cliJson } from './helper.ts'

const DIGEST = z.string().regex(/^sha256:[0-9a-f]{64}$/)
const ANSWER = z.strictObject({
  file: z.string(),
  bytes: z.int().positive(),
  files: z.int().positive(),
  digest: DIGEST,
  contentDigest: DIGEST,
  ms: z.number().nonnegative(),
})

const SITE = { zapp: 1, name: 'site', version: '1.0.0', routes: { '/': { static: 'public' } } }

let cwd: string
beforeEach(async () => {
  cwd = await tmpDir()
})

/** @param files text by path; an object becomes JSON */
async function project(files: Record<string, string | object>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(cwd, path)), { recursive: true })
    await writeFile(join(cwd, path), typeof content === 'string' ? content : JSON.stringify(content))
  }
}

/** Express with one package that needs another, as a package manager would have installed it. */
const APP = {
  'package.json': { name: 'shop', version: '1.2.0', dependencies: { one: '1.0.0' } },
  'app.js': 'module.exports = (req, res) => res.end(require("one"))',
  '.git/HEAD': 'ref: refs/heads/main',
  'node_modules/one/package.json': { name: 'one', version: '1.0.0', dependencies: { '@scope/two': '^2.0.0' } },
  'node_modules/one/index.js': `module.exports = require('@scope/two') // ${'x'.repeat(2000)}`,
  'node_modules/@scope/two/package.json': { name: '@scope/two', version: '2.1.0' },
  'node_modules/@scope/two/index.js': `module.exports = "two" // ${Array.from({ length: 99 }, (_, i) => i * i)}`,
  'zapp.json': { zapp: 1, name: 'shop', version: '1.2.0', entry: { type: 'node', module: 'app.js' } },
}

describe('pack', () => {
  it('says what it will pack, what was large, and prints the file', async () => {
    await project(APP)
    const { code, stdout, stderr } = await cli(['pack'], { cwd, columns: 80 })
    expect([code, stdout]).toEqual([0, 'shop-1.2.0.zapp\n'])
    const text = stderr.replace(/[\d.]+ k?B/g, 'SIZE').replace(/[\d.]+ m?s\n/, 'TIME\n')
    expect(text.replace(/ +SIZE/g, ' SIZE')).toBe(
      `
shop 1.2.0 from .

  entries   main  node  app.js
  routes    /  entry main
  files     6 files, SIZE: 2 of the project, the others of 2 packages
  left out  .git/

  largest           files    size  packed
  @scope/two@2.1.0      2 SIZE SIZE
  one@1.0.0             2 SIZE SIZE
  package.json          1 SIZE SIZE
  app.js                1 SIZE SIZE

11 files packed into SIZE in TIME
`.trimStart(),
    )
    const archive = await openArchive(join(cwd, 'shop-1.2.0.zapp'))
    expect([...archive.entries.keys()]).toContain('node_modules/@scope/two/index.js')
    await archive.close()
  })

  it('answers in JSON with exactly the members of the contract', async () => {
    await project({ 'zapp.json': SITE, 'public/index.html': 'hello' })
    const { code, answer } = await cliJson(['pack', '.', '-o', 'a.zapp'], { cwd })
    const json = ANSWER.parse(answer)
    expect(code).toBe(0)
    expect(Object.keys(answer)).toEqual(Object.keys(ANSWER.shape))
    expect(json).toMatchObject({ file: 'a.zapp', files: 6, bytes: (await stat(join(cwd, 'a.zapp'))).size })
    const { answer: seen } = await cliJson(['inspect', 'a.zapp'], { cwd })
    expect(seen).toMatchObject({ digest: json.digest, contentDigest: json.contentDigest, bytes: json.bytes })
  })

  it('writes into the working folder, wherever the project lies', async () => {
    await project({ 'app/zapp.json': SITE, 'app/public/index.html': 'hello' })
    expect(await cli(['pack', 'app'], { cwd })).toMatchObject({ code: 0, stdout: 'site-1.0.0.zapp\n' })
    expect((await readdir(cwd)).sort()).toEqual(['app', 'site-1.0.0.zapp'])
  })

  it('replaces an earlier archive', async () => {
    await project({ 'zapp.json': SITE, 'public/index.html': 'hello', 'a.zapp': 'old' })
    expect((await cli(['pack', '-o', 'a.zapp'], { cwd })).code).toBe(0)
    expect((await cli(['validate', 'a.zapp'], { cwd })).code).toBe(0)
  })

  it('draws a bar on a terminal only', async () => {
    await project({ 'zapp.json': SITE, 'public/index.html': 'hello' })
    const terminal = await cli(['pack'], { cwd, tty: true, env: { NO_COLOR: '1' } })
    expect(terminal.stderr).toMatch(/packing {2}.*█+/)
    // The cursor is shown again at the end.
    expect(terminal.stderr.lastIndexOf('\u001b[?25h')).toBeGreaterThan(terminal.stderr.lastIndexOf('\u001b[?25l'))
    const pipe = await cli(['pack'], { cwd, columns: 80 })
    expect(pipe.stderr).not.toMatch(/█|\u001b/)
  })
})

describe('pack --dry-run', () => {
  it('lists what would be packed and writes nothing', async () => {
    await project(APP)
    const before = await readdir(cwd, { recursive: true })
    const { code, stdout, stderr } = await cli(['pack', '--dry-run'], { cwd })
    expect(code).toBe(0)
    expect(stdout.split('\n')).toEqual([
      'app.js',
      'node_modules/@scope/two/index.js',
      'node_modules/@scope/two/package.json',
      'node_modules/one/index.js',
      'node_modules/one/package.json',
      'package.json',
      '',
    ])
    expect(stderr).toMatch(/^Left out, by which pattern, from where:\n {2}\.git\/ {2}\S+ {2}default$/m)
    const { answer } = await cliJson(['pack', '--dry-run'], { cwd })
    expect(answer).toEqual({
      file: 'shop-1.2.0.zapp',
      bytes: expect.any(Number),
      files: expect.arrayContaining([{ path: 'app.js', size: APP['app.js'].length }]),
      leftOut: [{ path: '.git/', rule: expect.any(String), from: 'default' }],
    })
    expect(await readdir(cwd, { recursive: true })).toEqual(before)
  })
})

describe('a project without zapp.json', () => {
  it('is packed where it leaves no doubt, and told why', async () => {
    const { 'zapp.json': _, ...files } = APP
    await project(files)
    const { code, stdout, stderr } = await cli(['pack'], { cwd })
    expect([code, stdout]).toEqual([0, 'shop-1.2.0.zapp\n'])
    expect(stderr).toMatch(/^ {2}found +\S(?:.|\n)*app\.js exports/m)
  })

  it('gets a suggestion on stdout where it leaves some', async () => {
    await project({ 'package.json': { name: 'thing', version: '0.3.0' } })
    const { code, stdout, stderr } = await cli(['pack'], { cwd })
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ zapp: 1, name: 'thing', version: '0.3.0' })
    expect(stderr).toMatch(/^error PACK_NO_MANIFEST {2}zapp\.json\n/)
    const json = await cliJson<Record<string, unknown>>(['pack'], { cwd })
    expect([json.code, Object.keys(json.answer)]).toEqual([1, ['error', 'findings', 'suggestion']])
    expect(json.answer.suggestion).toEqual(JSON.parse(stdout))
  })

  it('gets it in zapp.json by `zapp pack > zapp.json`, although the shell has made that file empty', async () => {
    // A project that would be packed without a manifest: still the answer must not be the name of an archive.
    const { 'zapp.json': _, ...files } = APP
    await project({ ...files, 'zapp.json': '' })
    const { code, stdout } = await cli(['pack'], { cwd })
    expect(code).toBe(1)
    await writeFile(join(cwd, 'zapp.json'), stdout)
    expect(await readdir(cwd)).not.toContain('shop-1.2.0.zapp')
    expect(await cli(['validate', '.'], { cwd })).toMatchObject({ code: 0 })
    expect(await cli(['pack'], { cwd })).toMatchObject({ code: 0, stdout: 'shop-1.2.0.zapp\n' })
  })
})

describe('pack refuses', () => {
  it('a broken manifest, with the line and a caret', async () => {
    await project({ 'zapp.json': '{\n  "zapp": 1,\n  "name": "site",\n  "version": "1.0"\n}', 'public/index.html': '' })
    const { code, stdout, stderr } = await cli(['pack', '.'], { cwd })
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^error MANIFEST_VALUE {2}zapp\.json:4:14\n/)
    expect(stderr).toContain('\n  4 |   "version": "1.0"\n    |              ^^^^^\n')
  })

  it('secrets, unless they are allowed by name', async () => {
    await project({ 'zapp.json': SITE, 'public/index.html': '', 'public/id_rsa': 'x' })
    const { code, stderr } = await cli(['pack'], { cwd })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^error SECRET {2}public\/id_rsa\n/m)
    expect(stderr).toContain('--allow-secret')
    expect(await readdir(cwd)).not.toContain('site-1.0.0.zapp')
    expect(await cli(['pack', '--allow-secret', 'public/id_rsa', '.'], { cwd })).toMatchObject({ code: 0 })
  })

  it('links that lead out, naming all of them', async () => {
    await project({ 'zapp.json': SITE, 'public/index.html': '' })
    await symlink('/etc/hostname', join(cwd, 'public/a'))
    await symlink('../..', join(cwd, 'public/b'))
    const { code, answer } = await cliJson<{ findings: { path: string }[] }>(['pack'], { cwd })
    expect(code).toBe(1)
    expect(answer.findings.map(({ path }) => path).sort()).toEqual(['public/a', 'public/b'])
  })

  it('what is not there, or is no folder, and targets that cannot be written', async () => {
    await project({ 'zapp.json': SITE, 'public/index.html': '', 'dist/x': '' })
    for (const [argv, exit, error] of [
      [['pack', 'nope'], 2, 'NOT_FOUND'],
      [['pack', 'zapp.json'], 2, 'NOT_A_FOLDER'],
      [['pack', '-o', 'dist'], 2, 'USAGE'],
      [['pack', '-o', 'nope/a.zapp'], 2, 'NOT_FOUND'],
      [['pack', '-o', 'zapp.json/a.zapp'], 1, 'IO'],
    ] as const) {
      const { code, answer } = await cliJson<{ error: { code: string } }>(argv, { cwd })
      expect([argv, code, answer.error.code]).toEqual([argv, exit, error])
    }
  })

  it('to write where it may not', async () => {
    await project({ 'zapp.json': SITE, 'public/index.html': '' })
    const out = await tmpDir()
    await chmod(cwd, 0o755)
    await chmod(out, 0o555)
    const { code, stderr } = await asPlainUser(() => cli(['pack', '-o', join(out, 'a.zapp')], { cwd }))
    await chmod(out, 0o755)
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error IO .*\n {2}create failed: EACCES/m)])
    expect(await readdir(out)).toEqual([])
  })

  it('to go on when it is told to stop', async () => {
    await project({ 'zapp.json': SITE, 'public/index.html': '', 'old.zapp': 'old' })
    const { code, stdout, stderr } = await cli(['pack', '-o', 'old.zapp'], {
      cwd,
      signal: AbortSignal.abort('SIGTERM'),
    })
    expect([code, stdout]).toEqual([143, ''])
    expect(stderr).toMatch(/\nstopped by SIGTERM\n$/)
    expect((await readdir(cwd)).sort()).toEqual(['old.zapp', 'public', 'zapp.json'])
    expect(await readFile(join(cwd, 'old.zapp'), 'utf8')).toBe('old')
  })
})
