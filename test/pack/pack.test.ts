import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import { parseBuildInfo } from '../../src/archive/build-info.ts'
import { validateArchive } from '../../src/archive/validate.ts'
import type { ZappError } from '../../src/errors.ts'
import { type PackProgress, pack } from '../../src/pack/pack.ts'
import { npmTree } from '../helpers/npm-tree.ts'
import { makeTree, NODE_APP, pkg, STATIC_APP, type Tree } from './helpers/tree.ts'

const express: Tree = {
  ...NODE_APP,
  'app.js': "const express = require('express')\nmodule.exports = express().get('/', (req, res) => res.send('shop'))\n",
  'package.json': { name: 'shop', dependencies: { express: '5' } },
  ...npmTree('express5', 'express'),
}

const koa: Tree = { ...NODE_APP, 'package.json': { name: 'shop', dependencies: { koa: '3' } }, ...npmTree('koa') }

async function refused(dir: string, options = {}): Promise<ZappError> {
  return pack(dir, options).then(
    () => expect.unreachable('it must be refused'),
    (e) => e,
  )
}

for (const [name, tree] of Object.entries({ koa, express })) {
  test(`${name}: the archive is valid without warnings, in order, and holds the tree`, async () => {
    const dir = await makeTree(tree)
    const result = await pack(dir)
    expect(result.file).toBe(join(dir, 'shop-1.2.0.zapp'))
    // From two MiB on, worker threads are used.
    expect(result.plan.bytes > 2 * 2 ** 20).toBe(name === 'express')
    expect(result.bytes).toBe(readFileSync(result.file).length)
    expect(result.digest).toBe(`sha256:${createHash('sha256').update(readFileSync(result.file)).digest('hex')}`)
    expect(await validateArchive(result.file)).toMatchObject({ valid: true, findings: [] })

    const archive = await openArchive(result.file)
    const entries = [...archive.entries.values()]
    const names = entries.map(({ path }) => path as string)
    expect(names.slice(0, 2)).toEqual(['mimetype', 'zapp.json'])
    expect(names.slice(-3)).toEqual(['sbom.cdx', 'build', 'contents'].map((file) => `ZAPP-INF/${file}.json`))
    const middle = names.slice(2, -3)
    expect(middle).toEqual(middle.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
    expect(archive.contentDigest).toBe(result.contentDigest)
    expect(result.files).toBe(entries.filter(({ kind }) => kind === 'file').length)
    for (const entry of entries.filter(({ path }) => existsSync(join(dir, path)) && !path.endsWith('/'))) {
      expect(Buffer.compare(await archive.read(entry), readFileSync(join(dir, entry.path)))).toBe(0)
    }
    await archive.close()
  })
}

const readers: readonly (readonly string[])[] = [
  ['unzip', '-tq'],
  ['python3', '-m', 'zipfile', '-t'],
  ['jar', 'tf'],
]

for (const [tool = '', ...args] of readers) {
  const missing = tool !== 'python3' && spawnSync(tool, ['--help']).error !== undefined
  test.skipIf(missing)(
    `${[tool, ...args].join(' ')} reads what pack wrote${missing ? ` (${tool} is not installed)` : ''}`,
    async () => {
      const tree = { ...express, 'ünï/cödé 😀.txt': 'x', 'empty/': '', 'zero.txt': '' }
      const { file } = await pack(await makeTree(tree))
      const { status, stdout } = spawnSync(tool, [...args, file], { encoding: 'utf8' })
      expect(status).toBe(0)
      if (tool === 'jar') expect(stdout).toContain('ünï/cödé 😀.txt\n')
    },
  )
}

test('modes come from the content and the manifest, never from the disk', async () => {
  const dir = await makeTree({
    'zapp.json':
      '{"zapp":1,"name":"shop","version":"1.0.0","entry":{"type":"node","module":"app.js"},"executable":["bin/said.txt"]}',
    'app.js': 'module.exports = (req, res) => res.end()\n',
    'bin/script': '#!/bin/sh\n',
    'bin/elf': Buffer.from('7f454c46020101', 'hex'),
    'bin/said.txt': 'x',
    'bin/plain': 'x',
  })
  chmodSync(join(dir, 'bin/plain'), 0o777)
  chmodSync(join(dir, 'bin/script'), 0o600)
  const archive = await openArchive((await pack(dir)).file)
  const modes = [...archive.entries.values()].flatMap(({ path, mode }) =>
    path.startsWith('bin/') ? [`${path} ${mode.toString(8)}`] : [],
  )
  await archive.close()
  expect(modes).toEqual(['bin/ 755', 'bin/elf 755', 'bin/plain 644', 'bin/said.txt 755', 'bin/script 755'])
})

test('deflate where it pays: media, noise and tiny files are stored, TypeScript is not taken for video', async () => {
  const dir = await makeTree({
    ...STATIC_APP,
    'public/photo.jpg': 'x'.repeat(1000),
    'public/noise.bin': createHash('sha512').update('x').digest(),
    'public/a.txt': 'a',
    'public/types.d.ts': 'declare const x: number\n'.repeat(20),
    // Beyond the ratio that readers accept.
    'public/zeros.bin': Buffer.alloc(11 * 2 ** 20),
  })
  const archive = await openArchive((await pack(dir)).file)
  const methods = Object.fromEntries([...archive.entries.values()].map(({ path, method }) => [path, method]))
  await archive.close()
  expect(methods).toMatchObject({
    'public/photo.jpg': 'stored',
    'public/noise.bin': 'stored',
    'public/a.txt': 'stored',
    'public/zeros.bin': 'stored',
    'public/types.d.ts': 'deflate',
  })
})

test('the size report adds up to the tree, by package and by top-level folder', async () => {
  const { report, plan } = await pack(
    await makeTree({ ...express, 'views/a.html': 'x'.repeat(50), 'views/b/c.html': 'x' }),
  )
  expect(report.reduce((sum, { size }) => sum + size, 0)).toBe(plan.bytes)
  expect(report.reduce((sum, { files }) => sum + files, 0)).toBe(plan.files.length)
  expect(report.find(({ path }) => path === 'views/')).toMatchObject({ files: 2, size: 51 })
  expect(report.find(({ path }) => path === 'node_modules/qs/')?.package).toMatch(/^qs@/)
  expect(report.map(({ compressedSize }) => compressedSize)).toEqual(
    report.map(({ compressedSize }) => compressedSize).toSorted((a, b) => b - a),
  )
})

test('progress tells phases and bytes, ending at the total', async () => {
  const seen: { phase: string; done: number; total: number }[] = []
  const { plan, bytes } = await pack(await makeTree(express), { onProgress: (p) => seen.push(p) })
  expect([...new Set(seen.map(({ phase }) => phase))]).toEqual(['plan', 'write', 'check'])
  expect(seen.findLast(({ phase }) => phase === 'write')).toEqual({
    phase: 'write',
    done: plan.bytes,
    total: plan.bytes,
  })
  expect(seen.at(-1)).toEqual({ phase: 'check', done: bytes, total: bytes })
})

test('secrets in the content of own files are refused, all of them; packages and allowed files pass', async () => {
  const key = `-----BEGIN ${'PRIVATE'} KEY-----\\n${'MC4CAQAwBQYDK2VwBCIEIGYx'.repeat(3)}\\n`
  const token = `npm_${'a1B2c3D4e5F6'.repeat(3)}`
  const dir = await makeTree({
    ...NODE_APP,
    'package.json': { dependencies: { a: '1' } },
    ...pkg('node_modules/a', {}),
    'node_modules/a/test.js': `const key = "${key}"\n`,
    'config.js': `const key = "${key}"\n`,
    'aws.txt': `id = AKIA${'Z7Q2'.repeat(4)}\n`,
    'ci/token.yml': `token: ${token}\n`,
    'parser.js': `if (text.includes('-----BEGIN ${'PRIVATE'} KEY-----')) throw new Error('a private key')\n`,
    'docs.md': 'AKIAIOSFODNN7EXAMPLE\n',
  })
  const error = await refused(dir)
  expect(error.findings.map(({ code, path, args }) => [code, path, args.what])).toEqual([
    ['SECRET', 'aws.txt', 'an AWS access key'],
    ['SECRET', 'ci/token.yml', 'an npm token'],
    ['SECRET', 'config.js', 'a private key'],
  ])
  expect(JSON.stringify(error.findings)).not.toContain('MC4CAQ')
  expect(readdirSync(dir).filter((name) => name.includes('zapp'))).toEqual(['zapp.json'])
  expect((await pack(dir, { allowSecrets: ['aws.txt', 'ci/token.yml', 'config.js'] })).files).toBeGreaterThan(8)
})

for (const [name, tree] of Object.entries({ 'on the main thread': NODE_APP, 'in a worker': express })) {
  test(`a file that changes after it was planned is named (${name})`, async () => {
    const dir = await makeTree({ ...tree, 'log.txt': 'one\n', 'gone.txt': 'x', 'same size.txt': 'one\n' })
    const change = () => {
      appendFileSync(join(dir, 'log.txt'), 'two\n')
      writeFileSync(join(dir, 'same size.txt'), 'two\n')
      utimesSync(join(dir, 'same size.txt'), 1, 1)
      rmSync(join(dir, 'gone.txt'))
    }
    const onProgress = ({ phase, done }: PackProgress) => phase === 'write' && done === 0 && change()
    const error = await refused(dir, { onProgress })
    expect(error.findings.map(({ code, path }) => [code, path])).toEqual([
      ['PACK_CHANGED', 'gone.txt'],
      ['PACK_CHANGED', 'log.txt'],
      ['PACK_CHANGED', 'same size.txt'],
    ])
    expect(readdirSync(dir).filter((file) => file.includes('.zapp'))).toEqual([])
  })
}

test('an archive that cannot be written leaves nothing behind and an earlier one untouched', async () => {
  const dir = await makeTree(NODE_APP)
  const out = join(dir, 'shop.zapp')
  writeFileSync(out, 'earlier')
  const abort = new AbortController()
  const stopped = await pack(dir, {
    out,
    signal: abort.signal,
    onProgress: ({ phase }) => phase === 'check' && abort.abort(),
  }).catch((e) => e)
  expect(stopped.name).toBe('AbortError')
  expect(readFileSync(out, 'utf8')).toBe('earlier')
  expect((await refused(dir, { out: join(dir, 'no/such/folder/x.zapp') })).code).toBe('NOT_FOUND')
  expect(readdirSync(dir).sort()).toEqual(['app.js', 'shop.zapp', 'zapp.json'])

  await pack(dir, { out })
  expect((await validateArchive(out)).valid).toBe(true)
  expect(readdirSync(dir).sort()).toEqual(['app.js', 'shop.zapp', 'zapp.json'])
})

test('aborting while workers run stops them', async () => {
  const dir = await makeTree(express)
  const abort = new AbortController()
  const onProgress = ({ phase }: { phase: string }) => phase === 'write' && abort.abort(new Error('enough'))
  await expect(pack(dir, { signal: abort.signal, onProgress })).rejects.toThrow('enough')
  expect(readdirSync(dir).filter((name) => name.includes('.zapp'))).toEqual([])
})

test('without a manifest the one that is written into the archive is the suggestion', async () => {
  const { 'zapp.json': _, ...tree } = express
  const dir = await makeTree({
    ...tree,
    'package.json': { name: '@acme/shop', version: '3.1.0', main: 'app.js', dependencies: { express: '5' } },
  })
  const { file, plan } = await pack(dir)
  expect(plan.because).toEqual([
    'package.json names app.js as "main"',
    "app.js exports an Express app: module.exports = express().get('/', (req, res) => res.send('shop'))",
  ])
  expect(file).toBe(join(dir, 'shop-3.1.0.zapp'))
  const archive = await openArchive(file)
  expect(JSON.parse(archive.manifestText)).toEqual({
    zapp: 1,
    name: 'shop',
    version: '3.1.0',
    entry: { type: 'node', module: 'app.js' },
  })
  await archive.close()
  expect(existsSync(join(dir, 'zapp.json'))).toBe(false)
})

test('build.json names packages and the targets of native code', async () => {
  const elf = readFileSync(process.execPath).subarray(0, 4096)
  const dir = await makeTree({
    ...NODE_APP,
    'package.json': { dependencies: { native: '1' } },
    ...pkg('node_modules/native', { license: 'MIT' }),
    'node_modules/native/build/Release/x.node': elf,
  })
  const archive = await openArchive((await pack(dir)).file)
  const build = parseBuildInfo(await archive.read(archive.entries.get('ZAPP-INF/build.json')!))
  await archive.close()
  expect(build?.packages).toEqual([{ name: 'native', version: '1.0.0', path: 'node_modules/native', license: 'MIT' }])
  expect(build?.native).toMatchObject([
    {
      path: 'node_modules/native/build/Release/x.node',
      package: 'node_modules/native',
      kind: 'addon',
      arch: process.arch,
    },
  ])
})
