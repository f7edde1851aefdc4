import { execFileSync } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import { unpack } from '../../src/archive/unpack.ts'
import { pack } from '../../src/pack/pack.ts'
import { type Edge, type PackageGraph, readPackageGraph } from '../../src/pack/package-graph.ts'
import { readPackageJson } from '../../src/pack/package-json.ts'
import { relay } from '../../src/pack/relay.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { makeTree, NODE_APP, pkg, type Tree } from './helpers/tree.ts'

/** Lays the tree out anew: path in the archive → what lies there. */
async function layout(tree: Tree, member = ''): Promise<Record<string, string>> {
  const real = realpathSync(join(await makeTree(tree), member))
  const graph = readPackageGraph([{ path: '', real, json: readPackageJson(real)! }])
  expect(graph.findings).toEqual([])
  const { placements, findings } = relay(graph)
  expect(findings).toEqual([])
  return Object.fromEntries(placements.map(({ path, pkg: p }) => [path, `${p.name}@${p.version}`]))
}

test('npm: what lies on disk keeps its place, without development dependencies', async () => {
  const tree = {
    'package.json': { dependencies: { a: '1', b: '2' }, devDependencies: { d: '1' } },
    ...pkg('node_modules/a', { dependencies: { b: '1', c: '1' } }),
    ...pkg('node_modules/a/node_modules/b', {}),
    ...pkg('node_modules/b', { version: '2.0.0', dependencies: { c: '1' } }),
    ...pkg('node_modules/c', {}),
    ...pkg('node_modules/d', { dependencies: { e: '1' } }),
    ...pkg('node_modules/e', {}),
    'node_modules/.package-lock.json': {},
    'node_modules/.bin/tool': { link: '../d/index.js' },
  }
  expect(await layout(tree)).toEqual({
    'node_modules/a': 'a@1.0.0',
    'node_modules/b': 'b@2.0.0',
    'node_modules/a/node_modules/b': 'b@1.0.0',
    'node_modules/c': 'c@1.0.0',
  })
})

test('what npm nested beside a development dependency stays where it is', async () => {
  const tree = {
    'package.json': { dependencies: { a: '1' }, devDependencies: { b: '2' } },
    ...pkg('node_modules/a', { dependencies: { b: '1' } }),
    ...pkg('node_modules/a/node_modules/b', {}),
    ...pkg('node_modules/b', { version: '2.0.0' }),
  }
  expect(await layout(tree)).toEqual({ 'node_modules/a': 'a@1.0.0', 'node_modules/a/node_modules/b': 'b@1.0.0' })
})

test('npm workspaces: a member is packed with what is hoisted to the root and with linked members', async () => {
  const tree = {
    'package.json': { private: true, workspaces: ['packages/*'] },
    'packages/shop/package.json': { name: 'shop', dependencies: { '@acme/util': '*', debug: '2' } },
    ...pkg('packages/shop/node_modules/debug', { version: '2.0.0', dependencies: { ms: '1' } }),
    ...pkg('packages/util', {
      name: '@acme/util',
      version: '3.0.0',
      dependencies: { debug: '4' },
      devDependencies: { x: '1' },
    }),
    'node_modules/@acme/util': { link: '../../packages/util' },
    'node_modules/shop': { link: '../packages/shop' },
    ...pkg('node_modules/debug', { version: '4.0.0', dependencies: { ms: '1' } }),
    ...pkg('node_modules/ms', {}),
  }
  expect(await layout(tree, 'packages/shop')).toEqual({
    'node_modules/@acme/util': '@acme/util@3.0.0',
    'node_modules/@acme/util/node_modules/debug': 'debug@4.0.0',
    'node_modules/debug': 'debug@2.0.0',
    'node_modules/ms': 'ms@1.0.0',
  })
})

/** A package in pnpm's store: its own folder, and beside it links to what it may ask for. */
function pnpm(
  id: string,
  json: { name: string; version: string; [key: string]: unknown },
  links: Record<string, string> = {},
): Tree {
  const home = `node_modules/.pnpm/${id}/node_modules`
  const beside = Object.entries(links).map(([name, target]) => [
    `${home}/${name}`,
    { link: `${name.startsWith('@') ? '../' : ''}../../${target}/node_modules/${name}` },
  ])
  return { ...pkg(`${home}/${json.name}`, json), ...Object.fromEntries(beside) }
}

