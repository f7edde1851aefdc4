import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import { parseBuildInfo } from '../../src/archive/build-info.ts'
import { pack } from '../../src/pack/pack.ts'
import { type App, loadApp } from '../../src/runtimes/load.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { writeFiles } from './helpers/guide.ts'
import { installed, QUIET } from './helpers/installed.ts'

/*
 * A monorepo as npm, pnpm and yarn (classic, and berry with node_modules) install it: a member that depends on another
 * member, and on two versions of one package. It must pack to what npm would install, and find the same packages.
 */

const run = promisify(execFile)

const TOOLS = { pnpm: '^10.0.0', yarn: '^1.22.0', '@yarnpkg/cli-dist': '^4.0.0' }

interface Manager {
  /** What stands in package.json for a member of the same workspace. */
  readonly member: string
  readonly files?: Readonly<Record<string, string>>
  /** Below the folder of the tools; npm comes with Node. */
  readonly program?: string
  readonly args: readonly string[]
}

const MANAGERS: Readonly<Record<string, Manager>> = {
  npm: { member: '*', args: ['install'] },
  pnpm: {
    member: 'workspace:*',
    files: { 'pnpm-workspace.yaml': 'packages:\n  - packages/*\n' },
    program: 'pnpm/bin/pnpm.cjs',
    args: ['install', '--no-frozen-lockfile'],
  },
  'pnpm, hoisted': {
    member: 'workspace:*',
    files: { 'pnpm-workspace.yaml': 'packages:\n  - packages/*\nnodeLinker: hoisted\n' },
    program: 'pnpm/bin/pnpm.cjs',
    args: ['install', '--no-frozen-lockfile'],
  },
  'yarn classic': { member: '1.0.0', program: 'yarn/bin/yarn.js', args: ['install', '--no-lockfile'] },
  'yarn berry': {
    member: 'workspace:*',
    files: { '.yarnrc.yml': 'nodeLinker: node-modules\nenableTelemetry: false\n', 'yarn.lock': '' },
    program: '@yarnpkg/cli-dist/bin/yarn.js',
    args: ['install', '--no-immutable'],
  },
}

const json = (value: object) => `${JSON.stringify(value, undefined, 2)}\n`

function monorepo({ member, files = {} }: Manager): Record<string, string> {
  return {
    'package.json': json({ name: 'shop-repo', version: '1.0.0', private: true, workspaces: ['packages/*'] }),
    'packages/shop/package.json': json({
      name: '@shop/web',
      version: '1.0.0',
      main: 'app.js',
      dependencies: { '@shop/prices': member, express: '^4.21.0', ms: '2.0.0' },
      devDependencies: { 'left-pad': '1.3.0' },
    }),
    'packages/shop/app.js': `
const express = require('express')
const { price, ms } = require('@shop/prices')
const app = express()
app.get('/', (req, res) => {
  res.json({ price: price(3), ms: [require('ms/package.json').version, ms], dev: canLoad('left-pad') })
})
function canLoad(name) {
  try {
    return !!require(name)
  } catch {
    return false
  }
}
module.exports = app
`,
    'packages/prices/package.json': json({
      name: '@shop/prices',
      version: '1.0.0',
      files: ['lib'],
      main: 'lib/index.js',
      dependencies: { ms: '^2.1.3', 'lru-cache': '^10.0.0' },
    }),
    'packages/prices/lib/index.js': `
const { LRUCache } = require('lru-cache')
const cache = new LRUCache({ max: 10 })
exports.ms = require('ms/package.json').version
exports.price = (n) => {
  cache.set(n, n * 100)
  return cache.get(n)
}
`,
    'packages/prices/test/prices.test.js': 'throw new Error("never packed")\n',
    ...files,
  }
}

const tools = await installed('managers', { 'package.json': json({ private: true, dependencies: TOOLS }) }, [
  'npm install',
])

/** Stores of the package managers stay out of the project. */
async function install(dir: string, { program, args }: Manager): Promise<void> {
  const store = await tmpDir()
  const env = { ...process.env, ...QUIET, npm_config_store_dir: store, YARN_GLOBAL_FOLDER: store, CI: '' }
  const [file, ...rest] = program ? [process.execPath, join(tools, 'node_modules', program), ...args] : ['npm', ...args]
  await run(file!, rest, { cwd: dir, env, maxBuffer: 2 ** 26 }).catch((error) => {
    throw new Error(`${program}: ${error.message}\n${error.stdout}`)
  })
}

/** Files of packages, without the notes that package managers leave beside them. */
function packageFiles(dir: string): string[] {
  const modules = join(dir, 'node_modules')
  return readdirSync(modules, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(modules.length + 1))
    .filter((path) => !/(?:^|\/)(?:\.bin\/|\.package-lock\.json$)/.test(path))
}

