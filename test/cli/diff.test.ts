import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { formatBuildInfo } from '../../src/archive/build-info.ts'
import { compress } from '../../src/archive/compress.js'
import type { ArchiveDiff } from '../../src/archive/diff.ts'
import { repack } from '../../src/archive/repack.ts'
import { writeArchive } from '../../src/archive/writer.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { cli, cliJson } from './helper.ts'

const MANIFEST = {
  zapp: 1,
  name: 'shop',
  version: '1.2.0',
  entry: { type: 'node', module: 'app.js' },
  routes: {
    '/': { static: 'public', else: { entry: 'main' }, cache: '1h' },
    '/assets/*': { static: 'public/assets', cache: 'immutable' },
    '/old': { redirect: { to: '/new', status: 301 } },
    '*.map': { static: 'public' },
    '/in': { entry: 'main', headers: { 'X-Frame-Options': 'DENY', Vary: 'Accept' } },
    '/up': { entry: 'main', headers: { A: '1', B: '2' } },
  },
  dependencies: { runtime: { node: '>=20.19' }, commands: ['convert'] },
  config: { PAGE_SIZE: { type: 'integer', default: 20 }, GONE: { type: 'string' } },
  health: { path: '/healthz' },
}
const NEXT = {
  ...MANIFEST,
  version: '1.3.0',
  entry: { type: 'node', module: 'server.js', env: { MODE: 'a b' } },
  routes: {
    '/': { static: 'public', else: { entry: 'main' }, cache: '1h' },
    '/assets/*': { static: 'public/assets', cache: '1d', headers: { 'X-Frame-Options': 'DENY' } },
    '/api/*': { entry: 'main', strip: true, websocket: true },
    '*.map': { static: 'public', unpack: false },
    '/in': { entry: 'main', headers: { 'X-Frame-Options': 'SAMEORIGIN', Vary: 'Accept' } },
    '/up': { entry: 'main', headers: { B: '2', A: '1' } },
  },
  dependencies: { runtime: { node: '>=22' }, commands: ['convert', 'gs'] },
  config: {
    PAGE_SIZE: { type: 'integer', default: 50 },
    DATABASE_URL: { type: 'url', required: true, secret: true, description: 'where orders are kept' },
  },
  health: { path: '/health', timeout: '3s' },
  lifecycle: { migrate: { run: ['{node}', 'migrate.js'] } },
}
const page = (text: string) => `<p>${text}</p>`.repeat(100)
const FILES = {
  'app.js': 'module.exports = (req, res) => res.end()',
  'public/index.html': page('hello'),
  'public/same.html': page('one'),
  'public/assets/a.css': 'p { color: red }',
  tool: 'echo',
  'node_modules/left/index.js': '1',
  'node_modules/gone/index.js': '1',
  'ZAPP-INF/build.json': build(['left', '1.0.0', 'MIT'], ['gone', '0.1.0', 'ISC'], ['bump', '1.0.0', 'MIT']),
}
const NEXT_FILES = {
  'server.js': 'module.exports = (req, res) => res.end()',
  'migrate.js': '',
  'public/index.html': page('hello, world'),
  'public/same.html': page('two'),
  'public/assets/a.css': 'p { color: red }',
  tool: '#!/bin/sh',
  'node_modules/left/index.js': '2',
  'node_modules/right/index.js': '1',
  'ZAPP-INF/build.json': build(['left', '2.0.0', 'GPL-3.0'], ['right', '3.0.0'], ['bump', '1.0.1', 'MIT']),
}

function build(...packages: readonly (readonly [name: string, version: string, license?: string])[]): Uint8Array {
  const rows = packages.map(([name, version, license]) => ({
    ...{ name, version, path: `node_modules/${name}` },
    ...(license === undefined ? {} : { license }),
  }))
  return formatBuildInfo({ v: 1, packer: { name: 'zapp', version: '0.1.0' }, packages: rows, native: [] })
}

const EXPECTED = `
entries
  ~ main  node  app.js → server.js

routes
  ~ /assets/*  static public/assets  immutable → 1d, X-Frame-Options
  - /old       301 to /new
  ~ *.map      static public         none → not unpacked
  + /api/*     entry main            strip, websocket
  ~ /in        X-Frame-Options       DENY → SAMEORIGIN

needs
  ~ node  >=20.19 → >=22
  + gs    on PATH

config
  ~ PAGE_SIZE     integer, default 20 → integer, default 50
  - GONE          string
  + DATABASE_URL  url, required, secret                      where orders are
      kept

settings
  + entries.main.env.MODE  a b
  ~ health.path            /healthz → /health
  ~ health.timeout         30 s → 3 s
  + migrate                run {node} migrate.js, timeout 300 s

packages
  ~ bump   1.0.0 → 1.0.1  MIT
  - gone   0.1.0          ISC
  ~ left   1.0.0 → 2.0.0  MIT → GPL-3.0
  + right  3.0.0          unknown

files
  + migrate.js          0 B
  + server.js           40 B
  - app.js              40 B
  ~ zapp.json           SIZE
  ~ public/index.html   +700 B
  ~ public/same.html    same size
  ~ tool                +5 B       0644 → 0755
  + 1 file of packages
  - 1 file of packages
  ~ 1 file of packages
`

let cwd: string
beforeAll(async () => {
  cwd = await tmpDir()
  await rename(await makeArchive(cwd, MANIFEST, FILES), join(cwd, 'old.zapp'))
  await rename(await makeArchive(cwd, NEXT, NEXT_FILES), join(cwd, 'new.zapp'))
})

