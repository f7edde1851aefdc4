import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import { type BuildInfo, parseBuildInfo } from '../../src/archive/build-info.ts'
import type { ZappError } from '../../src/errors.ts'
import { pack } from '../../src/pack/pack.ts'
import { planPack } from '../../src/pack/plan.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { makeTree, type Tree } from './helpers/tree.ts'
import { makeWheels, sharedObject } from './helpers/wheel.ts'

const run = promisify(execFile)
const LOADER = join(import.meta.dirname, '../../python')

const MANIFEST = { zapp: 1, name: 'shop', version: '1.2.0', entry: { type: 'wsgi', app: 'app:application' } }
const APP = `import tinyweb, tinyweb.parts.page
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [tinyweb.parts.page.render(environ["PATH_INFO"]).encode()]
`

let wheels: string

/** A project whose requirements.txt takes packages from the folder of wheels only: no network. */
const project = (requirements: string, tree: Tree = {}, manifest: object = MANIFEST) =>
  makeTree({
    'zapp.json': manifest,
    'app.py': APP,
    'requirements.txt': `--no-index\n--find-links ${wheels}\n${requirements}\n`,
    ...tree,
  })

const problems = async (dir: string, target = {}) => {
  const error: ZappError = await planPack(dir, { target }).then(
    () => expect.fail('was planned'),
    (e) => e,
  )
  return error.findings.map(({ code, path, args }) => ({ code, path, ...args }))
}

beforeAll(async () => {
  wheels = await tmpDir()
  await makeWheels(wheels, [
    {
      name: 'tinyweb',
      version: '2.0',
      files: {
        'tinyweb/__init__.py': '',
        'tinyweb/tests/test_page.py': '',
        'tinyweb/parts/page.py': 'import escaping\ndef render(path): return escaping.html(path)\n',
      },
      metadata: [
        'License-Expression: BSD-3-Clause',
        'Requires-Dist: Escaping>=1',
        'Provides-Extra: more',
        'Requires-Dist: old; python_version < "3"',
        'Requires-Dist: extra-one; extra == "more"',
      ],
    },
    {
      name: 'escaping',
      files: { 'escaping.py': 'import html as h\ndef html(text): return h.escape(text)\n' },
      metadata: ['Classifier: License :: OSI Approved :: MIT License'],
    },
    { name: 'extra-one' },
    {
      name: 'fast',
      tags: 'cp311-cp311-manylinux2014_aarch64',
      files: { 'fast/_c.cpython-311-aarch64-linux-gnu.so': sharedObject(183), 'fast/__init__.py': '' },
    },
    { name: 'clash', files: { 'escaping.py': 'other\n', 'tinyweb/__init__.py': '' } },
    { name: 'modern', metadata: ['Requires-Dist: modern-help; python_version >= "3.12"'] },
    { name: 'modern-help' },
    { name: 'strict', metadata: ['Requires-Dist: escaping<1'] },
  ])
})

