import { join } from 'node:path'
import { expect, test } from 'vitest'
import { planPack } from '../../src/pack/plan.ts'
import { makeTree, pkg, type Tree } from './helpers/tree.ts'

const plan = async (tree: Tree, dir = '') => planPack(join(await makeTree(tree), dir))
const places = ({ packages }: Awaited<ReturnType<typeof planPack>>) =>
  Object.fromEntries(packages.map(({ path, version }) => [path, version]))
const app = { 'app.js': 'module.exports = (req, res) => res.end()\n' }

test('equal copies that npm left in a workspace are one package', async () => {
  const tree = {
    'package.json': { private: true, workspaces: ['shop'] },
    ...pkg('node_modules/ms', { version: '2.1.0' }),
    ...pkg('node_modules/debug', { dependencies: { ms: '2.0.0' } }),
    ...pkg('node_modules/debug/node_modules/ms', { version: '2.0.0' }),
    ...pkg('node_modules/send', { dependencies: { ms: '^2.1.0' } }),
    'shop/package.json': { name: 'shop', main: 'app.js', dependencies: { debug: '1', ms: '2.0.0', send: '1' } },
    'shop/app.js': app['app.js'],
    ...pkg('shop/node_modules/ms', { version: '2.0.0' }),
  }
  expect(places(await plan(tree, 'shop'))).toEqual({
    'node_modules/debug': '1.0.0',
    'node_modules/ms': '2.0.0',
    'node_modules/send': '1.0.0',
    'node_modules/send/node_modules/ms': '2.1.0',
  })
})

test('copies of one version that find different packages stay two', async () => {
  const tree = {
    ...app,
    'package.json': { main: 'app.js', dependencies: { a: '1', b: '1', c: '1' } },
    ...pkg('node_modules/a', { dependencies: { c: '2' } }),
    ...pkg('node_modules/b', { dependencies: { a: '1' } }),
    ...pkg('node_modules/b/node_modules/a', { dependencies: { c: '1' } }),
    ...pkg('node_modules/a/node_modules/c', { version: '2.0.0' }),
    ...pkg('node_modules/c', { version: '1.0.0' }),
  }
  expect(places(await plan(tree))).toEqual({
    'node_modules/a': '1.0.0',
    'node_modules/a/node_modules/c': '2.0.0',
    'node_modules/b': '1.0.0',
    'node_modules/b/node_modules/a': '1.0.0',
    'node_modules/c': '1.0.0',
  })
})

const STANDALONE: Tree = {
  'package.json': { name: 'site', version: '1.0.0', dependencies: { next: '16' } },
  'server.js': "process.env.__NEXT_PRIVATE_STANDALONE_CONFIG = '{}'\n",
  '.next/static/a.js': '',
}

test('packages that a build has traced are all that there is: the others are not missing', async () => {
  const tree = {
    ...STANDALONE,
    ...pkg('node_modules/next', { dependencies: { traced: '1', 'not-traced': '1' } }),
    ...pkg('node_modules/traced', {}),
    ...pkg('node_modules/only-loaded', {}),
  }
  expect(places(await plan(tree))).toEqual({
    'node_modules/next': '1.0.0',
    'node_modules/only-loaded': '1.0.0',
    'node_modules/traced': '1.0.0',
  })
})

test('what was not traced is not taken from the project around', async () => {
  const inner = Object.entries({ ...STANDALONE, ...pkg('node_modules/next', { dependencies: { postcss: '8' } }) })
  const tree = {
    ...Object.fromEntries(inner.map(([path, content]) => [`.next/standalone/${path}`, content])),
    ...pkg('node_modules/postcss', {}),
  }
  expect(places(await plan(tree, '.next/standalone'))).toEqual({ 'node_modules/next': '1.0.0' })
})

test('traced packages as pnpm links them', async () => {
  const store = 'node_modules/.pnpm/next@16.0.0/node_modules'
  const tree = {
    ...STANDALONE,
    ...pkg(`${store}/next`, { version: '16.0.0', dependencies: { helpers: '1', 'not-traced': '1' } }),
    ...pkg('node_modules/.pnpm/helpers@1.0.0/node_modules/helpers', {}),
    [`${store}/helpers`]: { link: '../../helpers@1.0.0/node_modules/helpers' },
    'node_modules/next': { link: '.pnpm/next@16.0.0/node_modules/next' },
  }
  expect(places(await plan(tree))).toEqual({ 'node_modules/helpers': '1.0.0', 'node_modules/next': '16.0.0' })
})