async function load(file: string): Promise<App> {
  const dir = await tmpDir()
  return loadApp(file, { cache: join(dir, 'cache'), data: join(dir, 'data') })
}

/** As npm would install the member for production, the other member as if it had been published. */
async function npmInstalls(): Promise<string[]> {
  const files = monorepo({ member: 'file:../prices', args: [] })
  const { 'package.json': _, ...members } = files
  const dir = await tmpDir()
  await writeFiles(dir, members)
  await run('npm', ['install', '--omit=dev', '--install-links', '--no-package-lock'], {
    cwd: join(dir, 'packages/shop'),
    env: { ...process.env, ...QUIET },
  })
  return packageFiles(join(dir, 'packages/shop'))
}

let expected: readonly string[]

test.each(Object.entries(MANAGERS))('a workspace member, installed by %s', async (_, manager) => {
  expected ??= await npmInstalls()
  const dir = await tmpDir()
  await writeFiles(dir, monorepo(manager))
  await install(dir, manager)

  const { file, files } = await pack(join(dir, 'packages/shop'), { out: join(await tmpDir(), 'shop.zapp') })
  const archive = await openArchive(file)
  const packed = [...archive.entries.keys()].filter((path) => path.startsWith('node_modules/') && !path.endsWith('/'))
  await archive.close()
  expect(files).toBeGreaterThan(packed.length)
  // npm adds no file to packages and takes none away: what is more is a package more, or a second copy of one.
  const more = packed.filter((path) => !expected.includes(path.slice('node_modules/'.length)))
  expect({ more, count: packed.length }).toEqual({ more: [], count: expected.length })

  const app = await load(file)
  const answer = await app.fetch(new Request('http://localhost/'))
  expect(await answer.json()).toEqual({ price: 300, ms: ['2.0.0', '2.1.3'], dev: false })
  await app.close()
})

const NATIVE = {
  'package.json': json({
    name: 'safe',
    version: '1.0.0',
    main: 'app.js',
    dependencies: { '@node-rs/argon2': '^2.0.0', bufferutil: '^4.0.0' },
  }),
}
const NATIVE_APP = {
  'app.js': `
const { hashSync, verifySync } = require('@node-rs/argon2')
const { mask } = require('bufferutil')
module.exports = (req, res) => {
  const out = Buffer.alloc(4)
  mask(Buffer.from([1, 2, 3, 4]), Buffer.from([1, 1, 1, 1]), out, 0, 4)
  res.end(JSON.stringify([verifySync(hashSync('word'), 'word'), [...out], typeof require('bufferutil/fallback')]))
}
`,
}

async function native(name: string): Promise<string> {
  const dir = await installed('native', NATIVE, ['npm install --ignore-scripts'])
  await writeFiles(dir, { ...NATIVE_APP })
  return (await pack(dir, { out: join(await tmpDir(), name) })).file
}

async function targets(file: string) {
  const archive = await openArchive(file)
  const info = parseBuildInfo(await archive.read(archive.entries.get('ZAPP-INF/build.json')!))
  await archive.close()
  return info?.native ?? []
}

test('native add-ons: their targets are recorded, and they run', async () => {
  const file = await native('safe.zapp')
  const found = await targets(file)
  // One of a package for each system, one of a package that holds builds for all.
  const argon = found.filter((row) => row.package === 'node_modules/@node-rs/argon2')
  expect(argon).toMatchObject([{ kind: 'addon', platform: process.platform, arch: process.arch, abi: 'napi' }])
  expect(argon[0]?.optional).toBeUndefined()
  const buffer = found.filter((row) => row.package === 'node_modules/bufferutil')
  expect(buffer.map(({ platform }) => platform)).toEqual(expect.arrayContaining(['darwin', 'linux', 'win32']))

  const app = await load(file)
  const answer = await app.fetch(new Request('http://localhost/'))
  expect(await answer.json()).toEqual([true, [0, 3, 2, 5], 'object'])
  await app.close()
})

test('native add-ons of another system are refused before anything is unpacked, both sides named', async () => {
  const [os, cpu] = process.platform === 'darwin' ? ['linux', 'x64'] : ['darwin', 'arm64']
  const dir = await installed('native-other', NATIVE, [`npm install --ignore-scripts --os=${os} --cpu=${cpu}`])
  await writeFiles(dir, NATIVE_APP)
  const { file } = await pack(dir, { out: join(await tmpDir(), 'other.zapp') })
  const cache = join(await tmpDir(), 'cache')
  const error = await loadApp(file, { cache }).catch((e) => e)
  expect(error.findings).toMatchObject([{ code: 'NEED_NATIVE', args: { package: 'node_modules/@node-rs/argon2' } }])
  expect(error.message).toContain(`${os}-${cpu}`)
  expect(error.message).toContain(`${process.platform}-${process.arch}`)
  expect(existsSync(cache)).toBe(false)
})
