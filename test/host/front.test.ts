import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AccessRecord } from '../../src/host/access-log.ts'
import type { Deployment } from '../../src/host/deployment.ts'
import { Front } from '../../src/host/front.ts'
import { refusal } from '../../src/host/reply.ts'
import { open, parseResponse, readAll, sendRaw } from './raw.ts'

/** What the app was given, as it came back from it. */
interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string>
  readonly distinct: Record<string, string[]>
  readonly raw: string[]
  readonly body: string
}

let waiting: ServerResponse[] = []

/** Answers with what it was given; `/wait` is answered when a test says so. */
const echo: Pick<Deployment, 'handle' | 'upgrade'> = {
  handle(req, res) {
    if (req.url === '/wait') {
      waiting.push(res)
      return
    }
    let body = ''
    req.on('data', (chunk) => {
      body += chunk
    })
    req.on('end', () => res.end(JSON.stringify(seen(req, body))))
  },
  upgrade(_req, socket) {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    socket.on('data', (chunk) => socket.write(chunk))
    socket.on('end', () => socket.end())
  },
}

const seen = (req: IncomingMessage, body: string): Seen => ({
  method: req.method ?? '',
  url: req.url ?? '',
  headers: req.headers as Record<string, string>,
  distinct: req.headersDistinct as Record<string, string[]>,
  raw: req.rawHeaders,
  body,
})

/** Its processes take no connection now: all is answered here. A request that is alone on its connection is read without Node. */
const deployment = { ...echo, connections: { take: () => false } } as unknown as Deployment

let records: AccessRecord[] = []
const front = new Front({
  find: (path) =>
    path.startsWith('/none') ? refusal(404, 'None.') : { app: { id: '/app', version: '1.0.0' }, deployment },
  log: (record) => records.push(record),
})
let port = 0

beforeAll(async () => {
  await front.listen([{ host: '127.0.0.1', port: 0 }])
  port = front.listeners[0]?.port ?? 0
})
afterAll(async () => {
  front.cut()
  await front.close()
})

const HOST = 'Host: localhost\r\n'
const get = (target: string, fields = '') => `GET ${target} HTTP/1.1\r\n${HOST}Connection: close\r\n${fields}\r\n`
const statusOf = async (...parts: string[]) => parseResponse(await sendRaw(port, ...parts)).status
const seenBy = async (...parts: string[]) => JSON.parse(parseResponse(await sendRaw(port, ...parts)).body) as Seen