test('pnpm: each package once, hoisted, however many links lead to it', async () => {
  const tree = {
    'package.json': { dependencies: { a: '1', b: '1' } },
    'node_modules/a': { link: '.pnpm/a@1/node_modules/a' },
    'node_modules/b': { link: '.pnpm/b@1/node_modules/b' },
    ...pnpm(
      'a@1',
      { name: 'a', version: '1.0.0', dependencies: { c: '1', '@s/d': '1' } },
      { c: 'c@1', '@s/d': '@s+d@1' },
    ),
    ...pnpm(
      'b@1',
      { name: 'b', version: '1.0.0', dependencies: { c: '2', '@s/d': '1' } },
      { c: 'c@2', '@s/d': '@s+d@1' },
    ),
    ...pnpm('c@1', { name: 'c', version: '1.0.0' }),
    ...pnpm('c@2', { name: 'c', version: '2.0.0', dependencies: { '@s/d': '1' } }, { '@s/d': '@s+d@1' }),
    ...pnpm('@s+d@1', { name: '@s/d', version: '1.0.0', dependencies: { a: '1' } }, { a: 'a@1' }),
  }
  expect(await layout(tree)).toEqual({
    'node_modules/a': 'a@1.0.0',
    'node_modules/b': 'b@1.0.0',
    'node_modules/c': 'c@1.0.0',
    'node_modules/b/node_modules/c': 'c@2.0.0',
    'node_modules/@s/d': '@s/d@1.0.0',
  })
})

test('pnpm: one package with two sets of peers is two packages, each beside its peer', async () => {
  const plugin = { name: 'plugin', version: '1.0.0', peerDependencies: { host: '*' } }
  const tree = {
    'package.json': { dependencies: { host: '2', plugin: '1', old: '1' } },
    'node_modules/host': { link: '.pnpm/host@2/node_modules/host' },
    'node_modules/plugin': { link: '.pnpm/plugin@1_host@2/node_modules/plugin' },
    'node_modules/old': { link: '.pnpm/old@1/node_modules/old' },
    ...pnpm('host@1', { name: 'host', version: '1.0.0' }),
    ...pnpm('host@2', { name: 'host', version: '2.0.0' }),
    ...pnpm('plugin@1_host@1', plugin, { host: 'host@1' }),
    ...pnpm('plugin@1_host@2', plugin, { host: 'host@2' }),
    ...pnpm(
      'old@1',
      { name: 'old', version: '1.0.0', dependencies: { host: '1', plugin: '1' } },
      { host: 'host@1', plugin: 'plugin@1_host@1' },
    ),
  }
  expect(await layout(tree)).toEqual({
    'node_modules/host': 'host@2.0.0',
    'node_modules/plugin': 'plugin@1.0.0',
    'node_modules/old': 'old@1.0.0',
    // Not below plugin: old and plugin must share one instance of host.
    'node_modules/old/node_modules/host': 'host@1.0.0',
    'node_modules/old/node_modules/plugin': 'plugin@1.0.0',
  })
})

test('an optional peer ships only where something else needs it', async () => {
  const tree = {
    'package.json': { dependencies: { a: '1', b: '1' }, devDependencies: { typescript: '5' } },
    ...pkg('node_modules/a', {
      peerDependencies: { typescript: '*', b: '*' },
      peerDependenciesMeta: { typescript: { optional: true }, b: { optional: true } },
    }),
    ...pkg('node_modules/b', {}),
    ...pkg('node_modules/typescript', { version: '5.0.0' }),
  }
  expect(Object.keys(await layout(tree))).toEqual(['node_modules/a', 'node_modules/b'])
})

