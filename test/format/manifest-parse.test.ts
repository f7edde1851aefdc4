import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { describe as textOf } from '../../src/errors.ts'
import { parseManifest } from '../../src/format/manifest-parse.ts'
import { checkManifestPaths } from '../../src/format/manifest-paths.ts'

const FIXTURES = join(import.meta.dirname, '../../fixtures/manifests')
const read = (name: string) => readFileSync(join(FIXTURES, `${name}.json`))
const parse = (source: unknown) => parseManifest(new TextEncoder().encode(JSON.stringify(source, null, 2)))
const app = (more: object) => parse({ zapp: 1, name: 'shop', version: '1.2.0', ...more })

/** The tree that the fixtures of rule R22 are judged against. */
const TREE = ['app.js', 'notes.txt', 'public/index.html', 'public/404.html', 'cgi-bin/hello.pl']

function has(path: string): 'file' | 'dir' | undefined {
  if (TREE.includes(path)) return 'file'
  return TREE.some((file) => file.startsWith(`${path}/`)) ? 'dir' : undefined
}

describe('the examples', () => {
  test.each(['shop', 'notes', 'tools', 'site', 'desk', 'api'])('%s is accepted', (name) => {
    const { manifest, findings, text } = parseManifest(read(name))
    expect(findings).toEqual([])
    expect(manifest?.name).toBe(name)
    expect(manifest?.source).toEqual(JSON.parse(text))
  })

  test('shop: an Express app behind its static files', () => {
    const { manifest } = parseManifest(read('shop'))
    expect(manifest!.entries.get('main')).toEqual({
      ...{ name: 'main', type: 'node', module: 'app.js', env: {}, websocket: false },
    })
    expect(manifest!.routes.map(({ pattern, cache, target }) => [pattern.text, cache, target])).toEqual([
      ['/', { seconds: 3600 }, { kind: 'static', path: 'public', else: { entry: 'main' } }],
      ['/assets/*', 'immutable', { kind: 'static', path: 'public/assets' }],
    ])
    expect(manifest!.config.get('PAGE_SIZE')).toEqual({
      ...{ name: 'PAGE_SIZE', type: 'integer', required: false, secret: false, values: [], default: '20' },
    })
    expect(manifest!.health).toEqual({ path: '/healthz', timeout: 30_000 })
    expect(manifest!.welcome).toEqual(['index.html'])
    expect(manifest!.base).toBe('any')
  })

  test('tools: CGI scripts, the prefix stripped', () => {
    const { manifest } = parseManifest(read('tools'))
    expect(manifest!.entries.get('main')).toMatchObject({
      scripts: { dir: 'cgi-bin' },
      timeout: 30_000,
      concurrency: 8,
    })
    expect(manifest!.routes[0]).toMatchObject({ strip: true, target: { kind: 'entry', entry: 'main' } })
    expect(manifest!.dependencies.commands).toEqual(['perl'])
  })

  test('notes: commands, processes and workers', () => {
    const { manifest } = parseManifest(read('notes'))
    expect(manifest!.migrate).toEqual({ run: ['{python}', 'manage.py', 'migrate', '--noinput'], timeout: 300_000 })
    expect(manifest!.processes.get('mail')).toEqual({
      name: 'mail',
      run: ['{python}', 'manage.py', 'send_mail'],
      count: 1,
    })
    expect(manifest!.workers).toEqual({ processes: 2, threads: 4 })
    expect(manifest!.health?.host).toBe('notes.example')
  })
})