describe('requests that never reach an app', () => {
  const many = Array.from({ length: 99 }, (_, i) => `X-${i}: 1\r\n`).join('')
  const rows: readonly (readonly [id: string, bytes: string, status: number])[] = [
    ['Q01 two Hosts', `GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n`, 400],
    ['Q01 a Host that is none', `GET / HTTP/1.1\r\nHost: a/../b@c\r\n\r\n`, 400],
    ['Q01 a Host with a path', `GET / HTTP/1.1\r\nHost: a/b\r\n\r\n`, 400],
    ['Q01 an empty Host', `GET / HTTP/1.1\r\nHost:\r\n\r\n`, 400],
    ['Q01 no Host', `GET / HTTP/1.1\r\n\r\n`, 400],
    ['two Content-Types', `GET / HTTP/1.1\r\n${HOST}Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n`, 400],
    [
      'Q02 length and chunked',
      `POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ['Q02 two lengths', `POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`, 400],
    ['Q02 a length with a sign', `POST / HTTP/1.1\r\n${HOST}Content-Length: +5\r\n\r\nhello`, 400],
    ['Q02 chunked is not last', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`, 400],
    ['Q02 obs-fold', `GET / HTTP/1.1\r\n${HOST}X-A: b\r\n c\r\n\r\n`, 400],
    ['Q02 a space before the colon', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`, 400],
    [
      'Q02 a bad chunk size',
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n`,
      400,
    ],
    ['a coding before chunked', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, 501],
    ['Q03 HTTP/1.0 and chunked', `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    ['Q03 HTTP/2.0', `GET / HTTP/2.0\r\n${HOST}\r\n`, 505],
    ['Q03 the preface of HTTP/2', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`, 505],
    ['Q03 HTTP/1.2', `GET / HTTP/1.2\r\n${HOST}\r\n`, 505],
    ['Q07 Connection names Content-Length', `GET / HTTP/1.1\r\n${HOST}Connection: close, Content-Length\r\n\r\n`, 400],
    ['Q07 Connection names Host', `GET / HTTP/1.1\r\n${HOST}Connection: Host\r\n\r\n`, 400],
    ['Q10 101 fields', `GET / HTTP/1.1\r\n${HOST}A: 1\r\n${many}\r\n`, 431],
    ['Q10 20 KB of fields', `GET / HTTP/1.1\r\n${HOST}A: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['Q10 a target of 8 KiB and one', get(`/${'x'.repeat(8192)}`), 414],
    ['Q14 TRACE', `TRACE / HTTP/1.1\r\n${HOST}\r\n`, 405],
    ['Q14 TRACK', `TRACK / HTTP/1.1\r\n${HOST}\r\n`, 501],
    ['Q14 a method that nobody knows', `BREW / HTTP/1.1\r\n${HOST}\r\n`, 501],
    ['an expectation that nobody knows', `POST / HTTP/1.1\r\n${HOST}Expect: a-pony\r\n\r\n`, 417],
    ['P01 a dot segment', get('/a/../b'), 400],
    ['P02 an encoded dot segment', get('/a/%2e%2e/b'), 400],
    ['P10 two slashes', get('//evil/x'), 400],
    ['P10 a slash and a backslash', get('/\\evil'), 400],
    ['P11 an absolute target of another host', get('http://other/x'), 400],
    ['P11 an absolute target with user and password', get('http://a:b@localhost/x'), 400],
    ['P12 GET *', get('*'), 400],
    ['P12 CONNECT', `CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n`, 405],
    ['P12 a fragment', get('/a#b'), 400],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 501],
  ]

  const alone = rows
    .filter(([, bytes]) => bytes.startsWith('GET') && !bytes.includes('Connection'))
    .map(
      ([id, bytes, status]) => [`${id}, alone`, bytes.replace(/\r\n$/, 'Connection: close\r\n\r\n'), status] as const,
    )

  it.each([...rows, ...alone])('%s', async (_id, bytes, status) => {
    records = []
    const text = await sendRaw(port, bytes)
    expect(parseResponse(text).status).toBe(status)
    expect(parseResponse(text).headers.connection).toBe('close')
    // One answer, one line: nothing behind the first request was read as a second one.
    expect(text.match(/^HTTP\/1\.1 [0-9]/gm)).toHaveLength(1)
    expect(records).toHaveLength(1)
    expect(records[0]).toMatchObject({ status, aborted: false })
  })

  it('HTTP/0.9 gets an answer that is no document', async () => {
    expect(await statusOf('GET /\r\n\r\n')).toBeGreaterThanOrEqual(400)
  })
})

describe('what an app is given', () => {
  it('100 fields and a target of 8 KiB', async () => {
    const many = Array.from({ length: 98 }, (_, i) => `X${i}: 1\r\n`).join('')
    expect(await statusOf(get('/', many))).toBe(200)
    expect(await statusOf(get(`/${'x'.repeat(8191)}`))).toBe(200)
  })

  it('Q04, Q05: no field with an underscore, no Proxy', async () => {
    const { headers, raw, distinct } = await seenBy(
      get('/', 'X_Forwarded_For: 6.6.6.6\r\nContent_Length: 9\r\nProxy: evil\r\nX-Fine: yes\r\nX-Fine: too\r\n'),
    )
    expect(headers['x-fine']).toBe('yes, too')
    expect(distinct['x-fine']).toEqual(['yes', 'too'])
    for (const names of [Object.keys(headers), Object.keys(distinct), raw.map((name) => name.toLowerCase())]) {
      expect(names.filter((name) => name.includes('_') || name === 'proxy')).toEqual([])
    }
  })

  it('Q06: who the client is, from the host alone', async () => {
    const claims =
      'X-Forwarded-For: 6.6.6.6\r\nX-FORWARDED-Proto: https\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-User: root\r\n'
    const { headers, raw } = await seenBy(get('/', claims))
    expect(JSON.stringify([headers, raw])).not.toMatch(/6\.6\.6\.6|root|https/)
    expect(headers).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'localhost',
    })
    expect(raw.filter((name) => name.toLowerCase() === 'x-forwarded-for')).toHaveLength(1)
  })

  it('Q07: not what Connection names, and the host’s own fields all the same', async () => {
    const fields = 'Connection: X-Forwarded-For, X-Hop\r\nX-Hop: 1\r\nX-Stays: 1\r\n'
    const { headers } = await seenBy(`GET / HTTP/1.1\r\n${HOST}${fields}Connection: close\r\n\r\n`)
    expect(headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-stays': '1' })
    expect(headers).not.toHaveProperty('x-hop')
  })

  it('Q11: no trailer among the fields', async () => {
    const { headers, body } = await seenBy(
      `POST / HTTP/1.1\r\n${HOST}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nHost: evil\r\nX-Late: 1\r\n\r\n`,
    )
    expect(body).toBe('hi')
    expect(headers.host).toBe('localhost')
    expect(headers).not.toHaveProperty('x-late')
  })

  it('P11: the path alone of an absolute target of this host', async () => {
    expect((await seenBy(get('http://LOCALHOST/a%20b?c'))).url).toBe('/a%20b?c')
    expect((await seenBy(get('http://localhost'))).url).toBe('/')
  })

  it('P04: an escaped slash untouched', async () => {
    expect((await seenBy(get('/a%2fb'))).url).toBe('/a%2fb')
  })

  it('HTTP/1.0 without Host', async () => {
    expect((await seenBy('GET / HTTP/1.0\r\n\r\n')).headers).not.toHaveProperty('x-forwarded-host')
  })

  it('a body after Expect: 100-continue, which is refused nothing', async () => {
    const head = `POST / HTTP/1.1\r\n${HOST}Connection: close\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n`
    const text = await sendRaw(port, head, 'hi')
    expect(text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
    expect(
      await sendRaw(port, head.replace('POST /', 'POST /none').replace('Content-Length: 2', 'Content-Length: 0')),
    ).toMatch(/^HTTP\/1\.1 404/)
  })

  it('a head that comes byte by byte', async () => {
    expect((await seenBy(...get('/slow'))).url).toBe('/slow')
  })

  it('no bytes behind the only request of a connection, which end it; empty lines are none', async () => {
    const [ended, answered] = [await open(port), await open(port)]
    const [nothing, answer] = [readAll(ended), readAll(answered)]
    for (const socket of [ended, answered]) socket.write(get('/wait'))
    await expect.poll(() => waiting).toHaveLength(2)
    ended.write(get('/next'))
    answered.write('\r\n')
    expect(await nothing).toBe('')
    await expect.poll(() => waiting.filter(({ destroyed }) => !destroyed)).toHaveLength(1)
    for (const res of waiting) res.end('late')
    expect(await answer).toMatch(/late$/)
    waiting = []
  })

  it('three pipelined requests, in their order', async () => {
    const text = await sendRaw(
      port,
      `GET /1 HTTP/1.1\r\n${HOST}\r\nPOST /2 HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nhi${get('/3')}`,
    )
    expect([...text.matchAll(/"url":"([^"]*)"/g)].map(([, url]) => url)).toEqual(['/1', '/2', '/3'])
  })
})

describe('upgrades', () => {
  const upgrade = (protocol: string, method = 'GET', body = '') =>
    `${method} /up HTTP/1.1\r\n${HOST}Connection: Upgrade, HTTP2-Settings, X-Hop\r\nUpgrade: ${protocol}\r\nHTTP2-Settings: AA\r\nX-Hop: 1\r\nContent-Length: ${body.length}\r\n\r\n${body}`

  it('websocket goes to the app, and is logged when it ends', async () => {
    records = []
    const socket = await open(port)
    const all = readAll(socket)
    socket.write(upgrade('websocket'))
    await once(socket, 'data')
    socket.write('ping')
    await once(socket, 'data')
    expect(records).toEqual([])
    socket.end()
    expect(await all).toMatch(/^HTTP\/1\.1 101 [\s\S]*\r\n\r\nping$/)
    await expect.poll(() => records).toMatchObject([{ status: 101, target: '/up', app: '/app' }])
  })

  it.each([
    ['GET', ''],
    ['POST', 'a body'],
  ])('Q12: h2c with %s is answered as if it had not been offered, and so is the next request', async (method, body) => {
    const socket = await open(port)
    const all = readAll(socket)
    socket.write(upgrade('h2c', method, body))
    await once(socket, 'data')
    socket.write(get('/next'))
    const [first, next] = (await all)
      .split('HTTP/1.1 200 OK')
      .slice(1)
      .map((part) => JSON.parse(parseResponse(part).body) as Seen)
    expect(first).toMatchObject({ method, url: '/up', body })
    for (const name of ['upgrade', 'http2-settings', 'x-hop']) expect(first?.headers).not.toHaveProperty(name)
    expect(next).toMatchObject({ url: '/next' })
  })

  it('one that is refused ends the connection', async () => {
    expect(await statusOf(upgrade('websocket').replace('/up', '/none'))).toBe(404)
    expect(await statusOf(upgrade('websocket').replace('/up', '/%2e/up'))).toBe(400)
    expect(await statusOf(upgrade('websocket').replace(HOST, HOST + HOST))).toBe(400)
  })

  it('one behind a response that is not finished ends the connection', async () => {
    const text = await sendRaw(port, `GET /wait HTTP/1.1\r\n${HOST}\r\n${upgrade('websocket')}`)
    expect(text).toBe('')
    waiting = []
  })
})

describe('what is logged', () => {
  it('status, bytes on the wire, mount', async () => {
    records = []
    const text = await sendRaw(port, get('/x?y=1'))
    await expect.poll(() => records).toHaveLength(1)
    expect(records[0]).toMatchObject({
      method: 'GET',
      target: '/x?y=1',
      httpVersion: '1.1',
      status: 200,
      bytes: text.length,
      app: '/app',
      peer: '127.0.0.1',
      aborted: false,
    })
  })

  it.each(['', 'Connection: close\r\n'])('a client that went away before the answer (%j)', async (field) => {
    records = []
    const socket = await open(port)
    socket.write(`GET /wait HTTP/1.1\r\n${HOST}${field}\r\n`)
    await expect.poll(() => waiting).toHaveLength(1)
    expect(records).toEqual([])
    socket.resetAndDestroy()
    await expect.poll(() => records).toMatchObject([{ target: '/wait', status: 0, aborted: true }])
    waiting = []
  })

  it('pipelined requests of a client that went away, each, which cost the connection nothing', async () => {
    records = []
    const warnings: Error[] = []
    const warned = (warning: Error) => warnings.push(warning)
    process.on('warning', warned)
    const socket = await open(port)
    socket.write(`GET /wait HTTP/1.1\r\n${HOST}\r\n`.repeat(20))
    await expect.poll(() => waiting).toHaveLength(20)
    // Whoever answers them is told, too, also those whose turn had not come.
    const closed = Promise.all(waiting.map((res) => once(res, 'close')))
    socket.resetAndDestroy()
    await closed
    await expect.poll(() => records).toHaveLength(20)
    process.off('warning', warned)
    expect(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning')).toEqual([])
    waiting = []
  })
})