test('optional dependencies ship where they are installed; bundled ones, nameless ones and aliases resolve', async () => {
  const tree = {
    'package.json': {
      dependencies: { alias: 'npm:real@1', bundler: '1', nameless: '1' },
      optionalDependencies: { absent: '1', present: '1' },
    },
    ...pkg('node_modules/alias', { name: 'real' }),
    ...pkg('node_modules/bundler', { bundleDependencies: ['inner'] }),
    ...pkg('node_modules/bundler/node_modules/inner', {}),
    'node_modules/nameless/index.js': 'module.exports = 1\n',
    ...pkg('node_modules/present', {}),
  }
  expect(await layout(tree)).toEqual({
    'node_modules/alias': 'real@1.0.0',
    'node_modules/bundler': 'bundler@1.0.0',
    'node_modules/bundler/node_modules/inner': 'inner@1.0.0',
    'node_modules/nameless': 'nameless@0.0.0',
    'node_modules/present': 'present@1.0.0',
  })
})

test('a folder that npm left behind with nothing but a node_modules is passed over', async () => {
  const tree = {
    'package.json': { dependencies: { a: '1' } },
    ...pkg('node_modules/a', { dependencies: { b: '1' } }),
    'node_modules/a/node_modules/b/node_modules/': '',
    ...pkg('node_modules/b', {}),
  }
  expect(Object.keys(await layout(tree))).toEqual(['node_modules/a', 'node_modules/b'])
})

test('a missing dependency is named with who needs it; a missing peer is not one', async () => {
  const dir = await makeTree({
    ...NODE_APP,
    'package.json': { name: 'shop', dependencies: { a: '1', gone: '1' } },
    ...pkg('node_modules/a', { dependencies: { lost: '1' }, peerDependencies: { peer: '1' } }),
  })
  const error = await pack(dir).catch((e) => e)
  expect(error.code).toBe('DEP_MISSING')
  expect(error.findings.map((f: { args: object }) => f.args)).toEqual([
    { package: 'shop', dependency: 'gone' },
    { package: 'a@1.0.0', dependency: 'lost' },
  ])
})

/** Packages p0 to p5 in three versions; `choices` says which ask for which, `rings` whether those before them too. */
function randomGraph(choices: readonly (readonly number[])[], rings: boolean, peers: boolean): PackageGraph {
  const packages = choices.map((_, i) => {
    const [name, version] = [`p${i % 6}`, `${Math.floor(i / 6)}.0.0`]
    const edges: Edge[] = []
    return { real: `/store/${i}`, name, version, json: {} as never, linked: false, edges }
  })
  const edgesOf = (wanted: readonly number[], from: number): Edge[] => {
    const byName = new Map(wanted.filter((to) => rings || to > from).map((to) => [`p${to % 6}`, packages[to]!]))
    return [...byName].map(([name, target], i) => ({
      name,
      target,
      kind: peers && i % 3 === 2 ? 'peer' : 'dependency',
    }))
  }
  for (const [i, p] of packages.entries()) p.edges.push(...edgesOf(choices[i]!, i))
  const edges = edgesOf(choices.flat().slice(0, 6), -1)
  return {
    importers: [{ path: '', real: '/project', edges }],
    packages: new Map(packages.map((p) => [p.real, p])),
    required: new Set(),
    findings: [],
    lookUp: (name) => edges.find((edge) => edge.name === name)?.target,
  }
}

const choices = fc.array(fc.array(fc.nat({ max: 17 }), { maxLength: 5 }), { minLength: 18, maxLength: 18 })

test('any graph without rings is laid out so that every edge leads where it led', () => {
  const holds = fc.property(choices, fc.boolean(), (wanted, peers) => {
    expect(relay(randomGraph(wanted, false, peers)).findings).toEqual([])
  })
  fc.assert(holds, { numRuns: 1000 })
})

test('any graph with rings is laid out or refused', () => {
  const holds = fc.property(choices, fc.boolean(), (wanted, peers) => {
    const { placements, findings } = relay(randomGraph(wanted, true, peers))
    expect(placements.length).toBeLessThanOrEqual(20 * 18)
    expect(findings.every(({ code }) => code === 'DEP_RELAY')).toBe(true)
  })
  fc.assert(holds, { numRuns: 200 })
})

