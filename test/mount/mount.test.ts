import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import type { ResponseAnswer } from '../../src/mount/answer.ts'
import { createMount, type Mount } from '../../src/mount/mount.ts'
import { bodyBytes, header, request } from './helpers/answers.ts'
import { contentOf, makeArchive } from './helpers/make-archive.ts'
import { REQUEST_SITES, TREE } from './helpers/request-sites.ts'

const base = { zapp: 1, name: 'files', version: '1.0.0' }

async function mountOf(routes: object, more: object = {}): Promise<Mount> {
  const archive = await openArchive(makeArchive({ ...base, routes, ...more }, TREE))
  return createMount(archive, { entries: archive.manifest.entries.keys() })
}

const status = async (mount: Mount, target: string) => ((await mount.answer(request(target))) as ResponseAnswer).status

describe('entries', () => {
  test.each([
    ['a route', REQUEST_SITES.app, ['main'], 'api'],
    ['an else', REQUEST_SITES.app, ['api'], 'main'],
  ])('%s to one that the container cannot run is refused', async (_, manifest, entries, missing) => {
    const archive = await openArchive(makeArchive(manifest, TREE))
    await expect(createMount(archive, { entries })).rejects.toMatchObject({
      code: 'ENTRY_RUNTIME',
      args: { entry: missing, type: 'node' },
    })
  })

  test('an archive without any needs none', async () => {
    await createMount(await openArchive(makeArchive(REQUEST_SITES.site, TREE)))
  })
})

test('dot names have no URL even where a pattern names them, but for /.well-known', async () => {
  const mount = await mountOf({
    '/.config': { static: 'public/ten.txt' },
    '/.hidden/*': { static: 'public' },
    '/a/.b/*': { static: 'public' },
    '/.well-known/*': { static: 'public' },
    '/.well-known/exact': { static: 'public/ten.txt' },
  })
  expect(await status(mount, '/.config')).toBe(404)
  expect(await status(mount, '/.hidden/ten.txt')).toBe(404)
  expect(await status(mount, '/a/.b/ten.txt')).toBe(404)
  expect(await status(mount, '/.well-known/ten.txt')).toBe(200)
  expect(await status(mount, '/.well-known/exact')).toBe(200)
  expect(await status(mount, '/.well-known/.env')).toBe(404)
})

test('a folder whose name begins with that of another is another folder', async () => {
  const files = { 'pub/a.txt': 'a', 'public/b.txt': 'b', 'pub.txt': 'c' }
  const archive = await openArchive(makeArchive({ ...base, routes: { '/': { static: 'pub' } } }, files))
  const mount = await createMount(archive)
  expect(await status(mount, '/a.txt')).toBe(200)
  expect(await status(mount, '/b.txt')).toBe(404)
  expect(await status(mount, 'lic/b.txt')).toBe(400)
  expect(await status(mount, '/lic/b.txt')).toBe(404)
})

test('a name that looks encoded is reached in its own encoding only', async () => {
  const files = { 'public/a%2fb.txt': 'literal', 'public/a/b.txt': 'folder', 'public/%zz': 'odd' }
  const archive = await openArchive(makeArchive({ ...base, routes: { '/': { static: 'public' } } }, files))
  const mount = await createMount(archive)
  expect(await status(mount, '/a%2fb.txt')).toBe(400)
  expect(await status(mount, '/%zz')).toBe(400)
  expect(await status(mount, '/a%252fb.txt')).toBe(200)
  expect(await status(mount, '/%25zz')).toBe(200)
})

test('names that mean something to JavaScript are names', async () => {
  const files = { 'public/__proto__/x.txt': 'proto', 'public/constructor': 'constructor', 'public/x.txt': 'x' }
  const archive = await openArchive(makeArchive({ ...base, routes: { '/': { static: 'public' } } }, files))
  const mount = await createMount(archive)
  for (const [path, text] of [
    ['/__proto__/x.txt', 'proto'],
    ['/constructor', 'constructor'],
  ] as const) {
    const answer = (await mount.answer(request(path))) as ResponseAnswer
    expect((await bodyBytes(answer)).toString()).toBe(text)
  }
  for (const path of ['/__proto__', '/toString', '/hasOwnProperty', '/__proto__/toString']) {
    expect(await status(mount, path)).toBe(404)
  }
})

