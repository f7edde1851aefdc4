import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { LoadOptions } from '../../src/runtimes/load.ts'
import { HELD_BACK_AT } from '../helpers/kernel.ts'
import { listen, load, rawGet } from '../helpers/load.ts'
import { npmTree } from '../helpers/npm-tree.ts'
import { settled } from '../helpers/wait.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

function loadFetch(code: string, options: LoadOptions = {}, manifest: Record<string, unknown> = {}) {
  const module = /^(?:import|export) /m.test(code) ? 'app.mjs' : 'app.js'
  return load({ entry: { type: 'fetch', module }, ...manifest }, { [module]: code }, options)
}

/** An app, its address, and what onError was told. */
async function serve(code: string, options: LoadOptions = {}, manifest: Record<string, unknown> = {}) {
  const errors: unknown[] = []
  const app = await loadFetch(code, { onError: (error) => void errors.push(error), ...options }, manifest)
  const origin = await listen(createServer(app.listener).on('upgrade', app.upgrade))
  return { app, origin, errors }
}

const INSPECT = `export default { fetch: async (request) => Response.json({
  url: request.url, method: request.method, headers: [...request.headers], body: await request.text(),
}) }`

describe('a handler', () => {
  const answer = '() => new Response("hello")'
  it.each([
    ['an object with fetch', `export default { fetch: ${answer} }`],
    ['a function', `export default ${answer}`],
    ['an async function', `export default async ${answer}`],
    ['a function with fetch', `export default Object.assign(() => { throw 0 }, { fetch: ${answer} })`],
    [
      'an object that needs its this',
      `export default new (class { t = "hello"; fetch() { return new Response(this.t) } })()`,
    ],
    ['a promise of one', `export default Promise.resolve({ fetch: ${answer} })`],
    ['a named fetch', `export const fetch = ${answer}`],
    ['a named app', `export const app = { fetch: ${answer} }`],
    ['a named handler', `export const handler = ${answer}`],
    ['module.exports as a function', `module.exports = ${answer}`],
    ['module.exports with fetch', `module.exports = { fetch: ${answer} }`],
    ['exports.default', `exports.default = { fetch: ${answer} }`],
  ])('may be exported as %s', async (_, code) => {
    const app = await loadFetch(code)
    expect(await (await app.fetch(new Request('http://a/'))).text()).toBe('hello')
    const origin = await listen(app.listener)
    expect(await (await fetch(origin)).text()).toBe('hello')
  })

  it('may be named in the manifest', async () => {
    const code = 'export default 1; export const web = () => new Response("web")'
    const manifest = { entry: { type: 'fetch', module: 'app.mjs', export: 'web' } }
    const app = await loadFetch(code, {}, manifest)
    expect(await (await app.fetch(new Request('http://a/'))).text()).toBe('web')
  })

  it('that is none is ENTRY_EXPORT, that throws ENTRY_LOAD', async () => {
    for (const code of ['export const x = 1', 'export default class {}', 'module.exports = {}']) {
      const error = await loadFetch(code).catch((e) => e)
      expect([error.code, error.message]).toEqual(['ENTRY_EXPORT', expect.stringContaining('takes a Request')])
    }
    expect((await loadFetch('throw new Error("no")').catch((e) => e)).code).toBe('ENTRY_LOAD')
  })
})