test('rings of packages that need each other’s other version end in an error, not in an endless tree', async () => {
  const tree = {
    ...NODE_APP,
    'package.json': { dependencies: { a: '1' } },
    'node_modules/a': { link: '.pnpm/a@1/node_modules/a' },
    ...pnpm('a@1', { name: 'a', version: '1.0.0', dependencies: { b: '1' } }, { b: 'b@1' }),
    ...pnpm('b@1', { name: 'b', version: '1.0.0', dependencies: { a: '2' } }, { a: 'a@2' }),
    ...pnpm('a@2', { name: 'a', version: '2.0.0', dependencies: { b: '2' } }, { b: 'b@2' }),
    ...pnpm('b@2', { name: 'b', version: '2.0.0', dependencies: { a: '1' } }, { a: 'a@1' }),
  }
  const error = await pack(await makeTree(tree)).catch((e) => e)
  expect(error.code).toBe('DEP_RELAY')
  expect(error.args.dependency).toMatch(/^[ab]$/)
})

test('Node resolves every require in the archive to the version that it found in the pnpm workspace', async () => {
  const show =
    "module.exports = { name: 'a', own: require('./package.json').version, c: require('c'), d: require('@s/d') }\n"
  const dir = await makeTree({
    'pnpm-workspace.yaml': 'packages: [apps/*, libs/*]\n',
    'apps/shop/zapp.json': '{"zapp":1,"name":"shop","version":"1.0.0","entry":{"type":"node","module":"app.js"}}',
    'apps/shop/app.js':
      "module.exports = (req, res) => res.end()\nmodule.exports.found = [require('a'), require('@acme/lib'), require('c')]\n",
    'apps/shop/package.json': { name: 'shop', dependencies: { a: '1', '@acme/lib': 'workspace:*', c: '2' } },
    'apps/shop/node_modules/a': { link: '../../../node_modules/.pnpm/a@1/node_modules/a' },
    'apps/shop/node_modules/c': { link: '../../../node_modules/.pnpm/c@2/node_modules/c' },
    'apps/shop/node_modules/@acme/lib': { link: '../../../../libs/lib' },
    'libs/lib/package.json': { name: '@acme/lib', version: '1.0.0', files: ['dist'], dependencies: { c: '1' } },
    'libs/lib/index.js': "module.exports = ['lib', require('c'), require('./dist/x')]\n",
    'libs/lib/dist/x.js': 'module.exports = 1\n',
    'libs/lib/src/x.ts': 'export {}\n',
    'libs/lib/node_modules/c': { link: '../../../node_modules/.pnpm/c@1/node_modules/c' },
    ...pnpm(
      'a@1',
      { name: 'a', version: '1.0.0', dependencies: { c: '1', '@s/d': '1' } },
      { c: 'c@1', '@s/d': '@s+d@1' },
    ),
    'node_modules/.pnpm/a@1/node_modules/a/index.js': show,
    ...pnpm('c@1', { name: 'c', version: '1.0.0' }),
    ...pnpm('c@2', { name: 'c', version: '2.0.0' }),
    ...pnpm('@s+d@1', { name: '@s/d', version: '1.0.0' }),
  })
  const target = join(await tmpDir(), 'shop')
  const { file } = await pack(join(dir, 'apps/shop'))
  const archive = await openArchive(file)
  await unpack(archive, target)
  const names = [...archive.entries.keys()]
  await archive.close()

  const found = (cwd: string) =>
    execFileSync(process.execPath, ['-p', "JSON.stringify(require('./app.js').found)"], { cwd, encoding: 'utf8' })
  expect(found(target)).toBe(found(join(dir, 'apps/shop')))
  expect(names.filter((name) => name.includes('@acme/lib/'))).toEqual([
    'node_modules/@acme/lib/',
    'node_modules/@acme/lib/dist/',
    'node_modules/@acme/lib/dist/x.js',
    'node_modules/@acme/lib/index.js',
    'node_modules/@acme/lib/node_modules/',
    'node_modules/@acme/lib/node_modules/c/',
    'node_modules/@acme/lib/node_modules/c/index.js',
    'node_modules/@acme/lib/node_modules/c/package.json',
    'node_modules/@acme/lib/package.json',
  ])
})
