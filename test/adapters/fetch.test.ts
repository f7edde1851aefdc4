import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { Hono } from 'hono'
import { build, type Rollup } from 'vite'
import { describe, expect, it } from 'vitest'
import { zapp } from '../../src/adapters/fetch.ts'
import { load } from '../helpers/load.ts'

const routes = { '/': { static: 'public', else: { entry: 'main' } } }
const entry = { type: 'node', module: 'app.js' }
const files = {
  'public/docs/index.html': 'docs',
  'app.js': `module.exports = (req, res) => req.on('data', (chunk) => res.write(chunk)).on('end', () => {
    res.end(JSON.stringify({ url: req.url, originalUrl: req.originalUrl }))
  })`,
}
const start = (mount = '/shop') => load({ entry, routes }, files, { mount })
const at = (path: string, init?: RequestInit) => new Request(`http://shop.example${path}`, init)

describe('a host that calls with more than the request', () => {
  it('has it go to what answers outside the mount, and to nobody else', async () => {
    const app = await start()
    const seen: unknown[] = []
    const next = (request: Request, env: { name: string }, context: { waitUntil(): void }) => {
      seen.push(new URL(request.url).pathname, env.name, context)
      return new Response('outer')
    }
    // Detached, as every host calls it.
    const { fetch } = zapp(app, { next })
    const context = { waitUntil() {} }
    expect(await (await fetch(at('/shop/docs/'), { name: 'production' }, context)).text()).toBe('docs')
    expect(await (await fetch(at('/shopping'), { name: 'production' }, context)).text()).toBe('outer')
    expect(seen).toEqual(['/shopping', 'production', context])
  })

  it('gets a 404 outside the mount where there is nothing else', async () => {
    const { fetch } = zapp(await start())
    expect((await fetch(at('/'), { port: 3000 })).status).toBe(404)
  })
})

describe('a host that cuts the mount off', () => {
  it('has it put back', async () => {
    const app = await start()
    const outer = new Hono().mount('/shop', zapp(app, { cut: true }).fetch)
    expect((await outer.fetch(at('/shop/docs'))).headers.get('location')).toBe('/shop/docs/')
    const answer = await outer.fetch(at('/shop/a%2Fb?c=%2F', { method: 'POST', body: 'body ' }))
    expect(await answer.text()).toBe('body {"url":"/a%2Fb?c=%2F","originalUrl":"/shop/a%2Fb?c=%2F"}')
    expect(await (await outer.fetch(at('/other'))).text()).toBe('404 Not Found')
  })
})

describe('a host that has standard globals only', () => {
  it('answers as a service worker does', async () => {
    const app = await start()
    const adapter = await bundle(join(import.meta.dirname, '../../src/adapters/fetch.ts'))
    const listeners: ((event: { request: Request; respondWith(answer: Promise<Response>): void }) => void)[] = []
    const addEventListener = (_: 'fetch', listener: (typeof listeners)[number]) => void listeners.push(listener)
    runInNewContext(
      `${adapter}
      const worker = adapter.zapp(app, { next: () => new Response('outer', { status: 203 }) })
      addEventListener('fetch', (event) => event.respondWith(worker.fetch(event.request)))`,
      { app, addEventListener, Request, Response, Headers, URL },
    )
    const dispatch = (request: Request) =>
      new Promise<Response>((respondWith) => listeners[0]!({ request, respondWith: (answer) => respondWith(answer) }))

    const page = await dispatch(at('/shop/docs/'))
    expect([page.status, page.headers.get('content-type'), await page.text()]).toEqual([
      200,
      'text/html; charset=utf-8',
      'docs',
    ])
    const again = at('/shop/docs/', { headers: { 'If-None-Match': page.headers.get('etag')! } })
    expect((await dispatch(again)).status).toBe(304)
    expect(await (await dispatch(at('/shop/x'))).json()).toMatchObject({ url: '/x' })
    expect((await dispatch(at('/'))).status).toBe(203)
  })
})

/** The adapter and all that it imports, as one script that declares `adapter`. */
async function bundle(file: string): Promise<string> {
  const options = { entry: file, formats: ['iife' as const], name: 'adapter' }
  const made = await build({ configFile: false, logLevel: 'error', build: { write: false, lib: options } })
  const [{ output }] = made as [Rollup.RollupOutput]
  expect(output[0].imports).toEqual([])
  return output[0].code
}