describe('zapp diff', () => {
  it('tells what changed in the words of inspect, within 80 columns', async () => {
    const { code, stdout, stderr } = await cli(['diff', 'old.zapp', 'new.zapp'], { cwd, columns: 80 })
    expect([code, stderr]).toEqual([0, ''])
    const text = stdout.replace(/(?<=zapp\.json +)\+\d+ B/, 'SIZE')
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
    expect(text.replace(/^.*\n.*\n/, '')).toBe(EXPECTED)
  })

  it('gives programs values, routes by pattern and the rest by dotted key', async () => {
    const { code, answer } = await cliJson<ArchiveDiff>(['diff', 'old.zapp', 'new.zapp'], { cwd })
    expect(code).toBe(0)
    expect(Object.keys(answer)).toEqual(['same', 'old', 'new', 'routes', 'needs', 'settings', 'packages', 'files'])
    expect(answer).toMatchObject({
      same: false,
      old: { file: 'old.zapp', name: 'shop', version: '1.2.0', files: 11 },
      new: { file: 'new.zapp', name: 'shop', version: '1.3.0', files: 12 },
    })
    const { routes, needs, settings, packages, files } = answer
    expect(routes.map(({ key }) => key)).toEqual(['*.map', '/api/*', '/assets/*', '/in', '/old'])
    expect(routes[1]).toEqual({ key: '/api/*', new: { entry: 'main', strip: true, websocket: true } })
    expect(routes[4]).toEqual({ key: '/old', old: { redirect: '/new', status: 301 } })
    expect(needs.filter(({ key }) => !key.startsWith('config.'))).toEqual([
      { key: 'commands.gs', new: true },
      { key: 'runtime.node', old: '>=20.19', new: '>=22' },
    ])
    expect(needs).toContainEqual({ key: 'config.PAGE_SIZE.default', old: '20', new: '50' })
    expect(settings).toContainEqual({ key: 'entries.main.module', old: 'app.js', new: 'server.js' })
    expect(packages).toContainEqual({
      name: 'left',
      old: ['1.0.0'],
      new: ['2.0.0'],
      licenses: { old: ['MIT'], new: ['GPL-3.0'] },
    })
    expect(files.changed).toContainEqual({ path: 'tool', oldSize: 4, newSize: 9, mode: { old: '0644', new: '0755' } })
    expect(files.added.map(({ path }) => path)).toEqual(['migrate.js', 'node_modules/right/index.js', 'server.js'])
  })

  it('finds no difference where the same content was packed differently', async () => {
    const other = join(cwd, 'stored.zapp')
    await writeArchive(other, async (writer) => {
      await writer.text(
        'zapp.json',
        Buffer.from('{"zapp":1,"name":"a","version":"1.0.0","routes":{"/":{"static":"p"}}}'),
      )
      await writer.folder('p/')
      await writer.file({ path: 'p/a', mode: 0o644, ...compress(Buffer.from(page('x')), false) })
    })
    await repack(other, { out: join(cwd, 'deflated.zapp') })
    const [stored, deflated] = [await readFile(other), await readFile(join(cwd, 'deflated.zapp'))]
    expect(deflated.length).toBeLessThan(stored.length)
    const { code, stdout } = await cli(['diff', other, 'deflated.zapp'], { cwd })
    expect([code, stdout.split('\n\n')[1]]).toEqual([0, 'The content is the same.\n'])
    const { answer } = await cliJson<ArchiveDiff>(['diff', other, 'deflated.zapp'], { cwd })
    expect(answer).toMatchObject({ same: true, routes: [], needs: [], settings: [], packages: [] })
    expect(answer.old.bytes).toBe(stored.length)
  })

  it('says so when only the record of the packer differs', async () => {
    const files = {
      ...FILES,
      'ZAPP-INF/build.json': Buffer.from(String(FILES['ZAPP-INF/build.json']).replace('0.1.0', '0.2.0')),
    }
    const other = await makeArchive(cwd, MANIFEST, files)
    const { stdout } = await cli(['diff', 'old.zapp', other], { cwd })
    expect(stdout.split('\n\n')[1]).toBe('Only what the packer noted in ZAPP-INF differs.\n')
  })

  it('lists ten files of a kind and counts the rest', async () => {
    const many = Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`public/${i}.txt`, '']))
    const [before, after] = [
      await makeArchive(cwd, MANIFEST, FILES),
      await makeArchive(cwd, MANIFEST, { ...FILES, ...many }),
    ]
    const { stdout } = await cli(['diff', before, after], { cwd })
    expect(stdout.match(/^ {2}\+ public\/\d+\.txt +0 B$/gm)).toHaveLength(10)
    expect(stdout).toContain('\n  + and 15 more\n')
  })

  it('never sends names of files to the terminal raw', async () => {
    const before = await makeArchive(cwd, { ...MANIFEST, title: 'A \u202eshop' }, FILES)
    const { stdout } = await cli(['diff', before, 'old.zapp'], { cwd, tty: true, env: { NO_COLOR: '1' } })
    expect(stdout).toContain('  - title  A \\u202eshop')
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
  })

  it('names the one that cannot be opened', async () => {
    for (const [argv, code] of [
      [['nope.zapp', 'new.zapp'], 'nope.zapp'],
      [['old.zapp', 'nope.zapp'], 'nope.zapp'],
    ] as const) {
      const { code: exit, stdout, stderr } = await cli(['diff', ...argv], { cwd })
      expect([exit, stdout, stderr.split('\n')[0]]).toEqual([2, '', `error NOT_FOUND  ${code}`])
    }
  })
})
