import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { REJECTED } from '../../fixtures/make/rejected/all.ts'
import { openArchive } from '../../src/archive/archive.ts'
import { formatBuildInfo } from '../../src/archive/build-info.ts'
import { compress } from '../../src/archive/compress.js'
import { type RemoteOptions, readRemote } from '../../src/archive/remote.ts'
import { writeArchive } from '../../src/archive/writer.ts'
import type { ZappError } from '../../src/errors.ts'
import { serveFile } from '../helpers/range-server.ts'
import { tmpDir } from '../helpers/tmp.ts'

const FIXTURES = join(import.meta.dirname, '../../fixtures')
const ACCEPTED = readdirSync(join(FIXTURES, 'accepted')).filter((name) => name.endsWith('.zapp'))
const TAIL = 131_072
const MANIFEST = { zapp: 1, name: 'shop', version: '1.2.0', routes: { '/': { static: 'public' } } }
const BUILD = {
  v: 1,
  packer: { name: 'zapp', version: '0.1.0' },
  packages: [{ name: 'left', version: '1.0.0', path: 'node_modules/left', license: 'MIT' }],
  native: [],
} as const

/** An archive of `count` files of `size` random bytes, with a build.json. */
async function make(count: number, size: number): Promise<Buffer> {
  const target = `${await tmpDir()}/shop.zapp`
  await writeArchive(target, async (writer) => {
    await writer.text('zapp.json', Buffer.from(JSON.stringify(MANIFEST)))
    await writer.folder('public/')
    for (let i = 0; i < count; i++) {
      const path = `public/${String(i).padStart(5, '0')}-${'x'.repeat(40)}.bin`
      await writer.file({ path, mode: 0o644, ...compress(randomBytes(size), false) })
    }
    await writer.text('ZAPP-INF/build.json', formatBuildInfo(BUILD))
  })
  return readFile(target)
}

let small: Buffer
let large: Buffer
beforeAll(async () => {
  small = await make(100, 10_000)
  large = await make(3000, 300)
})

async function rejection(url: string, options: RemoteOptions = {}): Promise<ZappError> {
  const error = await readRemote(url, options).then(
    () => undefined,
    (error) => error,
  )
  if (error === undefined) throw new Error('it was read')
  return error
}

