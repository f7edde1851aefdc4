import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
// @ts-expect-error: no types are installed for it, and none are needed
import Koa from 'koa'
// @ts-expect-error
import mount from 'koa-mount'
import { expect, it } from 'vitest'
import { type KoaContext, zapp } from '../../src/adapters/koa.ts'
import { listen, loadNode, rawGet } from '../helpers/load.ts'
import { deferred } from '../helpers/wait.ts'

/** Looks at the URL again when koa-mount could have put it back. */
const LATER = `module.exports = (req, res) => setImmediate(() => setImmediate(() => {
  res.end(JSON.stringify({ url: req.url, baseUrl: req.baseUrl, originalUrl: req.originalUrl }))
}))`

type Context = KoaContext & { url: string; status: number; body: unknown; set(name: string, value: string): void }
type Next = () => Promise<unknown>

async function start(...middleware: unknown[]): Promise<string> {
  const outer = new Koa()
  for (const one of middleware) outer.use(one)
  return listen(createServer(outer.callback()))
}

it('is done when the app’s answer is', async () => {
  const app = await loadNode(LATER)
  const states: boolean[] = []
  const watch = async (ctx: Context, next: Next) => {
    ctx.set('X-Before', 'yes')
    await next()
    states.push(ctx.res.writableFinished)
    ctx.body = 'too late'
  }
  const at = await start(watch, mount('/shop', zapp(app)))
  const answer = await fetch(`${at}/shop/x`)
  expect([answer.status, answer.headers.get('x-before')]).toEqual([200, 'yes'])
  expect(await answer.json()).toEqual({ url: '/x', baseUrl: '/shop', originalUrl: '/shop/x' })
  expect(states).toEqual([true])
})

it('knows what several mounts have cut off', async () => {
  const app = await loadNode(LATER, { mount: '/shop' })
  const at = await start(mount('/a', mount('/shop', zapp(app))))
  expect(JSON.parse((await rawGet(at, '/a/shop/b//%2Fc?d')).body)).toEqual({
    url: '/b//%2Fc?d',
    baseUrl: '/a/shop',
    originalUrl: '/a/shop/b//%2Fc?d',
  })
})

it('takes a URL that a middleware has rewritten for what it is', async () => {
  const app = await loadNode(LATER)
  const rewrite = (ctx: Context, next: Next) => {
    ctx.url = ctx.url.replace('/old', '')
    return next()
  }
  const at = await start(rewrite, zapp(app))
  expect(JSON.parse((await rawGet(at, '/old/x')).body)).toMatchObject({ url: '/x' })
})

it('leaves a request outside the mount as it found it', async () => {
  const app = await loadNode(LATER, { mount: '/shop' })
  const at = await start(zapp(app))
  expect(await rawGet(at, '/other')).toEqual({ status: 404, body: 'Not Found' })
})

it('is done at once where the client has left before it', async () => {
  const app = await loadNode(LATER)
  const done = deferred()
  const wait = async (ctx: Context, next: Next) => {
    client.destroy()
    await once(ctx.res, 'close')
    await next()
    done.resolve()
  }
  const at = await start(wait, zapp(app))
  const client = connect(Number(new URL(at).port), '127.0.0.1')
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await done.promise
})