describe('rejected manifests', () => {
  test.each(readdirSync(join(FIXTURES, 'rejected')).map((file) => [file.replace(/\.json$/, '')]))('%s', (name) => {
    const [, code, rule] = /^([A-Z_]+)--(R[0-9]+)?/.exec(name)!
    const parsed = parseManifest(read(`rejected/${name}`))
    const { manifest, findings } = parsed
    const all = manifest ? checkManifestPaths(manifest, has, TREE, parsed) : findings

    expect(all[0]?.code).toBe(code)
    if (rule !== undefined && rule !== 'R21' && rule !== 'R22') expect(all[0]?.args.rule).toBe(rule)
    if (!name.includes('five-mistakes')) expect(all).toHaveLength(1)
    const isUndecoded = name.includes('--J2-')
    for (const f of all) expect(f.line === undefined && f.column === undefined).toBe(isUndecoded)
  })

  test('every rule has a fixture', () => {
    const rules = new Set(readdirSync(join(FIXTURES, 'rejected')).map((file) => /--([JR][0-9]+)/.exec(file)?.[1]))
    const numbered = [
      ...Array.from({ length: 23 }, (_, i) => `R${i + 1}`),
      ...[2, 3, 4, 5, 6, 7, 8].map((i) => `J${i}`),
    ]
    expect(numbered.filter((rule) => !rules.has(rule))).toEqual([])
  })

  test('five mistakes are five findings, each at its place, each with what to do', () => {
    const { findings } = parseManifest(read('rejected/MANIFEST_VALUE--five-mistakes'), { file: 'apps/zapp.json' })
    expect(findings.map(({ code, path, line, column }) => `${path}:${line}:${column} ${code}`)).toEqual([
      'apps/zapp.json:3:11 MANIFEST_VALUE',
      'apps/zapp.json:7:5 MANIFEST_UNKNOWN_KEY',
      'apps/zapp.json:12:16 MANIFEST_VALUE',
      'apps/zapp.json:14:5 MANIFEST_RULE',
      'apps/zapp.json:21:18 MANIFEST_RULE',
    ])
    expect(textOf(findings[1]!).message).toBe('"modul" is not a key here (did you mean "module"?)')
    expect(textOf(findings[4]!).message).toBe('a default must be a JSON number, like the variable, got "20" (rule R13)')
  })

  test('JSON, schema and rules report together', () => {
    const text = '{"zapp": 1.0, "name": "A", "version": "1.0.0", "routes": {"/a": {}, "/a": {}, "/*": {"static": "p"}}}'
    const { findings } = parseManifest(new TextEncoder().encode(text))
    expect(findings.map(({ code }) => code)).toEqual([
      'MANIFEST_NUMBER',
      'MANIFEST_VALUE',
      'MANIFEST_DUP_KEY',
      'MANIFEST_RULE',
      'MANIFEST_RULE',
    ])
  })

  test('one mistake is one finding: rules do not judge what the schema refused', () => {
    const mistakes = [
      { entry: 'app.js', routes: { '/': { entry: 'main' } } },
      { entry: { type: 'nod', module: 'a' }, routes: { '/': { entry: 'main', websocket: true } } },
      { entries: ['app.js'], routes: { '/': { entry: 'web' } } },
      { entri: { type: 'node', module: 'a' }, routes: { '/': { entry: 'main' } } },
      { routes: { '/': { static: 5 } } },
      { routes: { '/': { statik: 'public' } } },
      { entry: { type: 'cgi', dirr: 'cgi-bin' } },
      { entry: { type: 'node', modul: 'app.js' } },
      { config: { A: { type: 'enum', values: 'a', default: 'b' } } },
      { entry: { type: 'node', module: 'a' }, routes: { '/': 5 } },
      { data: { a: { path: 7 } }, processes: { p: { run: ['{data.a}'] } } },
      { processes: { p: { run: [1, '{node}'] } } },
      { workers: { threads: 1.5 } },
    ]
    const codes = mistakes.map((mistake) => app(mistake).findings.map(({ code }) => code))
    expect(codes.filter(({ length }) => length !== 1)).toEqual([])
  })

  test('a secret default is not shown', () => {
    const { findings } = app({ config: { KEY: { type: 'integer', secret: true, default: 'hunter2' } } })
    expect(findings.map(({ code }) => code)).toEqual(['MANIFEST_RULE', 'MANIFEST_RULE'])
    expect(JSON.stringify(findings)).not.toContain('hunter2')
  })

  test('too large, before anything is read', () => {
    const { findings, text } = parseManifest(new Uint8Array(2 ** 20 + 1).fill(0x20))
    expect(findings.map(({ code, args }) => [code, args])).toEqual([
      ['MANIFEST_TOO_LARGE', { limit: 2 ** 20, got: 2 ** 20 + 1 }],
    ])
    expect(text).toBe('')
    expect(parseManifest(read('shop'), { maxBytes: 100 }).findings[0]?.code).toBe('MANIFEST_TOO_LARGE')
  })

  test('whatever the JSON holds, there is a manifest or a finding', () => {
    const keys = [
      'entry',
      'entries',
      'routes',
      'config',
      'data',
      'health',
      '/',
      '/a/*',
      'main',
      'type',
      'static',
      'x-y',
    ]
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom(null, true, 0, 'node', 'cgi', '', '../x', 'public', '{data.a}'),
        fc.array(tie('any'), { maxLength: 2 }),
        fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string({ maxLength: 3 })), tie('any'), { maxKeys: 5 }),
      ),
    })).any
    fc.assert(
      fc.property(value, (more) => {
        const { manifest, findings } = app(typeof more === 'object' ? (more ?? {}) : {})
        expect(manifest === undefined).toBe(findings.length > 0)
      }),
      { numRuns: 1000 },
    )
  })
})

