import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type App, loadApp } from '../../src/runtimes/load.ts'
import { HELD_BACK_AT } from '../helpers/kernel.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { npmTree } from '../helpers/npm-tree.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { settled } from '../helpers/wait.ts'
import type { Container, Running } from './containers.ts'

const TEN_MB = 10_000_000
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const text = Buffer.from('abcdefghij'.repeat(1000))

/** What the conformance app is: a listener, a fetch handler, or a program of its own. */
export type EntryKind = 'node' | 'fetch' | 'server'

async function packConformanceApp(kind: EntryKind): Promise<string> {
  const code = readFileSync(join(import.meta.dirname, 'conformance-app.js'))
  const others = ['server', 'fetch'].map((name) => [
    `${name}.js`,
    readFileSync(join(import.meta.dirname, `conformance-${name}.js`)),
  ])
  const files = {
    'app.js': code,
    ...Object.fromEntries(others),
    'public/file.txt': text,
    'public/docs/index.html': 'docs',
    ...npmTree('ws'),
  }
  const manifest = {
    entry: { ...ENTRIES[kind], websocket: true },
    routes: {
      '/': { static: 'public', else: { entry: 'main' } },
      '/stripped/*': { entry: 'main', strip: true },
      '/moved': { redirect: { to: '/docs/' } },
      '/quiet/*': { static: 'public' },
    },
  }
  return makeArchive(await tmpDir(), manifest, files)
}

const ENTRIES = {
  node: { type: 'node', module: 'app.js' },
  fetch: { type: 'fetch', module: 'fetch.js' },
  server: { type: 'server', run: ['{node}', 'server.js'] },
}

