import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import type { ResponseAnswer } from '../../src/mount/answer.ts'
import { MemoryCache } from '../../src/mount/memory-cache.ts'
import { createMount } from '../../src/mount/mount.ts'
import { bodyBytes, header, request } from './helpers/answers.ts'
import { contentOf, makeArchive } from './helpers/make-archive.ts'
import { CountingSource, observed } from './helpers/observed.ts'

const MANIFEST = {
  zapp: 1,
  name: 'files',
  version: '1.0.0',
  routes: { '/': { static: 'public' } },
  errors: { '404': 'page.html', '5xx': 'broken.html' },
}
const line = 'the quick brown fox jumps over the lazy dog, '
/** Beyond what the archive reads in one piece; the numbers make every line another one. */
const long = Array.from({ length: 60_000 }, (_, i) => `${i} ${line}`).join('\n')
const FILES = {
  'page.html': { content: '<p>not here</p>', method: 'stored' },
  'broken.html': { content: '<p>broken</p>', method: 'stored' },
  'public/small.txt': { content: 'small and stored, small and stored', method: 'stored' },
  'public/small.js': { content: `// small\n${line.repeat(50)}`, method: 'deflate' },
  'public/large.js': { content: long, method: 'deflate' },
  'public/large.txt': { content: long.replaceAll('fox', 'cat'), method: 'stored' },
} as const

const get = async (mount: Awaited<ReturnType<typeof createMount>>, path: string, headers = {}, method = 'GET') =>
  (await mount.answer(request(path, headers, method))) as ResponseAnswer

/** Changes one byte in the middle of a file's stored bytes. */
async function damage(bytes: Buffer, path: string): Promise<Buffer> {
  const archive = await openArchive(bytes)
  const entry = archive.entries.get(path)!
  const broken = Buffer.from(bytes)
  const at = entry.dataOffset + (entry.compressedSize >> 1)
  broken.writeUInt8(broken.readUInt8(at) ^ 1, at)
  return broken
}

test.each([
  ['from memory', undefined],
  ['as streams', new MemoryCache(0)],
])('files and every kind of range, %s', async (_, memory) => {
  const { archive, streams } = observed(await openArchive(makeArchive(MANIFEST, FILES)))
  const mount = await createMount(archive, { ...(memory && { memory }) })
  for (const name of ['small.txt', 'small.js', 'large.js', 'large.txt'] as const) {
    const content = contentOf(FILES[`public/${name}`])
    expect((await bodyBytes(await get(mount, `/${name}`))).equals(content)).toBe(true)
    for (const coding of ['identity', 'gzip']) {
      const accept = { 'accept-encoding': coding }
      const full = await get(mount, `/${name}`, accept)
      const whole = await bodyBytes(full)
      expect(whole).toHaveLength(Number(header(full, 'content-length')))
      expect((header(full, 'content-encoding') === 'gzip' ? gunzipSync(whole) : whole).equals(content)).toBe(true)

      const last = whole.length - 1
      const spans = [
        [0, 0],
        [0, 4],
        [0, 9],
        [0, 10],
        [3, 12],
        [9, 10],
        [10, 10],
        [100, 70_000],
        [last - 8, last],
        [last - 7, last],
        [last, last],
        [0, last],
      ]
      for (const [start, end] of (spans as [number, number][]).filter(([first]) => first <= last)) {
        const part = await get(mount, `/${name}`, { ...accept, range: `bytes=${start}-${end}` })
        expect(header(part, 'content-range')).toBe(`bytes ${start}-${Math.min(end, last)}/${whole.length}`)
        expect((await bodyBytes(part)).equals(whole.subarray(start, end + 1))).toBe(true)
      }
    }
  }
  expect(streams.every((stream) => stream.destroyed)).toBe(true)
})

test('a small file is read once, however often it is asked for', async () => {
  const source = new CountingSource(makeArchive(MANIFEST, FILES))
  const mount = await createMount(await openArchive(source))
  source.count = 0
  await Promise.all(Array.from({ length: 20 }, () => get(mount, '/small.js', { 'accept-encoding': 'gzip' })))
  const once = source.count
  expect(once).toBeGreaterThan(0)
  for (const range of ['bytes=0-3', 'bytes=5-9']) await get(mount, '/small.js', { 'accept-encoding': 'gzip', range })
  await get(mount, '/small.js', { 'accept-encoding': 'gzip' }, 'HEAD')
  expect(source.count).toBe(once)
})