// Comparing every name with every other takes minutes here: then the time limit of the test is what fails.
describe('a megabyte of mistakes is reported in seconds', () => {
  const many = <T>(count: number, make: (index: number) => [string, T]) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => make(i)))

  test('data folders and paths', () => {
    const data = many(7000, (i) => [`d${i}`, { path: `d${i}` }])
    const routes = many(7000, (i) => [`/${i}`, { static: `d${i}/x` }])
    expect(app({ data, routes }).findings).toHaveLength(7000)
  })

  test('routes that name no entry', () => {
    const entries = many(8000, (i) => [`web${i}`, { type: 'node', module: 'a.js' }])
    const routes = many(10_000, (i) => [`/${i}`, { entry: `wab${i}` }])
    expect(app({ entries, routes }).findings).toHaveLength(10_000)
  })

  test('paths that are in no archive', () => {
    const parsed = app({ executable: Array.from({ length: 20_000 }, (_, i) => `folder/fil${i}.js`) })
    const names = Array.from({ length: 60_000 }, (_, i) => `folder/file${i}.js`)
    expect(checkManifestPaths(parsed.manifest!, () => undefined, names, parsed)).toHaveLength(20_000)
  })
})

describe('what is accepted', () => {
  test('keys that begin with "x-", in every object whose keys are fixed', () => {
    const x = { 'x-note': { anything: [null] } }
    const { findings } = app({
      ...x,
      entry: { type: 'node', module: 'app.js', ...x },
      routes: {
        '/': { static: 'public', else: { entry: 'main', ...x }, ...x },
        '/old': { redirect: { to: '/new', ...x }, ...x },
      },
      dependencies: { ...x, runtime: { node: '>=20', ...x }, provided: x },
      config: { A: { type: 'json', default: null, ...x } },
      data: { a: { path: 'a', ...x } },
      health: { path: '/', ...x },
      lifecycle: { ...x, migrate: { run: ['a'], ...x } },
      processes: { p: { run: ['{node}', 'p.js', '{data.a}', '{"json": 1}'], ...x } },
      workers: x,
    })
    expect(findings).toEqual([])
  })

  test('in headers and names "x-" begins a name like another', () => {
    const { manifest, findings } = app({
      entries: { 'x-web': { type: 'node', module: 'app.js' } },
      routes: { '/': { entry: 'x-web', headers: { 'x-frame-options': 'DENY' } } },
    })
    expect(findings).toEqual([])
    expect(manifest!.routes[0]).toMatchObject({ headers: [['x-frame-options', 'DENY']], target: { entry: 'x-web' } })
  })

  test('false where true would not be', () => {
    const routes = { '/': { static: 'public', strip: false, websocket: false } }
    expect(app({ routes }).findings).toEqual([])
  })

  test('reserved keys, named for those that must refuse them', () => {
    expect(app({ roles: { admin: {} }, services: { db: 'postgres' } }).manifest?.reserved).toEqual([
      'roles',
      'services',
    ])
    expect(app({}).manifest?.reserved).toEqual([])
  })

  test('a variable that two entries set, each for itself', () => {
    const env = { LEVEL: 'debug' }
    const entries = { a: { type: 'node', module: 'a.js', env }, b: { type: 'server', run: ['b'], env } }
    expect(app({ entries }).findings).toEqual([])
  })

  test.each([
    ['no route', undefined, [['/', { kind: 'entry', entry: 'main' }]]],
    [
      'other routes',
      { '/a': { static: 'a.txt' } },
      [
        ['/a', { kind: 'static', path: 'a.txt' }],
        ['/', { kind: 'entry', entry: 'main' }],
      ],
    ],
    [
      'a static root',
      { '/': { static: 'public' } },
      [['/', { kind: 'static', path: 'public', else: { entry: 'main' } }]],
    ],
    ['a route that names it', { '/api/*': { entry: 'main' } }, [['/api/*', { kind: 'entry', entry: 'main' }]]],
    [
      'an else that names it',
      { '/a/*': { static: 'a', else: { entry: 'main' } } },
      [['/a/*', { kind: 'static', path: 'a', else: { entry: 'main' } }]],
    ],
  ])('the shorthand entry with %s', (_, routes, expected) => {
    const { manifest } = app({ entry: { type: 'node', module: 'app.js' }, ...(routes && { routes }) })
    expect(manifest!.routes.map(({ pattern, target }) => [pattern.text, target])).toEqual(expected)
  })

  test('entries add no route', () => {
    expect(app({ entries: { main: { type: 'node', module: 'app.js' } } }).manifest!.routes).toEqual([])
  })

  test('upgrades are taken where the route or its entry says so', () => {
    const entries = { a: { type: 'node', module: 'a.js', websocket: true }, b: { type: 'node', module: 'b.js' } }
    const routes = {
      '/a': { entry: 'a' },
      '/a/no': { entry: 'a', websocket: false },
      '/b': { entry: 'b' },
      '/b/yes': { entry: 'b', websocket: true },
      '/': { static: 'public', else: { entry: 'a' } },
    }
    const { manifest } = app({ entries, routes })
    expect(manifest!.routes.map(({ websocket }) => websocket)).toEqual([true, true, false, true, true])
  })

  test('defaults as the text of a variable', () => {
    const config = {
      B: { type: 'boolean', default: false },
      J: { type: 'json', default: { a: [1, null] } },
      E: { type: 'enum', values: ['a', 'b'], default: 'b' },
      S: { type: 'string', default: '' },
      N: { type: 'json', default: null },
    }
    const { manifest } = app({ config })
    expect([...manifest!.config.values()].map((variable) => variable.default)).toEqual([
      'false',
      '{"a":[1,null]}',
      'b',
      '',
      'null',
    ])
  })
})

describe('paths against the archive', () => {
  const check = (more: object) => {
    const parsed = app(more)
    return checkManifestPaths(parsed.manifest!, has, TREE, parsed).map((f) => [f.line, f.column, f.args.hint])
  }

  test('a wrong case first, then a slip', () => {
    expect(check({ routes: { '/': { static: 'Public' } } })).toEqual([[7, 17, ' (did you mean "public"?)']])
    expect(check({ routes: { '/': { static: 'publik' } } })).toEqual([[7, 17, ' (did you mean "public"?)']])
    expect(check({ errors: { '404': 'public/40.html' } })).toEqual([[6, 12, ' (did you mean "public/404.html"?)']])
    expect(check({ entry: { type: 'node', module: 'main.mjs' } })).toEqual([[7, 15, '']])
  })

  test('folders and files are told apart; data folders may be absent', () => {
    expect(
      check({ routes: { '/': { static: 'public' }, '*.html': { static: 'public' }, '/a': { static: 'app.js' } } }),
    ).toEqual([])
    expect(check({ data: { a: { path: 'uploads' }, b: { path: 'public' } } })).toEqual([])
    expect(check({ executable: ['cgi-bin'] })).toEqual([[6, 5, ' (a folder; a file must stand here)']])
  })
})