/** What every container must give every app. `app.fetch` and the adapters differ in nothing that an app can see. */
export function conformance(container: Container, kind: EntryKind = 'node'): void {
  const name = kind === 'node' ? container.name : `${container.name}, ${kind}`
  let app: App
  let running: Running
  const errors: [unknown, string][] = []
  const get = (path: string, init?: RequestInit) => running.fetch(`/shop${path}`, { redirect: 'manual', ...init })
  const inspect = async (path: string, init?: RequestInit) => JSON.parse(await (await get(path, init)).text())
  const state = async () => JSON.parse(await (await get('/state')).text())
  /** Until the app has got there: it may not have been called yet. */
  const signal = async (name: string) => {
    while ((await (await get(`/signal?${name}`)).text()) !== 'true') await turn()
  }
  const seen = async (list: 'begun' | 'aborted' | 'closed', name: string) => {
    while (!(await state())[list].includes(name)) await turn()
  }

  beforeAll(async () => {
    const cache = join(await tmpDir(), 'cache')
    const onError = (error: unknown, where: string) => void errors.push([error, where])
    app = await loadApp(await packConformanceApp(kind), { mount: container.mount, cache, onError })
    running = await container.start(app)
  })

  afterAll(async () => {
    await running.close()
    await app.close({ graceMs: 0 })
  })

  describe(`${name}: requests`, () => {
    it('arrive with method, headers and their own part of the path', async () => {
      const got = await inspect('/inspect/me?a=1&b=%20', { method: 'PATCH', headers: { 'X-A': 'one' } })
      expect(got).toMatchObject({ method: 'PATCH', url: '/inspect/me?a=1&b=%20', baseUrl: '/shop' })
      if (kind === 'node') expect(got.originalUrl).toBe('/shop/inspect/me?a=1&b=%20')
      expect(got.headers['x-a']).toBe('one')
      // A fetch handler is asked for the host by its URL; where there is no connection nobody has written the field.
      if (kind !== 'fetch' || container.sockets === true) expect(got.headers.host).toMatch(/./)
    })

    it('keep encoded slashes and odd escapes as they were sent', async () => {
      for (const url of ['/a%2Fb', '/a%2fb%5Cc', '/%E4', '/x?a=%2F&a=%zz', '/a;b=c', "/!$&'()*+,=:@"]) {
        if (!container.refuses?.paths.includes(url)) expect((await inspect(url)).url).toBe(url)
      }
    })

    it(`of paths that the container refuses never come: ${container.refuses?.why ?? 'there are none'}`, async () => {
      for (const url of container.refuses?.paths ?? []) expect((await get(url)).status, url).toBe(400)
    })

    it('have the prefix of a route moved where it is stripped', async () => {
      expect(await inspect('/stripped/x?q')).toMatchObject({ url: '/x?q', baseUrl: '/shop/stripped' })
    })

    it('for the mount itself have a path', async () => {
      const got = await inspect('?q=1')
      expect(got).toMatchObject({ url: '/?q=1', baseUrl: '/shop' })
      if (kind === 'node') expect(got.originalUrl).toBe('/shop?q=1')
    })

    it('outside the mount are not the app’s', async () => {
      for (const path of ['/', '/shopping', '/other']) {
        const answer = await running.fetch(path)
        expect(answer.status).toBe(container.outside === undefined ? 404 : 200)
        const body = await answer.text()
        if (container.outside !== undefined) expect(body).toBe(container.outside)
      }
    })

    it('carry 10 MB that arrive as they were sent', async () => {
      const body = randomBytes(TEN_MB)
      expect(await (await get('/hash', { method: 'POST', body })).text()).toBe(sha256(body))
    })

    it('stream: each chunk is answered before the next is sent', async () => {
      const upload = new TransformStream<Uint8Array, Uint8Array>()
      const writer = upload.writable.getWriter()
      const pending = get('/echo', { method: 'POST', body: upload.readable, duplex: 'half' } as RequestInit)
      void writer.write(Buffer.from('one'))
      // fetch() gives the response of a socket only when the request is complete; app.fetch gives it at once.
      if (container.sockets !== true) {
        const reader = (await pending).body!.getReader()
        expect(Buffer.from((await reader.read()).value!).toString()).toBe('one')
        void writer.write(Buffer.from('two'))
        expect(Buffer.from((await reader.read()).value!).toString()).toBe('two')
        void writer.close()
        expect((await reader.read()).done).toBe(true)
        return
      }
      void writer.close()
      expect(await (await pending).text()).toBe('one')
      await echoOverSocket(running.port)
    })

    it('that nobody reads stop being sent', async () => {
      let sent = 0
      const chunk = new Uint8Array(64 * 1024)
      const body = new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            sent += chunk.length
            controller.enqueue(chunk)
            if (sent >= 64 * 1024 * 1024) controller.close()
          },
        },
        { highWaterMark: 0 },
      )
      const pending = get('/swallow?swallow', { method: 'POST', body, duplex: 'half' } as RequestInit)
      // The kernel keeps some MB on the way; what Node and the app keep is little.
      expect(await settled(() => sent, 20)).toBeLessThan(HELD_BACK_AT)
      await signal('swallow')
      expect(Number(await (await pending).text())).toBe(sent)
    })

    it('that break off in the middle are seen by the app', async () => {
      const abort = new AbortController()
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          await turn()
          controller.enqueue(text)
        },
      })
      const init = { method: 'POST', body, duplex: 'half', signal: abort.signal } as RequestInit
      const pending = get('/upload?upload', init)
      await signal('upload')
      abort.abort()
      await gone(pending)
      await seen('aborted', 'upload')
    })
  })

  describe(`${name}: answers`, () => {
    it('carry 10 MB that arrive as they were made', async () => {
      const answer = await get(`/bytes?${TEN_MB}`)
      const bytes = new Uint8Array(await answer.arrayBuffer())
      expect(bytes.length).toBe(TEN_MB)
      expect(sha256(bytes)).toBe(answer.headers.get('x-sha256'))
    })

    it('stream: the first part arrives before the second is made', async () => {
      const reader = (await get('/parts?parts')).body!.getReader()
      expect(Buffer.from((await reader.read()).value!).toString()).toBe('one')
      await signal('parts')
      expect(Buffer.from((await reader.read()).value!).toString()).toBe('two')
      expect((await reader.read()).done).toBe(true)
    })

    it('that nobody reads stop being made', async () => {
      const answer = await get('/flood')
      const produced = await settled(async () => (await state()).produced, 20)
      expect(produced).toBeLessThan(HELD_BACK_AT)
      await answer.body!.cancel()
    })

    it('that the client does not wait for are ended in the app', async () => {
      const abort = new AbortController()
      const answer = await get('/hang?loud', { signal: abort.signal })
      abort.abort()
      await expect(answer.text()).rejects.toThrow()
      await seen('closed', 'loud')

      const early = new AbortController()
      const pending = get('/hang?silent', { signal: early.signal })
      pending.catch(() => {})
      await seen('begun', 'silent')
      early.abort()
      await gone(pending)
      await seen('closed', 'silent')
    })

    it('have their status, and no body where HTTP has none', async () => {
      for (const status of [204, 304]) {
        const answer = await get(`/status?${status}`)
        expect([answer.status, answer.headers.get('etag'), await answer.text()]).toEqual([status, '"x"', ''])
      }
      const head = await get('/bytes?1234', { method: 'HEAD' })
      expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '1234', ''])
    })

    it('have their redirects left alone', async () => {
      expect((await get('/redirect')).headers.get('location')).toBe('/shop/inspect')
      expect((await get('/absolute-redirect')).headers.get('location')).toBe('/inspect')
    })

    it('have every cookie', async () => {
      expect((await get('/cookies')).headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2; HttpOnly'])
    })

    it('have trailers that harm nothing', async () => {
      const answer = await get('/trailers')
      expect([await answer.text(), answer.headers.get('x-late')]).toEqual(['body', null])
    })

    it('are 500 when the app throws or rejects, and the app goes on', async () => {
      for (const [path, message] of [
        ['/throw', 'thrown'],
        ['/reject', 'rejected'],
      ]) {
        const answer = await get(path!)
        expect(answer.status).toBe(500)
        expect(await answer.text()).not.toContain(message)
        if (kind !== 'server') expect(errors.pop()).toMatchObject([{ message }, 'entry main'])
      }
      expect((await get('/inspect')).status).toBe(200)
    })

    it('that break off in the middle do not look whole', async () => {
      // Hono on Node holds an answer's first parts back for a moment, and can still make a 500 of it.
      const answer = get('/break').then(async (got) => [got.status, await got.text()])
      expect(await answer.catch(() => [500])).toContain(500)
    })
  })

  describe(`${name}: static files`, () => {
    const plain = { 'Accept-Encoding': 'identity' }

    it('are sent with tag and length, HEAD without content', async () => {
      const answer = await get('/file.txt', { headers: plain })
      expect(Buffer.from(await answer.arrayBuffer()).equals(text)).toBe(true)
      expect(answer.headers.get('content-length')).toBe(String(text.length))
      const head = await get('/file.txt', { method: 'HEAD', headers: plain })
      expect([head.status, head.headers.get('etag'), head.headers.get('content-length'), await head.text()]).toEqual([
        200,
        answer.headers.get('etag'),
        String(text.length),
        '',
      ])
    })

    it('are not sent again', async () => {
      const etag = (await get('/file.txt', { headers: plain })).headers.get('etag')!
      const answer = await get('/file.txt', { headers: { ...plain, 'If-None-Match': etag } })
      expect([answer.status, await answer.text()]).toEqual([304, ''])
    })

    it('are sent in parts', async () => {
      const answer = await get('/file.txt', { headers: { ...plain, Range: 'bytes=5-14' } })
      expect([answer.status, answer.headers.get('content-range'), await answer.text()]).toEqual([
        206,
        `bytes 5-14/${text.length}`,
        'fghijabcde',
      ])
      const beyond = await get('/file.txt', { headers: { ...plain, Range: 'bytes=99999-' } })
      expect(beyond.status).toBe(416)
    })

    it('redirect below the mount', async () => {
      expect((await get('/docs')).headers.get('location')).toBe('/shop/docs/')
      expect((await get('/moved')).headers.get('location')).toBe('/shop/docs/')
      expect(await (await get('/docs/')).text()).toBe('docs')
    })

    it('that are not there are 404, and other methods 405', async () => {
      expect((await get('/quiet/none')).status).toBe(404)
      const posted = await get('/quiet/file.txt', { method: 'POST' })
      expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    })
  })

  describe(`${name}: connections`, () => {
    it('may be upgraded to WebSockets, others are refused in words', async ({ skip }) => {
      if (container.upgrades !== true) return skip(container.upgrades)
      const { port } = running
      const socket = new WebSocket(`ws://127.0.0.1:${port}/shop/ws`)
      await once(socket, 'open')
      const bytes = randomBytes(100_000)
      socket.send(bytes)
      expect((await once(socket, 'message'))[0]).toEqual(bytes)
      socket.close()
      await once(socket, 'close')
      const refused = new WebSocket(`ws://127.0.0.1:${port}/shop/file.txt`)
      const [, answer] = await once(refused, 'unexpected-response')
      expect(answer.statusCode).toBe(400)
      expect(answer.headers.connection).toBe('close')
    })

    it('are kept for the next request, also when two come at once', async ({ skip }) => {
      if (container.sockets !== true) return skip(container.sockets)
      const { port } = running
      const socket = connect(port, '127.0.0.1')
      const line = (path: string, more = '') => `GET /shop${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`
      socket.write(
        line('/file.txt', 'Range: bytes=0-2\r\n') + line('/cookies') + line('/cookies', 'Connection: close\r\n'),
      )
      let got = ''
      for await (const chunk of socket.setEncoding('latin1')) got += chunk
      expect(got.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 206', 'HTTP/1.1 200', 'HTTP/1.1 200'])
    })
  })
}

/** The client has aborted. A framework that is called by fetch may make an answer of that, which nobody gets. */
async function gone(pending: Promise<Response>): Promise<void> {
  const answer = await pending.catch(() => undefined)
  expect([undefined, 499]).toContain(answer?.status)
}

/** fetch() cannot do it: write a part, see it echoed, write the next. */
async function echoOverSocket(port: number): Promise<void> {
  const req = httpRequest({ port, host: '127.0.0.1', path: '/shop/echo', method: 'POST' })
  req.write('one')
  const [res] = await once(req, 'response')
  res.setEncoding('utf8')
  expect((await once(res, 'data'))[0]).toBe('one')
  req.write('two')
  expect((await once(res, 'data'))[0]).toBe('two')
  req.end()
  await once(res, 'end')
}
