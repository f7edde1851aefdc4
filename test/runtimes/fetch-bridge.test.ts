import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { createBridge } from '../../src/runtimes/fetch-bridge.ts'
import { deferred, settled } from '../helpers/wait.ts'

type Handler = (req: IncomingMessage, res: ServerResponse) => unknown

const call = (handler: Handler, path = '/', init: RequestInit = {}) =>
  createBridge((req, res) => void handler(req, res))(new Request(`http://shop.example${path}`, init))

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

describe('the request', () => {
  it('is one of node:http', async () => {
    const answer = await call(
      (req, res) =>
        res.end(JSON.stringify([req.method, req.url, req.headers.host, req.httpVersion, req.headers['x-a']])),
      '/a%2Fb?q=%20',
      { method: 'DELETE', headers: { 'X-A': '1' } },
    )
    expect(await answer.json()).toEqual(['DELETE', '/a%2Fb?q=%20', 'shop.example', '1.1', '1'])
  })

  it('carries its body and length', async () => {
    const body = randomBytes(3_000_000)
    const answer = await call(
      async (req, res) => {
        const hash = createHash('sha256')
        for await (const chunk of req) hash.update(chunk)
        res.end(`${req.headers['content-length']} ${hash.digest('hex')}`)
      },
      '/',
      { method: 'POST', body, headers: { 'Content-Length': String(body.length) } },
    )
    expect(await answer.text()).toBe(`${body.length} ${sha256(body)}`)
  })

  it('may be answered before its body was read', async () => {
    const answer = await call((_, res) => res.writeHead(413).end('too much'), '/', {
      method: 'POST',
      body: new Uint8Array(5_000_000),
    })
    expect([answer.status, await answer.text()]).toEqual([413, 'too much'])
  })

  it('tells http from https and has a socket that may be tuned', async () => {
    const handler: Handler = (req, res) => {
      req.socket.setNoDelay(true)
      req.setTimeout(0)
      res.end(String((req.socket as { encrypted?: boolean }).encrypted === true))
    }
    const bridge = createBridge((req, res) => void handler(req, res))
    expect(await (await bridge(new Request('http://a/'))).text()).toBe('false')
    expect(await (await bridge(new Request('https://a/'))).text()).toBe('true')
  })
})

describe('the response', () => {
  it('keeps every header but those of the connection', async () => {
    const answer = await call((_, res) => {
      res.writeHead(201, 'Made', [
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2; Path=/'],
        ['X-A', '1'],
        ['Connection', 'close'],
      ] as never)
      res.end('x')
    })
    expect([answer.status, answer.statusText]).toEqual([201, 'Made'])
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2; Path=/'])
    expect(answer.headers.get('connection')).toBe(null)
    expect(answer.headers.get('transfer-encoding')).toBe(null)
  })

  it('has no body where HTTP has none', async () => {
    const head = await call((_, res) => res.setHeader('Content-Length', '5').end(), '/', { method: 'HEAD' })
    expect([head.body, head.headers.get('content-length')]).toEqual([null, '5'])
    for (const status of [204, 304]) expect((await call((_, res) => res.writeHead(status).end())).body).toBe(null)
  })

  it('arrives while it is made', async () => {
    let more = () => {}
    const answer = await call((_, res) => {
      res.write('one')
      more = () => res.end('two')
    })
    const reader = answer.body!.getReader()
    expect(Buffer.from((await reader.read()).value!).toString()).toBe('one')
    more()
    expect(Buffer.from((await reader.read()).value!).toString()).toBe('two')
    expect((await reader.read()).done).toBe(true)
  })

  it('is not made faster than it is read', async () => {
    const chunk = randomBytes(64 * 1024)
    let written = 0
    const answer = await call(async (_, res) => {
      for (; written < 400; written++) {
        if (!res.write(chunk)) await once(res, 'drain')
      }
      res.end()
    })
    // Nobody reads: what lies in between is a few buffers.
    const stopped = await settled(() => written)
    expect(stopped * chunk.length).toBeLessThan(1_000_000)
    expect((await answer.arrayBuffer()).byteLength).toBe(400 * chunk.length)
  })

  it('that breaks off is an error for who reads it', async () => {
    const answer = await call((_, res) => {
      res.write('x')
      setImmediate(() => res.destroy())
    })
    await expect(answer.text()).rejects.toThrow()
    await expect(call((_, res) => res.destroy())).rejects.toThrow()
  })
})

describe('an abort', () => {
  it('reaches the app, and the reader', async () => {
    const abort = new AbortController()
    const closed = deferred<boolean>()
    const answer = await call(
      (_, res) => {
        res.write('x')
        res.on('close', () => closed.resolve(res.writableFinished))
      },
      '/',
      { signal: abort.signal },
    )
    const reader = answer.body!.getReader()
    await reader.read()
    abort.abort(new Error('changed my mind'))
    await expect(reader.read()).rejects.toThrow('changed my mind')
    expect(await closed.promise).toBe(false)
  })

  it('before the answer rejects the call', async () => {
    const abort = new AbortController()
    const promise = call(() => abort.abort(new Error('too late')), '/', { signal: abort.signal })
    await expect(promise).rejects.toThrow('too late')
    await expect(call(() => {}, '/', { signal: AbortSignal.abort(new Error('never')) })).rejects.toThrow('never')
  })

  it('is what a cancelled body means', async () => {
    const closed = deferred()
    const answer = await call((_, res) => {
      res.write('x')
      res.on('close', closed.resolve)
    })
    await answer.body!.cancel()
    await closed.promise
  })
})
