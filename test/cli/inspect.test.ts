import { createHash } from 'node:crypto'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { cli, cliJson, ROOT } from './helper.ts'

const DIGEST = z.string().regex(/^sha256:[0-9a-f]{64}$/)
const ANSWER = z.strictObject({
  file: z.string(),
  bytes: z.int().positive(),
  fileDigest: DIGEST,
  digest: DIGEST,
  contentDigest: DIGEST,
  validated: z.boolean(),
  manifest: z.record(z.string(), z.unknown()),
  entries: z.array(
    z.strictObject({
      path: z.string(),
      size: z.int().nonnegative(),
      compressedSize: z.int().nonnegative(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      mode: z.enum(['0644', '0755']),
    }),
  ),
  signatures: z.array(z.unknown()),
  findings: z.array(z.object({ code: z.string() })),
})

const MANIFEST = {
  name: 'shop',
  version: '1.2.0',
  title: 'A \u202eshop',
  entry: { type: 'node', module: 'app.js' },
  routes: {
    '/': { static: 'public', else: { entry: 'main' }, cache: '1h' },
    '/assets/*': { static: 'public/assets', cache: 'immutable' },
    '/old': { redirect: { to: '/new', status: 301 } },
  },
  dependencies: { runtime: { node: '>=20.19' }, commands: ['convert'] },
  config: {
    DATABASE_URL: { type: 'url', required: true, secret: true, description: 'where orders are kept' },
    PAGE_SIZE: { type: 'integer', default: 20 },
  },
  data: { uploads: { path: 'uploads', env: 'UPLOAD_DIR' } },
  health: { path: '/healthz' },
}
const FILES = {
  'app.js': 'module.exports = (req, res) => res.end("hello")',
  'bin/tool': '#!/bin/sh\necho hello\n',
  'public/index.html': '<p>hello</p>'.repeat(100),
  'public/assets/a.css': 'p { color: red }',
}

let dir: string
let file: string
beforeAll(async () => {
  dir = await tmpDir()
  file = await makeArchive(dir, MANIFEST, FILES)
  await copyFile(file, join(dir, 'shop.zapp'))
})

describe('inspect --json', () => {
  it('is the document of the contract, true to the bytes', async () => {
    const bytes = await readFile(file)
    const { code, answer } = await cliJson(['inspect', 'shop.zapp'], { cwd: dir })
    const json = ANSWER.parse(answer)
    expect(code).toBe(0)
    expect(Object.keys(answer)).toEqual(Object.keys(ANSWER.shape))
    expect(json).toMatchObject({
      file: 'shop.zapp',
      bytes: bytes.length,
      validated: true,
      signatures: [],
      findings: [],
    })
    expect(json.fileDigest).toBe(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
    expect(json.digest).toBe(json.fileDigest)
    expect(json.manifest).toEqual({ zapp: 1, ...MANIFEST })

    const entries = new Map(json.entries.map((entry) => [entry.path, entry]))
    expect([...entries.keys()]).toEqual([
      'mimetype',
      'zapp.json',
      'app.js',
      'bin/tool',
      'public/assets/a.css',
      'public/index.html',
      'ZAPP-INF/contents.json',
    ])
    expect(entries.get('ZAPP-INF/contents.json')?.sha256).toBe(json.contentDigest.slice(7))
    for (const [path, content] of Object.entries(FILES)) {
      expect(entries.get(path)).toMatchObject({
        size: content.length,
        sha256: createHash('sha256').update(content).digest('hex'),
        mode: path === 'bin/tool' ? '0755' : '0644',
      })
    }
  })
})

describe('inspect', () => {
  it('shows what an app is and needs within 80 columns', async () => {
    const { code, stdout, stderr } = await cli(['inspect', 'shop.zapp'], { cwd: dir, columns: 80 })
    expect([code, stderr]).toEqual([0, ''])
    const text = stdout.replace(/sha256:[0-9a-f]{64}/g, 'sha256:…').replace(/[\d.]+ k?B/g, 'SIZE')
    expect(text.split('\n\n').slice(0, 2).join('\n\n')).toBe(
      `
shop 1.2.0  A \\u202eshop
shop.zapp: SIZE, 7 files, SIZE unpacked

  entries  main  node  app.js
  routes   /          static public, else entry main  1h
           /assets/*  static public/assets            immutable
           /old       301 to /new
  needs    node     >=20.19
           convert  on PATH
  config   DATABASE_URL  url, required, secret  where orders are kept
           PAGE_SIZE     integer, default 20
  data     uploads  uploads  → UPLOAD_DIR
  health   /healthz
`.trim(),
    )
    expect(text).toMatch(/^ +files +size +in zip$/m)
    expect(text).toMatch(/^ {2}public\/ +2 +SIZE +SIZE$/m)
    expect(text).toMatch(/\nfile {5}sha256:…\ncontent {2}sha256:…\n$/)
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  it('tells a signed file from what was signed', async () => {
    const { stdout } = await cli(['inspect', 'fixtures/accepted/signature-entry.zapp'])
    expect(stdout).toMatch(/\nfile {5}sha256:\w+\nunsigned sha256:\w+\ncontent {2}sha256:\w+\n$/)
  })

  it('shows an archive whose content is damaged, says so, and fails', async () => {
    const bytes = await readFile(file)
    const at = bytes.indexOf('red }')
    bytes.write('RED', at)
    await writeFile(join(dir, 'damaged.zapp'), bytes)
    const { code, stdout, stderr } = await cli(['inspect', 'damaged.zapp'], { cwd: dir })
    expect(code).toBe(1)
    expect(stdout).toMatch(/^shop 1\.2\.0/)
    expect(stderr).toMatch(/^\nerror CRC {2}damaged\.zapp › public\/assets\/a\.css\n/)
    const json = await cliJson(['inspect', 'damaged.zapp'], { cwd: dir })
    expect(json.code).toBe(1)
    expect(ANSWER.parse(json.answer)).toMatchObject({ validated: false, findings: [{ code: 'CRC' }] })
  })

  it('fails for what is no archive, with the same document as every command', async () => {
    await mkdir(join(dir, 'folder'), { recursive: true })
    for (const [path, exit, code] of [
      ['nope.zapp', 2, 'NOT_FOUND'],
      ['folder', 2, 'NOT_A_FILE'],
      [join(ROOT, 'package.json'), 1, 'EOCD_NOT_AT_END'],
    ] as const) {
      const json = await cliJson<{ error: { code: string }; findings: unknown[] }>(['inspect', path], { cwd: dir })
      expect([path, json.code, json.answer.error.code]).toEqual([path, exit, code])
      expect(Object.keys(json.answer)).toEqual(['error', 'findings'])
      expect(Object.keys(json.answer.error)).toEqual(['code', 'message', 'fix', 'path'])
      const { stdout, stderr } = await cli(['inspect', path], { cwd: dir })
      expect([path, stdout, stderr.split('\n')[0]?.split('  ')[0]]).toEqual([path, '', `error ${code}`])
    }
  })
})
