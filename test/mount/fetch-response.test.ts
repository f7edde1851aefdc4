import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import type { ResponseAnswer } from '../../src/mount/answer.ts'
import { fetchRequest } from '../../src/mount/fetch-request.ts'
import { toResponse } from '../../src/mount/fetch-response.ts'
import { MemoryCache } from '../../src/mount/memory-cache.ts'
import { createMount } from '../../src/mount/mount.ts'
import { contentOf, makeArchive } from './helpers/make-archive.ts'
import { CountingSource, observed, settled } from './helpers/observed.ts'
import { REQUEST_SITES, TREE } from './helpers/request-sites.ts'

const SIZE = 16 * 1024 * 1024

async function fetcher(bytes: Uint8Array, memory?: MemoryCache) {
  const source = new CountingSource(bytes)
  const { archive, streams } = observed(await openArchive(source))
  const mount = await createMount(archive, { ...(memory && { memory }) })
  const fetch = async (url: string, init?: RequestInit) => {
    return toResponse((await mount.answer(fetchRequest(new Request(url, init), ''))) as ResponseAnswer)
  }
  return { fetch, source, streams }
}

describe('a Response', () => {
  test.each([
    ['from memory', undefined],
    ['as a stream', new MemoryCache(0)],
  ])('%s', async (_, memory) => {
    const { fetch } = await fetcher(makeArchive(REQUEST_SITES.site, TREE), memory)
    const plain = await fetch('http://shop.example/app.js?v=1')
    expect(plain.status).toBe(200)
    expect(plain.headers.get('content-length')).toBe('668')
    expect(await plain.text()).toBe(contentOf(TREE['public/app.js']!).toString())

    const zipped = await fetch('http://shop.example/app.js', { headers: { 'accept-encoding': 'gzip' } })
    expect(zipped.headers.get('content-encoding')).toBe('gzip')
    expect(gunzipSync(await zipped.arrayBuffer()).equals(contentOf(TREE['public/app.js']!))).toBe(true)
    expect(zipped.headers.get('vary')).toBe('Accept-Encoding')

    const part = await fetch('http://shop.example/ten.txt', { headers: { range: 'bytes=2-4' } })
    expect([part.status, await part.text()]).toEqual([206, '234'])
    expect((await fetch('http://shop.example/empty.txt')).body).not.toBeUndefined()
    expect(await (await fetch('http://shop.example/empty.txt')).text()).toBe('')
  })

  test('without a body', async () => {
    const { fetch } = await fetcher(makeArchive(REQUEST_SITES.site, TREE))
    const first = await fetch('http://shop.example/ten.txt')
    const again = await fetch('http://shop.example/ten.txt', {
      headers: { 'if-none-match': first.headers.get('etag')! },
    })
    expect([again.status, again.body]).toEqual([304, null])
    const head = await fetch('http://shop.example/ten.txt', { method: 'HEAD' })
    expect([head.status, head.body, head.headers.get('content-length')]).toEqual([200, null, '10'])
    const redirect = await fetch('http://shop.example/docs?a')
    expect([redirect.status, redirect.headers.get('location')]).toEqual([308, '/docs/?a'])
  })

  test('what a URL has normalised is a 404, or the file of the path that results', async () => {
    const { fetch } = await fetcher(makeArchive(REQUEST_SITES.site, TREE))
    expect((await fetch('http://shop.example/../zapp.json')).status).toBe(404)
    expect((await fetch('http://shop.example/docs/%2e%2e/zapp.json')).status).toBe(404)
    expect((await fetch('http://shop.example/docs/%2e%2e/ten.txt')).status).toBe(200)
    expect((await fetch('http://shop.example/docs%2fguide.html')).status).toBe(400)
  })
})

test('a stream is read as it is pulled, and ends when it is cancelled', async () => {
  const content = Buffer.alloc(SIZE, 'x')
  const manifest = { zapp: 1, name: 'large', version: '1.0.0', routes: { '/': { static: 'public' } } }
  const { fetch, source, streams } = await fetcher(
    makeArchive(manifest, { 'public/large.bin': { content, method: 'stored' } }),
  )
  const untouched = await fetch('http://shop.example/large.bin')
  source.count = 0
  streams.length = 0
  expect(await settled(() => source.count)).toBe(0)
  await untouched.body!.cancel()
  expect(streams).toHaveLength(0)

  const reader = (await fetch('http://shop.example/large.bin')).body!.getReader()
  const { value } = await reader.read()
  expect(value!.length).toBeGreaterThan(0)
  expect(await settled(() => source.count)).toBeLessThan(SIZE / 16)
  await reader.cancel()
  expect(streams[0]!.destroyed).toBe(true)
  expect(await settled(() => source.count)).toBeLessThan(SIZE / 16)

  expect(await (await fetch('http://shop.example/large.bin')).arrayBuffer()).toHaveProperty('byteLength', SIZE)
})

test('content that breaks in the middle is an error of the stream', async () => {
  const manifest = { zapp: 1, name: 'large', version: '1.0.0', routes: { '/': { static: 'public' } } }
  const { fetch, source } = await fetcher(
    makeArchive(manifest, { 'public/large.bin': { content: Buffer.alloc(SIZE, 'x'), method: 'stored' } }),
  )
  const response = await fetch('http://shop.example/large.bin')
  source.count = 0
  source.failAfter = SIZE / 2
  await expect(response.arrayBuffer()).rejects.toThrow('the disk is gone')
})