test('packages that Next does not bundle are found under the names that its build gives them', async () => {
  const tree = {
    ...STANDALONE,
    ...pkg('node_modules/next', {}),
    ...pkg('node_modules/ms', {}),
    '.next/package.json': { type: 'commonjs' },
    '.next/node_modules/ms-f5998b0f': { link: '../../node_modules/ms' },
  }
  expect(places(await plan(tree))).toMatchObject({ 'node_modules/ms': '1.0.0', 'node_modules/ms-f5998b0f': '1.0.0' })
})

test('of the output of Nitro only its own packages are packed', async () => {
  const tree = {
    'package.json': { name: 'site', version: '1.0.0', dependencies: { nuxt: '4' } },
    'nuxt.config.ts': '',
    'app/app.vue': '',
    ...pkg('node_modules/nuxt', { dependencies: { webpack: '5' } }),
    '.output/nitro.json': { preset: 'node-server' },
    '.output/public/_nuxt/a.js': '',
    '.output/server/index.mjs': '',
    '.output/server/package.json': { name: 'site-prod', dependencies: { vue: '3' } },
    ...pkg('.output/server/node_modules/vue', { dependencies: { 'not-traced': '1' } }),
  }
  const planned = await plan(tree)
  expect(places(planned)).toEqual({ '.output/server/node_modules/vue': '1.0.0' })
  expect(planned.files.filter((file) => !file.dependency).map(({ path }) => path)).toEqual([
    '.output/nitro.json',
    '.output/public/_nuxt/a.js',
    '.output/server/index.mjs',
    '.output/server/package.json',
  ])
  expect(planned.leftOut).toContainEqual({ path: 'app/', rule: '/*', from: 'detected' })
})

test('a .zappignore has the last word over what a build made needless', async () => {
  const tree = {
    'package.json': { name: 'site', version: '1.0.0', scripts: { build: 'make' } },
    'dist/index.html': '',
    'terms.txt': '',
    'draft.txt': '',
    '.zappignore': '!/terms.txt\n',
  }
  expect((await plan(tree)).files.map(({ path }) => path)).toEqual(['dist/index.html', 'terms.txt'])
})

const native = (folder: string, os: string) => ({
  ...pkg(folder, {}),
  [`${folder}/${os}.node`]: 'binary',
})

test('native code in a package for one system belongs to the one that needs it', async () => {
  const systems = { 'safe-linux-x64': '1', 'safe-darwin-arm64': '1', 'safe-wasm32-wasi': '1' }
  const tree = {
    ...app,
    'package.json': { main: 'app.js', dependencies: { safe: '1', watch: '1' }, optionalDependencies: { thumbs: '1' } },
    ...pkg('node_modules/safe', { optionalDependencies: systems }),
    ...native('node_modules/safe-linux-x64', 'linux'),
    ...pkg('node_modules/watch', { optionalDependencies: { 'fsevents-darwin': '1' } }),
    ...native('node_modules/fsevents-darwin', 'darwin'),
    ...pkg('node_modules/thumbs', { optionalDependencies: { '@thumbs/linux-x64': '1', '@thumbs/win32-x64': '1' } }),
    ...native('node_modules/@thumbs/linux-x64', 'linux'),
  }
  const owners = async (more: Tree) =>
    (await plan({ ...tree, ...more })).packages
      .filter(({ path }) => /linux|darwin/.test(path))
      .map(({ path, nativeOf, optional }) => [path.slice('node_modules/'.length), nativeOf, optional])
  expect(await owners({})).toEqual([
    ['@thumbs/linux-x64', 'node_modules/thumbs', true],
    ['fsevents-darwin', undefined, true],
    ['safe-linux-x64', 'node_modules/safe', false],
  ])
  // With WebAssembly beside it, it runs where that addon does not.
  expect(await owners(pkg('node_modules/safe-wasm32-wasi', {}))).toContainEqual(['safe-linux-x64', undefined, true])
})