test('an app packs with its dependencies, the loader and what starts it, and runs by itself', async () => {
  const dir = await project('tinyweb[more]', {
    'tests/__pycache__/x.pyc': 'x',
    '.venv/pyvenv.cfg': '',
    'env/pyvenv.cfg': '',
    'shop.egg-info/PKG-INFO': '',
    '.zappignore': '/ZAPP-INF/lib/*/tests/\n',
  })
  const first = await pack(dir, { out: join(dir, 'a.zapp') })
  const second = await pack(dir, { out: join(dir, 'b.zapp') })
  expect(second.digest).toBe(first.digest)
  expect(first.warnings).toEqual([])
  expect(first.plan.leftOut.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['.venv/', 'env/', 'shop.egg-info/']),
  )

  const archive = await openArchive(first.file)
  const names = [...archive.entries.keys()] as string[]
  expect(names).toEqual(
    expect.arrayContaining([
      '__main__.py',
      'ZAPP-INF/lib/',
      'ZAPP-INF/lib/tinyweb/parts/',
      'ZAPP-INF/lib/tinyweb/parts/page.py',
      'ZAPP-INF/lib/tinyweb-2.0.dist-info/METADATA',
      'ZAPP-INF/lib/extra_one.py',
      'ZAPP-INF/lib/zapp/__init__.py',
      'ZAPP-INF/lib/zapp/_tables/errors.json',
    ]),
  )
  expect(names.filter((name) => /__pycache__|\.pyc$|modern|\/tests\/|^ZAPP-INF\/$/.test(name))).toEqual([])
  const build = await buildOf(archive)
  expect(build.packages.map(({ name, version, path, license }) => [name, version, path, license])).toEqual([
    ['escaping', '1.0.0', 'ZAPP-INF/lib/escaping-1.0.0.dist-info', 'MIT License'],
    ['extra-one', '1.0.0', 'ZAPP-INF/lib/extra_one-1.0.0.dist-info', undefined],
    ['tinyweb', '2.0', 'ZAPP-INF/lib/tinyweb-2.0.dist-info', 'BSD-3-Clause'],
    ['zapp', expect.any(String), 'ZAPP-INF/lib/zapp', 'MIT'],
  ])
  const bom = JSON.parse(Buffer.from(await archive.read(archive.entries.get('ZAPP-INF/sbom.cdx.json')!)).toString())
  const needs = Object.fromEntries(
    bom.dependencies.map((d: { ref: string; dependsOn?: string[] }) => [d.ref, d.dependsOn]),
  )
  expect(needs['shop@1.2.0']).toEqual(['pkg:pypi/tinyweb@2.0'])
  expect(needs['pkg:pypi/tinyweb@2.0']).toEqual(['pkg:pypi/escaping@1.0.0', 'pkg:pypi/extra-one@1.0.0'])
  await archive.close()
  expect(first.report.map((row) => row.package)).toEqual(
    expect.arrayContaining(['tinyweb@2.0', expect.stringMatching(/^zapp@/)]),
  )

  // The loader of this tree, the one in the archive, and none at all.
  const script =
    'import zapp, sys; from wsgiref.util import setup_testing_defaults as s; e = {"PATH_INFO": "/<a>"}; s(e); print(b"".join(zapp.load(sys.argv[1], cache=sys.argv[2])(e, lambda s, h: None)))'
  const cache = await tmpDir()
  const python = (env: object, ...args: string[]) => run('python3', args, { env: { ...process.env, ...env } })
  const loaded = await python({ PYTHONPATH: LOADER }, '-c', script, first.file, join(cache, 'a'))
  expect(loaded.stdout.trim()).toBe("b'/&lt;a&gt;'")
  const embedded = await python(
    { PYTHONPATH: `${first.file}/ZAPP-INF/lib` },
    '-c',
    script,
    first.file,
    join(cache, 'b'),
  )
  expect(embedded.stdout.trim()).toBe("b'/&lt;a&gt;'")
  const plain =
    'from wsgiref.util import setup_testing_defaults as s; from app import application; e = {"PATH_INFO": "/<a>"}; s(e); print(b"".join(application(e, lambda s, h: None)))'
  const alone = await python({ PYTHONPATH: `${first.file}:${first.file}/ZAPP-INF/lib` }, '-c', plain)
  expect(alone.stdout.trim()).toBe("b'/&lt;a&gt;'")
})

test('native wheels for another Python and platform: the need is recorded, and refused before anything is unpacked', async () => {
  const dir = await project('fast', { 'app.py': 'def application(environ, start_response): pass\n' })
  const { file } = await pack(dir, { target: { python: '3.11', platforms: ['manylinux2014_aarch64'] } })
  const archive = await openArchive(file)
  expect((await buildOf(archive)).native).toEqual([
    {
      path: 'ZAPP-INF/lib/fast/_c.cpython-311-aarch64-linux-gnu.so',
      package: 'ZAPP-INF/lib/fast-1.0.0.dist-info',
      kind: 'addon',
      platform: 'linux',
      arch: 'arm64',
      python: 'cp311',
      libc: 'glibc',
    },
  ])
  await archive.close()
  const script = 'import zapp, sys; zapp.load(sys.argv[1], cache=sys.argv[2])'
  const cache = join(await tmpDir(), 'cache')
  const refused = await run('python3', ['-c', script, file, cache], {
    env: { ...process.env, PYTHONPATH: LOADER },
  }).catch((e) => e)
  expect(refused.stderr).toMatch(/fast-1\.0\.0.*was built for.*linux-arm64/)
})

