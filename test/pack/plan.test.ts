import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ZappError } from '../../src/errors.ts'
import { planPack } from '../../src/pack/plan.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { makeTree, NODE_APP, pkg, STATIC_APP } from './helpers/tree.ts'

const planned = async (dir: string) => (await planPack(dir)).files.map(({ path }) => path)

async function refused(dir: string, options = {}): Promise<[code: string, path: string][]> {
  const error: ZappError = await planPack(dir, options).then(
    () => expect.unreachable('it must be refused'),
    (e) => e,
  )
  return error.findings.map(({ code, path }) => [code, path])
}

test('a plan says what will be packed: files, folders, packages, sizes, what is left out', async () => {
  const dir = await makeTree({
    ...NODE_APP,
    'package.json': { name: 'shop', dependencies: { a: '1' }, optionalDependencies: { b: '1' } },
    'empty/': '',
    'views/page.html': '<p>',
    '.env': 'X=1',
    ...pkg('node_modules/a', { license: 'MIT' }),
    ...pkg('node_modules/b', { licenses: [{ type: 'MIT' }, { type: 'ISC' }] }),
  })
  const plan = await planPack(dir)
  expect(plan.files.map(({ path, dependency }) => [path, dependency])).toEqual([
    ['app.js', false],
    ['node_modules/a/index.js', true],
    ['node_modules/a/package.json', true],
    ['node_modules/b/index.js', true],
    ['node_modules/b/package.json', true],
    ['package.json', false],
    ['views/page.html', false],
  ])
  expect(plan.folders).toEqual(['empty/', 'node_modules/', 'node_modules/a/', 'node_modules/b/', 'views/'])
  expect(plan.packages).toEqual([
    { name: 'a', version: '1.0.0', path: 'node_modules/a', license: 'MIT', optional: false },
    { name: 'b', version: '1.0.0', path: 'node_modules/b', license: '(MIT OR ISC)', optional: true },
  ])
  expect(plan.leftOut).toEqual([{ path: '.env', rule: '.env', from: 'default' }])
  expect(plan.defaultName).toBe('shop-1.2.0.zapp')
  expect(plan.bytes).toBe(plan.files.reduce((sum, { size }) => sum + size, 0))
})

test('published packages ship as they are, less what package managers keep for themselves', async () => {
  const dir = await makeTree({
    ...NODE_APP,
    'package.json': { dependencies: { a: '1' } },
    '.zappignore': '*.md\ntest/\n/node_modules/a/docs/\n',
    ...pkg('node_modules/a', {}),
    'node_modules/a/README.md': 'x',
    'node_modules/a/test/x.js': 'x',
    'node_modules/a/docs/x.js': 'x',
    'node_modules/a/.npmignore': 'x',
    'node_modules/a/lib/node_modules/own/index.js': 'x',
    'node_modules/a/lib/node_modules/.bin/x': 'x',
    'node_modules/.cache/x': 'x',
    'node_modules/.bin/a': { link: '../a/index.js' },
    'README.md': 'x',
  })
  expect(await planned(dir)).toEqual([
    'app.js',
    'node_modules/a/.npmignore',
    'node_modules/a/README.md',
    'node_modules/a/index.js',
    'node_modules/a/lib/node_modules/own/index.js',
    'node_modules/a/package.json',
    'node_modules/a/test/x.js',
    'package.json',
  ])
})

test('a static site takes no packages along; nor does an app whose .zappignore says so', async () => {
  const packages = { 'package.json': { dependencies: { a: '1' } }, ...pkg('node_modules/a', {}) }
  const site = await planPack(await makeTree({ ...STATIC_APP, ...packages }))
  expect(site.files.map(({ path }) => path)).toEqual(['package.json', 'public/index.html'])
  expect(site.leftOut).toEqual([{ path: 'node_modules/', rule: 'node_modules', from: 'manifest' }])

  const bundled = await planPack(await makeTree({ ...NODE_APP, ...packages, '.zappignore': 'node_modules\n' }))
  expect(bundled.files.map(({ path }) => path)).toEqual(['app.js', 'package.json'])
  expect(bundled.leftOut).toContainEqual({ path: 'node_modules/', rule: 'node_modules', from: '.zappignore:1' })
})

test('folders with packages of their own, and members of a workspace that is packed whole, get theirs', async () => {
  const dir = await makeTree({
    ...NODE_APP,
    'package.json': { workspaces: ['packages/*'], dependencies: { a: '2' } },
    ...pkg('node_modules/a', { version: '2.0.0' }),
    ...pkg('node_modules/b', {}),
    'node_modules/member': { link: '../packages/member' },
    'packages/member/package.json': { name: 'member', dependencies: { b: '1' } },
    'client/package.json': { dependencies: { a: '1' } },
    ...pkg('client/node_modules/a', {}),
    'lib/node_modules/own/index.js': 'module.exports = 1\n',
    'templates/package.json': '{"name": "{{name}}",',
  })
  const plan = await planPack(dir)
  expect(plan.packages.map(({ path, version }) => `${path} ${version}`)).toEqual([
    'client/node_modules/a 1.0.0',
    'node_modules/a 2.0.0',
    'node_modules/b 1.0.0',
  ])
  expect(plan.files.map(({ path }) => path)).toContain('lib/node_modules/own/index.js')
})

