import { createHash, randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Host, serve } from '../../src/host/serve.ts'
import { entry, folderOf, stateDir } from './helper.ts'
import { open, parseResponse, readAll, sendRaw, Talk } from './raw.ts'

/** Says who it is and what it got; `/slow` takes a moment, a body of more than 100 bytes comes back as its hash. */
const app = (name: string) => ({
  'app.cjs': `
    const { createHash } = require('node:crypto')
    module.exports = (req, res) => {
      const hash = createHash('sha256')
      let [length, sent] = [0, '']
      req.on('data', (chunk) => {
        hash.update(chunk)
        length += chunk.length
        if (length <= 100) sent += chunk
      })
      req.on('end', () => {
        const body = length > 100 ? hash.digest('hex') : sent
        const text = ['${name}', process.pid, req.method, req.url, body].join(' ')
        // HTTP/1.0 goes on only behind an answer of known length.
        const answer = () => res.setHeader('Content-Length', text.length).end(text)
        if (req.url === '/slow') setTimeout(answer, 100)
        else answer()
      })
    }`,
})

let host: Host
let port = 0
const descriptors = () => readdirSync('/proc/self/fd').length
let before = 0

beforeAll(async () => {
  before = descriptors()
  const dir = await folderOf({
    'a.zapp': [{ ...entry, name: 'a' }, app('a')],
    'b.zapp': [{ ...entry, name: 'b' }, app('b')],
    'a#below.zapp': [{ ...entry, name: 'below' }, app('below')],
  })
  host = await serve({ apps: [{ path: dir }], port: 0, cache: join(stateDir, 'cache'), data: join(stateDir, 'data') })
  port = host.address.port
})
afterAll(() => host.close({ drainMs: 0 }))

const get = (target: string, fields = '', version = '1.1') =>
  `GET ${target} HTTP/${version}\r\nHost: localhost\r\n${fields}\r\n`
const post = (target: string, body: string, fields = '') =>
  `POST ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n${fields}\r\n${body}`
const chunked = (target: string, ...chunks: string[]) =>
  `POST ${target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n` +
  `${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')}0\r\n\r\n`
const CLOSE = 'Connection: close\r\n'

/** What an app said, without its process. */
const said = ({ body }: { body: string }) => body.replace(/^(\w+) [0-9]+/, '$1').trim()
const allSaid = async (talk: Talk, count: number) => {
  const texts: string[] = []
  while (texts.length < count) texts.push(said(await talk.answer()))
  talk.socket.destroy()
  return texts
}

describe('a connection that is handed over', () => {
  it('10 MB as the first request on 16 new connections at once', async () => {
    const body = randomBytes(10 * 1024 * 1024)
    const hash = createHash('sha256').update(body).digest('hex')
    const answers = await Promise.all(
      Array.from({ length: 16 }, async () => {
        const talk = await Talk.open(port)
        talk.socket.write(`POST /a/big HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`)
        talk.socket.write(body)
        const answer = said(await talk.answer())
        talk.socket.destroy()
        return answer
      }),
    )
    expect(answers).toEqual(Array.from({ length: 16 }, () => `a POST /big ${hash}`))
  })

  it.each([
    ['a head byte by byte', [...get('/a/x', CLOSE)]],
    ['the line at once, fields slowly', [get('/a/x').slice(0, 25), ...get('/a/x', CLOSE).slice(25)]],
    ['an empty line first', [`\r\n${get('/a/x', CLOSE)}`]],
    ['the absolute form', [get('http://localhost/a/x', CLOSE)]],
    ['HTTP/1.0', [get('/a/x', '', '1.0')]],
  ])('%s', async (_, parts) => {
    expect(said(parseResponse(await sendRaw(port, ...parts)))).toMatch(/^a GET \/x/)
  })

  it('the end of what the client sends, behind a request', async () => {
    const socket = await open(port)
    const all = readAll(socket)
    socket.end(get('/a/x'))
    expect(said(parseResponse(await all))).toBe('a GET /x')
  })

  it.each([
    ['20 KB of fields', get('/a/x', `X: ${'x'.repeat(20_000)}\r\n`), 431],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 501],
    ['a second Host that the first look did not see', get('/a/x', 'Host: evil\r\n'), 400],
    ['a path that is refused behind a request', get('/a/x') + get('/a/../b/x'), 400],
  ])('%s', async (_, bytes, status) => {
    const answers = (await sendRaw(port, bytes)).split(/(?=HTTP\/1\.1 [0-9])/)
    expect(parseResponse(answers.at(-1) ?? '').status).toBe(status)
  })

  it('a head that is too large, behind a request', async () => {
    const talk = await Talk.open(port)
    await talk.ask(get('/a/x'))
    expect(await talk.ask(get('/a/x', `X: ${'x'.repeat(20_000)}\r\n`))).toMatchObject({ status: 431 })
  })

  it('stays with its process', async () => {
    const talk = await Talk.open(port)
    const first = await talk.ask(get('/a/1'))
    expect((await talk.ask(get('/a/1'))).body).toBe(first.body)
    talk.socket.destroy()
  })

  it('three requests at once', async () => {
    const talk = await Talk.open(port)
    talk.socket.write(get('/a/1') + post('/a/2', 'hi') + get('/a/3'))
    expect(await allSaid(talk, 3)).toEqual(['a GET /1', 'a POST /2 hi', 'a GET /3'])
  })
})