test('"4xx" is the page of every 4xx that has none of its own', async () => {
  const errors = { '4xx': 'spa/index.html', '404': 'errors/404.html' }
  const mount = await mountOf({ '/': { static: 'public' } }, { errors })
  const page = async (target: string, method = 'GET', headers = {}) => {
    const answer = (await mount.answer(request(target, headers, method))) as ResponseAnswer
    return [answer.status, (await bodyBytes(answer)).toString()]
  }
  const general = contentOf(TREE['spa/index.html']!).toString()
  expect(await page('/nothing')).toEqual([404, contentOf(TREE['errors/404.html']!).toString()])
  expect(await page('/..')).toEqual([400, general])
  expect(await page('/ten.txt', 'DELETE')).toEqual([405, general])
  expect(await page('/ten.txt', 'GET', { 'if-match': '"x"' })).toEqual([412, general])
  expect(await page('/ten.txt', 'GET', { range: 'bytes=99-' })).toEqual([416, general])
})

test('everything is looked up at mount: a request asks the archive for content only', async () => {
  const archive = await openArchive(makeArchive(REQUEST_SITES.site, TREE))
  let mounted = false
  const guarded = new Proxy(archive, {
    get(target, name) {
      if (mounted && name !== 'read' && name !== 'readRaw') throw new Error(`asked for ${String(name)}`)
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const mount = await createMount(guarded)
  mounted = true
  for (const target of ['/', '/docs', '/app.js', '/nothing', '/spa/x', '/old', '/one.pdf', '/hello', '/%zz']) {
    expect(await mount.answer(request(target, { 'accept-encoding': 'gzip' }))).toHaveProperty('status')
  }
})

describe('whatever is asked', () => {
  let site: Mount
  let app: Mount
  beforeAll(async () => {
    site = await createMount(await openArchive(makeArchive(REQUEST_SITES.site, TREE)))
    const archive = await openArchive(makeArchive(REQUEST_SITES.app, TREE))
    app = await createMount(archive, { entries: ['main', 'api'] })
  })

  const piece = fc.constantFrom(
    ...[
      '/',
      '/',
      '/',
      '.',
      '..',
      '%2e',
      '%2E%2e',
      '%2f',
      '%5c',
      '\\',
      ';',
      '%00',
      '%0a',
      '%ff',
      '%c0%ae',
      '%zz',
      '%',
      '%25',
      '?',
      '#',
      '*',
    ],
    ...[
      'docs',
      'public',
      'private',
      'secret.txt',
      'zapp.json',
      'ZAPP-INF',
      'contents.json',
      '.env',
      '.git',
      'config',
      'app.js',
      'index.html',
    ],
    ...[
      'assets',
      'spa',
      'hour',
      'shop',
      'raw',
      'api',
      'ten.txt',
      'caf%C3%A9',
      'x',
      '//',
      'http://shop.example',
      '::$DATA',
      ' ',
      '\u00e9',
    ],
  )
  const target = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`),
    fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join('')),
    fc.string({ unit: 'binary', maxLength: 40 }),
  )
  const headers = fc.record(
    {
      host: fc.constantFrom('shop.example', 'other.example', ''),
      range: fc.constantFrom('bytes=0-1', 'bytes=-1', 'bytes=9-1', 'bytes=0-,0-'),
      'accept-encoding': fc.constantFrom('gzip', 'br', '*', 'identity;q=0'),
      'if-none-match': fc.constantFrom('*', '"x"'),
      'if-match': fc.constantFrom('*', '"x"'),
    },
    { requiredKeys: [] },
  )
  const method = fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'OPTIONS', 'TRACE', 'CONNECT')
  const mountAt = fc.constantFrom('', '/shop', '/a/b', '/caf\u00e9')

  const STATUSES = new Set([200, 206, 301, 302, 304, 308, 400, 404, 405, 412, 416])
  const PRIVATE = Object.entries(TREE)
    .filter(([path]) => !/^(?:public|spa|papers|\.next)\//.test(path) || /\/\.(?!well-known\/security)/.test(path))
    .map(([, spec]) => contentOf(spec).toString('latin1'))

  test('the answer is one that we make on purpose, and never a private file', async () => {
    const property = fc.asyncProperty(target, headers, method, mountAt, async (raw, fields, verb, at) => {
      for (const mount of [site, app]) {
        const answer = await mount.answer({ method: verb, target: raw, mount: at, headers: new Headers(fields) })
        if (answer.kind === 'entry') {
          expect(answer.pathInfo).not.toMatch(/^\/\/|\/(?:\.|%2e){1,2}(?:[/;]|$)|[\x00-\x20]/i)
          expect(decodeURIComponent(answer.scriptName)).toMatch(new RegExp(`^${at}`))
          continue
        }
        expect(STATUSES).toContain(answer.status)
        expect(header(answer, 'location') ?? '/').toMatch(/^(?:\/(?![/\\])|https:\/\/other\.example\/)/)
        const body = await bodyBytes(answer)
        if (answer.body) expect(header(answer, 'content-length')).toBe(String(body.length))
        if (answer.status === 200 && body.length > 0) expect(PRIVATE).not.toContain(body.toString('latin1'))
      }
    })
    await fc.assert(property, { numRuns: 4000 })
  })
})