test('HEAD and 304 read nothing', async () => {
  const source = new CountingSource(makeArchive(MANIFEST, FILES))
  const mount = await createMount(await openArchive(source))
  source.count = 0
  for (const path of ['/small.js', '/large.js', '/large.txt']) {
    const head = await get(mount, path, {}, 'HEAD')
    expect(head).toMatchObject({ status: 200, body: null })
    expect(await get(mount, path, { 'if-none-match': header(head, 'etag') })).toMatchObject({ status: 304, body: null })
  }
  expect(source.count).toBe(0)
})

test('a large file is verified once, and after that only what is asked for is read', async () => {
  const source = new CountingSource(makeArchive(MANIFEST, FILES))
  const mount = await createMount(await openArchive(source))
  source.count = 0
  await bodyBytes(await get(mount, '/large.txt', { range: 'bytes=0-9' }))
  expect(source.count).toBeGreaterThan(long.length)
  source.count = 0
  await bodyBytes(await get(mount, '/large.txt', { range: 'bytes=1000000-1000009' }))
  expect(source.count).toBe(10)
})

test.each([
  ['small.txt', {}],
  ['small.js', {}],
  ['small.js', { 'accept-encoding': 'gzip' }],
  ['small.js', { range: 'bytes=0-0' }],
  ['large.txt', {}],
  ['large.txt', { range: 'bytes=0-0' }],
  ['large.js', {}],
  ['large.js', { 'accept-encoding': 'gzip' }],
  ['large.js', { 'accept-encoding': 'gzip', range: 'bytes=0-9' }],
])('damaged %s with %j is a 500 each time, and no byte of it', async (name, headers) => {
  const errors: [string, string][] = []
  const archive = await openArchive(await damage(makeArchive(MANIFEST, FILES), `public/${name}`))
  const mount = await createMount(archive, {
    onError: (error, where) => errors.push([(error as { code: string }).code, where]),
  })
  for (let i = 0; i < 3; i++) {
    const answer = await get(mount, `/${name}`, headers)
    expect(answer.status).toBe(500)
    expect((await bodyBytes(answer)).toString()).toBe('<p>broken</p>')
    expect(header(answer, 'etag')).toBeUndefined()
    expect(header(answer, 'content-encoding')).toBeUndefined()
  }
  expect(errors).toHaveLength(3)
  expect(
    errors.every(([code, where]) => /^(?:CRC|INFLATE|SIZE|DEFLATE_TRAILING)$/.test(code) && where === `public/${name}`),
  ).toBe(true)
  for (const other of ['small.txt', 'small.js', 'large.txt', 'large.js'].filter((n) => n !== name)) {
    expect((await get(mount, `/${other}`)).status).toBe(200)
  }
})

test('a damaged error page gives way to a line of text', async () => {
  const errors: string[] = []
  const archive = await openArchive(await damage(makeArchive(MANIFEST, FILES), 'page.html'))
  const mount = await createMount(archive, { onError: (_, where) => errors.push(where) })
  const answer = await get(mount, '/nothing')
  expect(answer.status).toBe(404)
  expect((await bodyBytes(answer)).toString()).toBe('404 Not Found\n')
  expect(errors).toEqual(['page.html'])
})

test('a disk that fails is a 500 too, and the file is there again when the disk is', async () => {
  const source = new CountingSource(makeArchive(MANIFEST, FILES))
  const mount = await createMount(await openArchive(source))
  source.failAfter = 0
  expect((await get(mount, '/small.js')).status).toBe(500)
  expect((await get(mount, '/large.js')).status).toBe(500)
  source.failAfter = Number.POSITIVE_INFINITY
  expect((await get(mount, '/small.js')).status).toBe(200)
  expect((await get(mount, '/large.js')).status).toBe(200)
})

test('the container can use the error pages for its own answers', async () => {
  const mount = await createMount(await openArchive(makeArchive(MANIFEST, FILES)))
  const answer = await mount.error(503, request('/', {}, 'POST'), [['Retry-After', '5']])
  expect(answer.status).toBe(503)
  expect(header(answer, 'retry-after')).toBe('5')
  expect((await bodyBytes(answer)).toString()).toBe('<p>broken</p>')
  const head = await mount.error(502, request('/', {}, 'HEAD'))
  expect(head).toMatchObject({ status: 502, body: null })
  expect(header(head, 'content-length')).toBe('13')
})

test('several mounts share one bound', async () => {
  const memory = new MemoryCache(64 * 1024)
  const mounts = await Promise.all(
    [1, 2, 3].map(async () => createMount(await openArchive(makeArchive(MANIFEST, FILES)), { memory })),
  )
  for (const mount of mounts) await get(mount, '/small.js')
  expect(memory.bytes).toBe(3 * contentOf(FILES['public/small.js']).length)
})