test('what a marker asks for on the target counts, not what it says here', async () => {
  const dir = await project('modern')
  const here = await planPack(dir, { target: { python: '3.11' } })
  expect(here.packages.map(({ name }) => name)).toEqual(['modern', 'zapp'])
  const there = await planPack(dir, { target: { python: '3.12' } })
  expect(there.packages.map(({ name }) => name)).toEqual(['modern', 'modern-help', 'zapp'])
})

test('all that is wrong with dependencies is told with its code', async () => {
  expect(await problems(await project('absent==1.0'))).toMatchObject([
    { code: 'WHEEL_MISSING', package: 'absent==1.0' },
  ])
  const [apart] = await problems(await project('strict\nescaping==1.0.0'))
  expect(apart).toMatchObject({
    code: 'DEP_FETCH',
    reason: expect.stringMatching(/^Cannot install (?:strict|escaping==1\.0\.0) and /),
  })
  expect(await problems(await project('clash\ntinyweb'))).toMatchObject([
    { code: 'WHEEL_CONFLICT', path: 'ZAPP-INF/lib/escaping.py', package: 'escaping 1.0.0', other: 'clash 1.0.0' },
  ])
  expect(await problems(await project('-e ../x\n./y'))).toMatchObject([{ code: 'DEP_SOURCE' }, { code: 'DEP_SOURCE' }])
  const pipenv = await makeTree({ 'zapp.json': MANIFEST, 'app.py': '', Pipfile: '[packages]\nflask = "*"\n' })
  expect(await problems(pipenv)).toMatchObject([{ code: 'DEP_LOCK', path: 'Pipfile' }])
  const ranged = { ...MANIFEST, dependencies: { runtime: { python: '>=3.99' } } }
  expect(await problems(await project('tinyweb', {}, ranged))).toMatchObject([
    { code: 'NEED_RUNTIME', expected: '>=3.99' },
  ])
})

test('PACK_PYTHON: a machine without Python packs what needs no packages, and says what else it needs', async () => {
  const path = process.env.PATH
  process.env.PATH = await tmpDir()
  try {
    expect(await problems(await project('tinyweb'))).toMatchObject([{ code: 'PACK_PYTHON' }])
    const dir = await project('# nothing')
    expect((await planPack(dir)).packages.map(({ name }) => name)).toEqual(['zapp'])
  } finally {
    process.env.PATH = path
  }
})

test('a package that the container provides stays out', async () => {
  const manifest = { ...MANIFEST, dependencies: { provided: { python: ['Escaping'] } } }
  const plan = await planPack(await project('tinyweb', {}, manifest))
  expect(plan.packages.map(({ name }) => name)).toEqual(['tinyweb', 'zapp'])
})

test('pip and Python never see the project: its json.py and pip.py are not run', async () => {
  const trap = {
    'json.py': 'raise SystemExit("ran")',
    'pip.py': 'raise SystemExit("ran")',
    'setup.py': 'raise SystemExit("ran")',
  }
  const dir = await project('tinyweb\n-e .', trap)
  mkdirSync(join(dir, 'pip'))
  writeFileSync(join(dir, 'pip/__main__.py'), 'raise SystemExit("ran")')
  const before = process.cwd()
  process.chdir(dir)
  try {
    expect((await planPack('.')).packages.map(({ name }) => name)).toEqual(['escaping', 'tinyweb', 'zapp'])
  } finally {
    process.chdir(before)
  }
})

async function buildOf(archive: Awaited<ReturnType<typeof openArchive>>): Promise<BuildInfo> {
  return parseBuildInfo(await archive.read(archive.entries.get('ZAPP-INF/build.json')!))!
}