test('links are copied where they stay inside and make no cycle; every other link is named', async () => {
  const outside = await makeTree({ 'secret.txt': 'x', 'folder/x': 'x' })
  const dir = await makeTree({
    ...NODE_APP,
    'real/file.txt': 'text',
    'good/file': { link: '../real/file.txt' },
    'good/folder': { link: '../real' },
    ...{ 'bad/out': { link: join(outside, 'secret.txt') }, 'bad/out-folder': { link: join(outside, 'folder') } },
    'bad/up': { link: '..' },
    'bad/self': { link: 'self' },
    'bad/gone': { link: 'nowhere' },
    'one/two': { link: '../two' },
    'two/one': { link: '../one' },
    '.zappignore': '/ignored\n',
    ignored: { link: '/' },
  })
  const findings = await refused(dir)
  expect(findings).toEqual(
    expect.arrayContaining([
      ['LINK_ESCAPES', 'bad/out'],
      ['LINK_ESCAPES', 'bad/out-folder'],
      ['LINK_CYCLE', 'bad/up'],
      ['LINK_CYCLE', 'bad/self'],
      ['LINK_BROKEN', 'bad/gone'],
      ['LINK_CYCLE', 'one/two/one'],
      ['LINK_CYCLE', 'two/one/two'],
    ]),
  )
  expect(findings).toHaveLength(7)

  execFileSync('rm', ['-r', join(dir, 'bad'), join(dir, 'one'), join(dir, 'two')])
  expect(await planned(dir)).toEqual(['app.js', 'good/file', 'good/folder/file.txt', 'real/file.txt'])
})

test('names that readers refuse are named all at once, with the line that leaves each out', async () => {
  const dir = await makeTree({
    ...NODE_APP,
    'what?.txt': 'x',
    'CON.txt': 'x',
    'docs./a.txt': 'x',
    'docs./b.txt': 'x',
    'a\u202etxt': 'x',
    'Read.me': 'x',
    'read.ME': 'x',
    'ZAPP.json': 'x',
  })
  const error: ZappError = await planPack(dir).catch((e) => e)
  expect(Object.fromEntries(error.findings.map(({ path, code, args }) => [path, `${code}${args.hint}`]))).toEqual({
    'what?.txt': 'NAME_RESERVED_CHAR (add the line /what\\?.txt)',
    'CON.txt': 'NAME_DEVICE (add the line /CON.txt)',
    'docs./': 'NAME_TRAILING_DOT_SPACE (add the line /docs./)',
    'a\u202etxt': 'NAME_INVISIBLE (add the line /a?txt)',
    'read.ME': 'CASE_COLLISION (add the line /read.ME)',
    'ZAPP.json': 'CASE_COLLISION (add the line /ZAPP.json)',
  })
  const lines = error.findings.map(({ args }) => /line (.*)\)/.exec(String(args.hint))?.[1])
  writeFileSync(join(dir, '.zappignore'), lines.join('\n'))
  expect(await planned(dir)).toEqual(['Read.me', 'app.js'])
})

test('secrets are refused by name everywhere, all listed; certificates, templates and public keys are none', async () => {
  const key = `-----BEGIN RSA ${'PRIVATE'} KEY-----\n${'MIIEpAIBAAKCAQEA'.repeat(8)}\n-----END RSA ${'PRIVATE'} KEY-----\n`
  const certificate = `-----BEGIN CERTIFICATE-----\n${'MIIDdzCCAl+gAwIB'.repeat(8)}\n-----END CERTIFICATE-----\n`
  const tree = {
    ...NODE_APP,
    'package.json': { dependencies: { a: '1' } },
    ...pkg('node_modules/a', {}),
    '.zappignore': '!.env\n',
    '.env': 'X=1',
    '.npmrc': '//registry.example/:_authToken=0123456789abcdef0123\n',
    'keys/id_rsa': 'x',
    'keys/server.key': key,
    'keys/store.P12': 'x',
    'node_modules/a/test/server.pem': key,
    'node_modules/a/.env': 'X=1',
    // none of these
    'certs/ca.pem': certificate,
    'keys/id_rsa.pub': 'ssh-rsa AAAA',
    'talk.key': 'slides',
    'node_modules/a/ca.pem': certificate,
    'node_modules/a/.env.example': 'X=',
    'node_modules/a/.npmrc': 'save-exact=true\n//registry.example/:_authToken=\u0024{TOKEN}\n',
    'node_modules/a/lib/credentials.js': 'x',
  }
  const secrets = ['.env', '.npmrc', 'keys/id_rsa', 'keys/server.key', 'keys/store.P12']
  const inPackages = ['node_modules/a/.env', 'node_modules/a/test/server.pem']
  const dir = await makeTree(tree)
  expect(await refused(dir)).toEqual([...secrets.slice(0, 5), ...inPackages].map((path) => ['SECRET', path]))
  expect(await refused(dir, { allowSecrets: inPackages })).toEqual(secrets.map((path) => ['SECRET', path]))
  expect((await planPack(dir, { allowSecrets: [...secrets, ...inPackages] })).files.length).toBeGreaterThan(10)
})