describe('a request', () => {
  const inspect = async (response: Response) => (await response.json()) as { url: string; headers: [string, string][] }

  it('has its own part of the path, and the mount in a field that no client can set', async () => {
    const { app, origin } = await serve(
      INSPECT,
      { mount: '/shop' },
      {
        routes: { '/': { entry: 'main' }, '/api/*': { entry: 'main', strip: true } },
      },
    )
    const init = { headers: { 'X-Forwarded-Prefix': '/evil', 'X-A': 'b' } }
    for (const [path, url, prefix] of [
      ['/shop/a/b?c=%20d', '/a/b?c=%20d', '/shop'],
      ['/shop/', '/', '/shop'],
      ['/shop?x', '/?x', '/shop'],
      ['/shop/api/1', '/1', '/shop/api'],
      ['/shop/api', '/', '/shop/api'],
    ]) {
      for (const [base, response] of [
        [origin, await fetch(origin + path, init)],
        ['https://shop.example', await app.fetch(new Request(`https://shop.example${path}`, init))],
      ] as const) {
        const got = await inspect(response)
        const fields = new Map<string, string>(got.headers)
        expect([got.url, fields.get('x-forwarded-prefix'), fields.get('x-a')]).toEqual([base + url, prefix, 'b'])
      }
    }
  })

  it('has the path that was routed, whatever URLs make of it', async () => {
    const { origin } = await serve(INSPECT)
    for (const [sent, seen] of [
      ['/a%2Fb', '/a%2Fb'],
      ['/a\\b', '/a%5Cb'],
      ['/%E4%zz', '/%E4%zz'],
      ['/a;b/..x', '/a;b/..x'],
      ['/a//b', '/a//b'],
    ]) {
      const { body } = await rawGet(origin, sent!)
      expect(JSON.parse(body).url).toBe(origin + seen)
    }
    for (const refused of ['/a/%2e%2e/b', '/a/../b', '//evil/x', '/\\evil', '/a\\..\\b']) {
      expect((await rawGet(origin, refused)).status).toBe(400)
    }
  })

  it('has the fields that are not of the connection', async () => {
    const { origin } = await serve(INSPECT)
    const got = await inspect(await fetch(origin, { headers: { 'Accept-Language': 'de', Cookie: 'a=1' } }))
    const names = got.headers.map(([name]) => name)
    expect(names).toEqual(expect.arrayContaining(['accept-language', 'cookie', 'host']))
    expect(names).not.toContain('connection')
  })

  it('with a Host that is none, or a method that no Request can have, does not reach the app', async () => {
    const { origin } = await serve(INSPECT)
    const { port } = new URL(origin)
    for (const [line, host, status] of [
      ['GET / HTTP/1.1', 'a/../b@c', 400],
      ['TRACE / HTTP/1.1', 'a', 501],
    ]) {
      const socket = connect(Number(port), '127.0.0.1')
      socket.end(`${line}\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
      let got = ''
      for await (const chunk of socket.setEncoding('latin1')) got += chunk
      expect(got).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    }
  })

  it('carries 10 MB either way that arrive as they were sent', async () => {
    const code = `const { createHash } = require('node:crypto')
      module.exports = async (request) => {
        const bytes = Buffer.from(await request.arrayBuffer())
        return new Response(bytes, { headers: { sha256: createHash('sha256').update(bytes).digest('hex') } })
      }`
    const { app, origin } = await serve(code)
    const body = randomBytes(10_000_000)
    for (const response of [
      await fetch(origin, { method: 'POST', body }),
      await app.fetch(new Request('http://a/', { method: 'POST', body })),
    ]) {
      expect(response.headers.get('sha256')).toBe(sha256(body))
      expect(sha256(new Uint8Array(await response.arrayBuffer()))).toBe(sha256(body))
    }
  })

  it('is read no faster than the app reads it', async () => {
    const code = `let go; const wait = new Promise((r) => { go = r })
      module.exports = async (request) => {
        if (request.method === 'GET') { go(); return new Response('ok') }
        await wait
        let n = 0
        for await (const chunk of request.body) n += chunk.length
        return new Response(String(n))
      }`
    const { origin } = await serve(code)
    const req = httpRequest(origin, { method: 'POST' })
    const total = 64 * 1024 * 1024
    let sent = 0
    const chunk = Buffer.alloc(64 * 1024)
    const send = () => {
      for (; sent < total; ) {
        sent += chunk.length
        if (!req.write(chunk)) return void req.once('drain', send)
      }
      req.end()
    }
    send()
    expect(await settled(() => sent, 20)).toBeLessThan(HELD_BACK_AT)
    await fetch(origin)
    const [res] = await once(req, 'response')
    expect(String(await once(res, 'data'))).toBe(String(total))
  })

  it('whose body the app leaves unread does not stand in the way of the next', async () => {
    const code = `module.exports = async (request) => {
      if (request.url.endsWith('/some')) await request.body.getReader().read()
      if (request.url.endsWith('/cancel')) await request.body.cancel()
      return new Response('ok')
    }`
    const { origin } = await serve(code)
    const socket = connect(Number(new URL(origin).port), '127.0.0.1')
    const body = 'x'.repeat(300_000)
    for (const path of ['/none', '/some', '/cancel']) {
      socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    }
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    let got = ''
    for await (const chunk of socket.setEncoding('latin1')) got += chunk
    expect(got.match(/HTTP\/1\.1 200/g)).toHaveLength(4)
  })

  it('tells by its signal that the client has gone', async () => {
    const code = `const seen = []
      export default (request) => {
        const { pathname } = new URL(request.url)
        if (pathname === '/seen') return Response.json(seen)
        request.signal.addEventListener('abort', () => seen.push(pathname))
        if (pathname === '/silent') return new Promise(() => {})
        return new Response(new ReadableStream({ start: (c) => c.enqueue(Buffer.from('x')), cancel: () => void seen.push('cancel') }))
      }`
    const { app, origin } = await serve(code)
    const calls = [
      (path: string, init: RequestInit) => fetch(origin + path, init),
      (path: string, init: RequestInit) => app.fetch(new Request(`http://a${path}`, init)),
    ]
    const seen = async () => (await (await fetch(`${origin}/seen`)).json()) as string[]
    for (const call of calls) {
      const before = (await seen()).length
      const first = new AbortController()
      const answer = await call('/begun', { signal: first.signal })
      first.abort()
      await expect(answer.text()).rejects.toThrow()
      while (!(await seen()).slice(before).includes('cancel'));
      const second = new AbortController()
      const pending = call('/silent', { signal: second.signal })
      pending.catch(() => {})
      await fetch(`${origin}/seen`)
      second.abort()
      await expect(pending).rejects.toThrow()
    }
    expect(await seen()).toContain('/begun')
  })
})

it('a request that was made of a request has its signal too, whenever it was made', async () => {
  const code = `let seen, gone
    const DERIVED = {
      itself: (request) => request.signal,
      any: (request) => AbortSignal.any([request.signal]),
      clone: (request) => request.clone().signal,
      init: (request) => new Request('http://b/', { signal: request.signal }).signal,
      copy: (request) => new Request(request.clone()).signal,
      request: (request) => new Request(request).signal,
    }
    export default async (request) => {
      if (request.method === 'GET') return Response.json(await seen)
      const late = request.url.endsWith('/late')
      const derive = () => Object.entries(DERIVED).map(([name, of]) => [name, of(request)])
      seen = new Promise((resolve) => { gone = resolve }).then(() => {
        const signals = before ?? derive()
        return signals.map(([name, { aborted, reason }]) => [name, aborted, reason?.name])
      })
      const before = late ? undefined : derive()
      return new Response(new ReadableStream({ start: (c) => c.enqueue(Buffer.from('x')), cancel: () => gone() }))
    }`
  const { origin } = await serve(code)
  const names = ['itself', 'any', 'clone', 'init', 'copy', 'request']
  for (const path of ['/early', '/late']) {
    const client = new AbortController()
    await fetch(origin + path, { method: 'POST', body: 'x', signal: client.signal })
    client.abort()
    const seen = await (await fetch(origin)).json()
    expect([path, seen]).toEqual([path, names.map((name) => [name, true, 'AbortError'])])
  }
})

describe('an answer', () => {
  const ANSWERS = `const stream = (parts) => new ReadableStream({ async pull(c) {
      const part = parts.shift()
      if (part === undefined) return c.close()
      await new Promise(setImmediate)
      c.enqueue(new TextEncoder().encode(part))
    } })
    let more
    const pages = {
      '/cookies': () => new Response('', { headers: [['Set-Cookie', 'a=1'], ['Set-Cookie', 'b=2']] }),
      '/204': () => new Response(null, { status: 204 }),
      '/304': () => new Response(null, { status: 304, headers: { ETag: '"x"' } }),
      '/odd': () => new Response('odd', { status: 418, statusText: 'Odd' }),
      '/text': () => new Response('text'),
      '/empty': () => new Response(),
      '/stream': () => new Response(stream(['one', 'two', 'three'])),
      '/parts': () => new Response(new ReadableStream({ start(c) { c.enqueue(Buffer.from('one')); more = () => { c.enqueue(Buffer.from('two')); c.close() } } })),
      '/late': () => new Response(new ReadableStream({ start(c) { more = () => c.close() } })),
      '/more': () => { more(); return new Response() },
      '/throw': () => { throw new Error('thrown') },
      '/reject': () => Promise.reject(new Error('rejected')),
      '/nothing': () => undefined,
      '/error': () => Response.error(),
      '/break': () => new Response(new ReadableStream({ async pull(c) { await new Promise((r) => setTimeout(r, 5)); if (more === 1) { more = 0; c.error(new Error('broken')) } else { more = 1; c.enqueue(Buffer.from('half')) } } })),
      '/redirect': () => new Response(null, { status: 302, headers: { Location: '/text' } }),
    }
    export default { fetch: (request) => pages[new URL(request.url).pathname]() }`

  const ways = async (manifest: Record<string, unknown> = {}) => {
    const { app, origin, errors } = await serve(ANSWERS, {}, manifest)
    const init = { redirect: 'manual' } as const
    return {
      errors,
      origin,
      ways: [
        (path: string, method = 'GET') => fetch(origin + path, { ...init, method }),
        (path: string, method = 'GET') => app.fetch(new Request(`http://a${path}`, { ...init, method })),
      ],
    }
  }

  it('has its status, every field and its length', async () => {
    const { ways: calls, origin } = await ways()
    for (const call of calls) {
      expect((await call('/cookies')).headers.getSetCookie()).toEqual(['a=1', 'b=2'])
      expect((await call('/204')).status).toBe(204)
      const notModified = await call('/304')
      expect([notModified.status, notModified.headers.get('etag')]).toEqual([304, '"x"'])
      const odd = await call('/odd')
      expect([odd.status, odd.statusText, await odd.text()]).toEqual([418, 'Odd', 'odd'])
      expect(await (await call('/stream')).text()).toBe('onetwothree')
      const head = await call('/text', 'HEAD')
      expect([head.status, await head.text()]).toEqual([200, ''])
      expect((await call('/redirect')).headers.get('location')).toBe('/text')
    }
    expect((await fetch(`${origin}/text`)).headers.get('content-length')).toBe('4')
    expect((await fetch(`${origin}/empty`)).headers.get('content-length')).toBe('0')
    expect((await fetch(`${origin}/stream`)).headers.get('content-length')).toBe(null)
  })

  it('is sent as it comes: the head before the body, the first part before the second', async () => {
    const { ways: calls } = await ways()
    for (const call of calls) {
      const reader = (await call('/parts')).body!.getReader()
      expect(Buffer.from((await reader.read()).value!).toString()).toBe('one')
      await call('/more')
      expect(Buffer.from((await reader.read()).value!).toString()).toBe('two')
      expect((await reader.read()).done).toBe(true)
      const late = await call('/late')
      await call('/more')
      expect(await late.text()).toBe('')
    }
  })

  it('is 500 where there is none, and the app goes on', async () => {
    const { ways: calls, errors } = await ways()
    for (const call of calls) {
      for (const path of ['/throw', '/reject', '/nothing', '/error']) {
        const answer = await call(path)
        expect([path, answer.status]).toEqual([path, 500])
        expect(await answer.text()).not.toMatch(/thrown|rejected/)
      }
      expect(errors.splice(0)).toMatchObject([
        { message: 'thrown' },
        { message: 'rejected' },
        { message: 'fetch must answer with a Response, got undefined' },
        {},
      ])
    }
  })

  it('that breaks off does not look whole', async () => {
    const { ways: calls } = await ways()
    for (const call of calls) await expect(call('/break').then((answer) => answer.text())).rejects.toThrow()
  })

  it('gets the fields of its route that it does not have', async () => {
    const { ways: calls } = await ways({
      routes: { '/': { entry: 'main', headers: { 'X-Route': 'yes', Location: '/other', 'Set-Cookie': 'r=1' } } },
    })
    for (const call of calls) {
      const text = await call('/text')
      expect([text.headers.get('x-route'), text.headers.get('location')]).toEqual(['yes', '/other'])
      expect((await call('/redirect')).headers.get('location')).toBe('/text')
      expect((await call('/cookies')).headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    }
  })
})

it('upgrades go to a function that is exported beside the handler', async () => {
  const code = `const { WebSocketServer } = require('ws')
    const sockets = new WebSocketServer({ noServer: true })
    exports.fetch = () => new Response('hello')
    exports.upgrade = (req, socket, head) =>
      sockets.handleUpgrade(req, socket, head, (ws) => ws.on('message', (data) => ws.send(String(data))))`
  const manifest = { entry: { type: 'fetch', module: 'app.js', websocket: true } }
  const app = await load(manifest, { 'app.js': code, ...npmTree('ws') })
  const origin = await listen(createServer(app.listener).on('upgrade', app.upgrade))
  const socket = new WebSocket(origin.replace('http', 'ws'))
  await once(socket, 'open')
  socket.send('echo')
  expect(String((await once(socket, 'message'))[0])).toBe('echo')
  socket.close()
  await once(socket, 'close')
})

it('an app is not closed while an answer is read', async () => {
  const code = `let more
    export default (request) => {
      if (request.url.endsWith('/more')) { more(); return new Response() }
      return new Response(new ReadableStream({ start(c) { more = () => { c.enqueue(Buffer.from('x')); c.close() } } }))
    }`
  const { app, origin } = await serve(code)
  const answer = await app.fetch(new Request('http://a/'))
  let closed = false
  const before = fetch(`${origin}/more`)
  await before
  const closing = app.close().then(() => {
    closed = true
  })
  expect(closed).toBe(false)
  expect(await answer.text()).toBe('x')
  await closing
  const stuck = await serve(code)
  const never = await stuck.app.fetch(new Request('http://a/'))
  await stuck.app.close({ graceMs: 0 })
  await expect(never.text()).rejects.toThrow('taken down')
})