describe('readRemote', () => {
  it('knows of an archive of 1 MB what opening it tells, from two requests and a fraction of the bytes', async () => {
    const server = await serveFile(small)
    const remote = await readRemote(server.url)
    const local = await openArchive(small)
    expect(small.length).toBeGreaterThan(1_000_000)
    expect(remote.bytes).toBe(small.length)
    expect(remote.manifest).toEqual(local.manifest)
    expect(remote.manifestText).toBe(local.manifestText)
    expect([...remote.entries]).toEqual([...local.entries])
    expect(remote.contentDigest).toBe(local.contentDigest)
    expect(remote.findings).toEqual([])
    expect(remote.build).toEqual(BUILD)

    expect(server.hits.map(({ status, headers }) => [status, headers.range, headers['accept-encoding']])).toEqual([
      [206, `bytes=-${TAIL}`, 'identity'],
      [206, expect.stringMatching(/^bytes=0-\d+$/), 'identity'],
    ])
    const sent = server.hits.reduce((sum, { bytes }) => sum + bytes, 0)
    expect({ requests: remote.requests, received: remote.received }).toEqual({ requests: 2, received: sent })
    const manifest = local.entries.get('zapp.json')!
    expect(sent).toBe(TAIL + manifest.dataOffset + manifest.compressedSize)
  })

  it('reads a larger directory and its metadata, each byte once, and nothing of the files', async () => {
    const server = await serveFile(large)
    const remote = await readRemote(server.url)
    const local = await openArchive(large)
    expect([...remote.entries]).toEqual([...local.entries])
    const manifest = local.entries.get('zapp.json')!
    const metadata = large.length - local.entries.get('ZAPP-INF/build.json')!.localOffset
    expect(metadata).toBeGreaterThan(3 * TAIL)
    expect(server.hits.map(({ bytes }) => bytes).reduce((a, b) => a + b)).toBe(
      metadata + manifest.dataOffset + manifest.compressedSize,
    )
    expect(server.hits).toHaveLength(4)
  })

  it('takes a file that is no larger than the first request in one answer, from any server', async () => {
    const bytes = await make(3, 100)
    const server = await serveFile(bytes)
    expect(await readRemote(server.url)).toMatchObject({ bytes: bytes.length, requests: 1, received: bytes.length })
    server.before = (_, res) => {
      res.end(bytes)
      return true
    }
    expect(await readRemote(server.url)).toMatchObject({ bytes: bytes.length, requests: 1, received: bytes.length })
  })

  it('follows redirects, once for all requests', async () => {
    const server = await serveFile(small)
    server.before = (req, res) => {
      const step = Number(/\/step(\d)/.exec(req.url ?? '')?.[1] ?? 0)
      if (step > 0)
        res.writeHead([301, 302, 303, 307, 308][step % 5]!, { Location: step > 1 ? `/step${step - 1}` : '/real' }).end()
      return step > 0
    }
    await readRemote(new URL('/step5', server.url).href)
    expect(server.hits.map(({ url }) => url)).toEqual([
      '/step5',
      '/step4',
      '/step3',
      '/step2',
      '/step1',
      '/real',
      '/real',
    ])
    expect(await rejection(new URL('/step6', server.url).href)).toMatchObject({ code: 'URL_REDIRECT' })
    server.before = (_, res) => !!res.writeHead(302, { Location: 'file:///etc/passwd' }).end()
    expect(await rejection(server.url)).toMatchObject({ code: 'URL_REDIRECT', args: { got: 'file:///etc/passwd' } })
  })

  it('says what a server does that has no ranges, other ranges, or encodes', async () => {
    const server = await serveFile(small)
    const answers: Record<string, [status: number, headers: Record<string, string>, body: Buffer | string]> = {
      'the whole file': [200, { 'Content-Length': String(small.length) }, small],
      'more bytes than were asked for': [
        206,
        { 'Content-Range': `bytes 0-${small.length - 1}/${small.length}` },
        small,
      ],
      'Content-Encoding gzip': [
        206,
        { 'Content-Encoding': 'gzip', 'Content-Range': `bytes 0-9/${small.length}` },
        'x'.repeat(10),
      ],
      'Content-Range missing': [206, { 'Content-Type': 'multipart/byteranges; boundary=x' }, '--x'],
      [`10 bytes as bytes 0-9/${small.length}`]: [
        206,
        { 'Content-Range': `bytes 0-9/${small.length}` },
        'x'.repeat(10),
      ],
      [`3 bytes as bytes ${small.length - TAIL}-${small.length - 1}/${small.length}`]: [
        206,
        { 'Content-Range': `bytes ${small.length - TAIL}-${small.length - 1}/${small.length}` },
        'abc',
      ],
    }
    for (const [what, [status, headers, body]] of Object.entries(answers)) {
      server.before = (_, res) => !!res.writeHead(status, headers).end(body)
      expect(await rejection(server.url)).toMatchObject({ code: 'URL_RANGES', args: { what } })
    }
    // Without a length it is noticed when there are too many.
    server.before = (_, res) => !!res.end(small)
    expect(await rejection(server.url)).toMatchObject({ code: 'URL_RANGES' })
    // Only later.
    server.hits.length = 0
    server.before = (_, res, index) => index === 1 && !!res.end(small)
    expect(await rejection(server.url)).toMatchObject({ code: 'URL_RANGES' })
  })

  it.each([
    ['an ETag, which is demanded', { ETag: '"1"' }, { ETag: '"2"' }, 'state', { 'if-match': '"1"' }],
    ['a weak ETag, which is compared', { ETag: 'W/"1"' }, { ETag: 'W/"2"' }, 'ETag', {}],
    [
      'a date',
      { 'Last-Modified': 'Sun, 01 Mar 2026 10:00:00 GMT' },
      { 'Last-Modified': 'Sun, 01 Mar 2026 10:00:01 GMT' },
      'date',
      { 'if-unmodified-since': 'Sun, 01 Mar 2026 10:00:00 GMT' },
    ],
    ['the size', {}, {}, 'size', {}],
  ] as const)('notices that the file has changed, by %s', async (_, before, after, what, condition) => {
    const server = await serveFile(small)
    server.file = { bytes: small, headers: { ...before } }
    server.before = (_, __, index) => {
      if (index === 1)
        server.file = { bytes: what === 'size' ? Buffer.concat([small, small]) : small, headers: { ...after } }
      return false
    }
    expect(await rejection(server.url)).toMatchObject({ code: 'URL_CHANGED', args: { what } })
    expect(server.hits).toHaveLength(2)
    expect(server.hits[1]?.headers).toMatchObject(condition)
  })

  it('passes on what the server says, and why it cannot be reached', async () => {
    const server = await serveFile(small)
    for (const status of [401, 404, 416, 500]) {
      server.before = (_, res) => !!res.writeHead(status).end('x'.repeat(100_000))
      expect(await rejection(server.url)).toMatchObject({ code: 'URL_STATUS', args: { got: status } })
    }
    server.before = (req) => !!req.socket.destroy()
    expect(await rejection(server.url)).toMatchObject({
      code: 'URL_UNREACHABLE',
      args: { reason: 'other side closed' },
    })
    server.before = (req, res) => {
      res.writeHead(206, { 'Content-Range': 'bytes 0-9/10', 'Content-Length': 10 })
      res.write('abc', () => req.socket.destroy())
      return true
    }
    expect(await rejection(server.url)).toMatchObject({ code: 'URL_UNREACHABLE' })
    expect(await rejection('http://127.0.0.1:1/')).toMatchObject({ code: 'URL_UNREACHABLE' })
    for (const url of ['ftp://apps.example/a', 'http://me:secret@apps.example/', 'http://']) {
      expect(await rejection(url)).toMatchObject({ code: 'USAGE' })
    }
  })

  it('gives up on a server that says nothing, and stops when it is told to', async () => {
    const server = await serveFile(small)
    server.before = () => true
    expect(await rejection(server.url, { timeoutMs: 50 })).toMatchObject({ args: { reason: 'no data for 0.05 s' } })
    server.before = (_, res) => {
      res.writeHead(206, { 'Content-Range': 'bytes 0-9/10', 'Content-Length': 10 }).write('abc')
      return true
    }
    expect(await rejection(server.url, { timeoutMs: 50 })).toMatchObject({ code: 'URL_UNREACHABLE' })
    const stop = new AbortController()
    server.before = () => {
      stop.abort('SIGINT')
      return true
    }
    expect(await rejection(server.url, { signal: stop.signal })).toBe('SIGINT')
  })

  it('refuses a layout that the directory or the headers it reads give away', async () => {
    const record = small.lastIndexOf('PK\x01\x02')
    const wrong: Record<string, (bytes: Buffer) => Buffer> = {
      TOO_SHORT: () => Buffer.alloc(0),
      EOCD_NOT_AT_END: (bytes) => bytes.subarray(0, -1),
      LAYOUT: (bytes) => bytes.fill(0, record + 42, record + 46),
      LFH_MISMATCH: (bytes) => bytes.fill(0xff, 14, 18),
      CRC: (bytes) => bytes.fill('x', 50, 60),
    }
    for (const [code, change] of Object.entries(wrong)) {
      expect(await outcome(change(Buffer.from(small)))).toBe(code)
    }
  })

  it.each(ACCEPTED)('reads %s as openArchive does', async (name) => {
    const bytes = await readFile(join(FIXTURES, 'accepted', name))
    const [remote, local] = [await readRemote((await serveFile(bytes)).url), await openArchive(bytes)]
    expect([...remote.entries]).toEqual([...local.entries])
    expect([remote.manifestText, remote.contentDigest]).toEqual([local.manifestText, local.contentDigest])
  })

  it('refuses what must be refused, with the same code, but for what only other bytes give away', async () => {
    // Content, and local headers: of the entries that are not read.
    const hidden = /^(CRC|SIZE|INFLATE|DEFLATE_TRAILING|INDEX_MISMATCH--crc|LFH_MISMATCH|EXTRA|DATA_DESCRIPTOR)/
    for (const fixture of REJECTED.filter(({ large }) => !large)) {
      const name = `${fixture.code}--${fixture.why}`
      const found = await outcome(fixture.make())
      if (found !== fixture.code)
        expect([name, found]).toEqual([expect.stringMatching(hidden), expect.stringMatching(/^(read|LAYOUT)$/)])
    }
  })
})

/** The code it is refused with, "read" without one. */
async function outcome(bytes: Uint8Array): Promise<string> {
  return readRemote((await serveFile(Buffer.from(bytes))).url).then(
    ({ findings }) => findings.find(({ severity }) => severity === 'error')?.code ?? 'read',
    (error) => error.code ?? String(error),
  )
}