describe('a connection that asks for two apps', () => {
  it.each([
    ['at once: a, b, a', [get('/a/1') + get('/b/2') + get('/a/3')], ['a GET /1', 'b GET /2', 'a GET /3']],
    [
      'a slow answer, and another app behind it',
      [get('/a/slow') + get('/b/2') + get('/b/3')],
      ['a GET /slow', 'b GET /2', 'b GET /3'],
    ],
    [
      'two answers that wait, and another app behind them',
      [get('/a/slow') + get('/a/1') + get('/b/2')],
      ['a GET /slow', 'a GET /1', 'b GET /2'],
    ],
    [
      'a body for the one and a request for the other',
      [post('/b/1', 'body') + get('/a/2')],
      ['b POST /1 body', 'a GET /2'],
    ],
    [
      'a body in chunks between',
      [get('/a/1') + chunked('/b/2', 'one', 'two') + get('/a/3')],
      ['a GET /1', 'b POST /2 onetwo', 'a GET /3'],
    ],
    ['an app mounted below', [get('/a/1') + get('/a/below/2') + get('/a/3')], ['a GET /1', 'below GET /2', 'a GET /3']],
    [
      'HTTP/1.0 that stays open',
      [get('/a/1', 'Connection: keep-alive\r\n', '1.0') + get('/b/2', 'Connection: keep-alive\r\n', '1.0')],
      ['a GET /1', 'b GET /2'],
    ],
  ])('%s', async (_, parts, expected) => {
    const talk = await Talk.open(port)
    for (const part of parts) talk.socket.write(part)
    expect(await allSaid(talk, expected.length)).toEqual(expected)
  })

  it('one after the other: a, b, a', async () => {
    const talk = await Talk.open(port)
    for (const [target, expected] of [
      ['/a/1', 'a GET /1'],
      ['/b/2', 'b GET /2'],
      ['/a/3', 'a GET /3'],
      ['/nowhere', '404 Not Found\nNo app is mounted here.'],
      ['/%62/4', 'b GET /4'],
    ] as const) {
      expect(said(await talk.ask(get(target)))).toBe(expected)
    }
    talk.socket.destroy()
  })

  it('half of a request, the rest later', async () => {
    const talk = await Talk.open(port)
    const next = post('/b/2', 'body')
    talk.socket.write(get('/a/1') + next.slice(0, 20))
    expect(said(await talk.answer())).toBe('a GET /1')
    talk.socket.write(next.slice(20, -2))
    talk.socket.write(next.slice(-2))
    expect(await allSaid(talk, 1)).toEqual(['b POST /2 body'])
  })

  it.each([
    ['first', '', '/a/x', 'a POST /x hi'],
    ['second, for the other app', get('/a/1'), '/b/x', 'b POST /x hi'],
  ])('Expect: 100-continue, %s', async (_, first, target, expected) => {
    const talk = await Talk.open(port)
    if (first) await talk.ask(first)
    const [head = '', body] = post(target, 'hi', 'Expect: 100-continue\r\n').split(/(?<=\r\n\r\n)/)
    expect(await talk.ask(head)).toMatchObject({ status: 100 })
    expect(said(await talk.ask(body ?? ''))).toBe(expected)
    talk.socket.destroy()
  })

  it('10 MB for the other app', async () => {
    const body = randomBytes(10 * 1024 * 1024)
    const hash = createHash('sha256').update(body).digest('hex')
    const talk = await Talk.open(port)
    await talk.ask(get('/a/1'))
    talk.socket.write(`POST /b/big HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`)
    talk.socket.write(body)
    talk.socket.write(get('/a/2'))
    expect(await allSaid(talk, 2)).toEqual([`b POST /big ${hash}`, 'a GET /2'])
  })
})

it('no descriptor is left', async () => {
  await host.close({ drainMs: 0 })
  await expect.poll(descriptors).toBeLessThanOrEqual(before)
})