test('a password of a registry in .npmrc is a secret, however short; a name of a variable is none', async () => {
  const file = (text: string) => makeTree({ ...NODE_APP, '.npmrc': text })
  for (const line of ['//registry.example/:_password=c2VjcmV0', '_auth = "bWU6eA=="']) {
    expect(await refused(await file(`save-exact=true\n${line}\n`))).toEqual([['SECRET', '.npmrc']])
  }
  expect((await planPack(await file('//registry.example/:_password=\u0024{PASSWORD}\n'))).warnings).toEqual([])
})

test('an allowed name that is not packed is said, with the pattern that leaves it out', async () => {
  const dir = await makeTree({ ...NODE_APP, '.env': 'X=1', id_rsa: 'x' })
  const { warnings } = await planPack(dir, { allowSecrets: ['.env', 'nope', 'id_rsa'] })
  expect(warnings.map(({ code, path, args }) => [code, path, args.hint])).toEqual([
    ['ALLOW_UNUSED', '.env', ', which the pattern .env (default) leaves out'],
    ['ALLOW_UNUSED', 'nope', ''],
  ])
})

test('everything that is wrong is reported in one go', async () => {
  const dir = await makeTree({
    'zapp.json':
      '{"zapp":1,"name":"shop","version":"1.0.0","entry":{"type":"node","module":"App.js"},"executable":["gone.sh"]}',
    'app.js': 'x',
    'package.json': { dependencies: { gone: '1' } },
    'nul.txt': 'x',
    id_rsa: 'x',
    'ZAPP-INF/notes.txt': 'x',
    link: { link: 'nowhere' },
  })
  expect((await refused(dir)).map(([code]) => code).sort()).toEqual([
    'DEP_MISSING',
    'LINK_BROKEN',
    'MANIFEST_PATH',
    'MANIFEST_PATH',
    'NAME_DEVICE',
    'RESERVED_NAME',
    'SECRET',
  ])
})

test('every mistake of the manifest is reported, with its place', async () => {
  const dir = await makeTree({
    'zapp.json': '{\n  "zapp": 1,\n  "nam": "shop",\n  "version": "1",\n  "entry": {"type": "nod"}\n}\n',
  })
  const error: ZappError = await planPack(dir).catch((e) => e)
  expect(error.findings.length).toBeGreaterThan(2)
  expect(error.findings.every(({ path }) => path === 'zapp.json')).toBe(true)
  expect(error.findings.filter(({ line }) => line === 3)).toHaveLength(1)
})

test('an unpacked archive can be packed again; the archive being written and earlier ones are left out', async () => {
  const dir = await makeTree({
    ...NODE_APP,
    mimetype: 'application/vnd.zapp+zip',
    'ZAPP-INF/contents.json': '{}',
    'ZAPP-INF/build.json': '{}',
    'shop-1.1.0.zapp': 'x',
    'out/shop.bin': 'x',
  })
  expect((await planPack(dir, { out: join(dir, 'out/shop.bin') })).files.map(({ path }) => path)).toEqual(['app.js'])
})

test('what is no folder, no file or cannot be found has a code', async () => {
  const dir = await makeTree({ ...NODE_APP })
  expect(await refused(join(dir, 'gone'))).toEqual([['NOT_FOUND', join(dir, 'gone')]])
  expect(await refused(join(dir, 'app.js'))).toEqual([['NOT_A_FOLDER', join(dir, 'app.js')]])
  if (process.platform === 'win32') return
  const server = createServer().listen(join(dir, 'socket'))
  execFileSync('mkfifo', [join(dir, 'pipe')])
  try {
    expect(await refused(dir)).toEqual([
      ['TYPE', 'pipe'],
      ['TYPE', 'socket'],
    ])
  } finally {
    server.close()
  }
})

test('a project that is reached through a link is packed like any other', async () => {
  const dir = await makeTree({ ...NODE_APP, 'lib/x.js': 'x', 'lib/y.js': { link: 'x.js' } })
  const link = join(await tmpDir(), 'link')
  mkdirSync(join(link, '..'), { recursive: true })
  symlinkSync(dir, link)
  expect(await planned(link)).toEqual(['app.js', 'lib/x.js', 'lib/y.js'])
})
