import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type App, loadApp } from '../../src/runtimes/load.ts'
import { listen, load, rawGet } from '../helpers/load.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { npmTree } from '../helpers/npm-tree.ts'
import { tmpDir } from '../helpers/tmp.ts'

const seen = `const seen = (req) => JSON.stringify({ url: req.url, originalUrl: req.originalUrl, baseUrl: req.baseUrl })`

/** An app of each framework that tells what it sees, as its own documentation would have it do. */
const files = {
  'plain.js': `${seen}
    module.exports = (req, res) => res.end(seen(req))`,
  'express.js': `${seen}
    const express = require("express"), app = express(), sub = express.Router()
    app.use("/static", express.static(__dirname + "/public"))
    app.get("/go", (req, res) => res.redirect("/login"))
    app.get("/back", (req, res) => res.redirect(req.baseUrl + "/login"))
    app.get("/cookie", (req, res) => res.cookie("a", "1", { path: "/" }).cookie("b", "2").end())
    sub.get("/deep", (req, res) => res.json({ url: req.url, originalUrl: req.originalUrl, baseUrl: req.baseUrl, path: req.path }))
    app.use("/sub", sub)
    app.use((req, res) => res.json({ url: req.url, originalUrl: req.originalUrl, baseUrl: req.baseUrl, path: req.path }))
    module.exports = app`,
  'koa.js': `
    const app = new (require("koa"))()
    app.use((ctx) => { ctx.body = { url: ctx.url, path: ctx.path, originalUrl: ctx.originalUrl, mountPath: ctx.mountPath, href: ctx.href } })
    module.exports = app`,
  'public/docs/index.html': 'docs',
}

const routes = {
  '/': { entry: 'plain' },
  '/api/*': { entry: 'plain', strip: true },
  '/exp/*': { entry: 'express', strip: true },
  '/koa/*': { entry: 'koa', strip: true },
}
const node = (module: string) => ({ type: 'node', module })
const entries = { plain: node('plain.js'), express: node('express.js'), koa: node('koa.js') }

let app: App
let root: App

beforeAll(async () => {
  const dir = await tmpDir()
  const packages = { ...npmTree('express5', 'express'), ...npmTree('koa') }
  const archive = await makeArchive(dir, { entries, routes }, { ...files, ...packages })
  app = await loadApp(archive, { mount: '/shop', cache: join(dir, 'cache') })
  root = await loadApp(archive, { cache: join(dir, 'cache') })
})

afterAll(async () => {
  await app.close()
  await root.close()
})

const get = async (path: string) => {
  return JSON.parse((await rawGet(await listen(app.listener), path)).body)
}

describe('a plain listener', () => {
  it('sees its own part of the URL, the rest where Connect and Express have it', async () => {
    expect(await get('/shop/cart?a=1&b=%20')).toEqual({
      url: '/cart?a=1&b=%20',
      originalUrl: '/shop/cart?a=1&b=%20',
      baseUrl: '/shop',
    })
    expect(await get('/shop')).toEqual({ url: '/', originalUrl: '/shop', baseUrl: '/shop' })
    expect(await get('/shop?a')).toEqual({ url: '/?a', originalUrl: '/shop?a', baseUrl: '/shop' })
    expect(await get('/shop/')).toEqual({ url: '/', originalUrl: '/shop/', baseUrl: '/shop' })
  })

  it('gets the path as it was sent', async () => {
    for (const path of ['/a%2Fb', '/a%2fb/c', '/%e4%f6', '/caf%C3%A9', '/a;b=c,d', '/a%20b', '/a//b']) {
      expect((await get(`/shop${path}`)).url).toBe(path)
    }
  })

  it('has the prefix of its route moved too where the route strips it', async () => {
    expect(await get('/shop/api/users/1')).toEqual({
      url: '/users/1',
      originalUrl: '/shop/api/users/1',
      baseUrl: '/shop/api',
    })
    expect((await get('/shop/api')).url).toBe('/')
    expect((await get('/shop/api%2F/x')).url).toBe('/api%2F/x')
  })

  it('at the root sees the request as node:http gives it', async () => {
    const at = await listen(root.listener)
    expect(JSON.parse((await rawGet(at, '/cart?a=1')).body)).toEqual({ url: '/cart?a=1' })
  })

  it('is not asked for paths outside its mount', async () => {
    const at = await listen(app.listener)
    for (const path of ['/', '/shopping', '/SHOP', '/shop%2fcart', '/other/shop/cart']) {
      expect((await rawGet(at, path)).status, path).toBe(404)
    }
  })
})

describe('an Express app', () => {
  it('sees what it would see under app.use()', async () => {
    expect(await get('/shop/exp/x/y?q=1')).toEqual({
      url: '/x/y?q=1',
      originalUrl: '/shop/exp/x/y?q=1',
      baseUrl: '/shop/exp',
      path: '/x/y',
    })
    expect(await get('/shop/exp/sub/deep')).toEqual({
      url: '/deep',
      originalUrl: '/shop/exp/sub/deep',
      baseUrl: '/shop/exp/sub',
      path: '/deep',
    })
  })

  it('has its redirects and cookies left alone', async () => {
    const at = await listen(app.listener)
    const location = async (path: string) => {
      const answer = await fetch(at + path, { redirect: 'manual' })
      return answer.headers.get('location')
    }
    expect(await location('/shop/exp/go')).toBe('/login')
    expect(await location('/shop/exp/back')).toBe('/shop/exp/login')
    // express.static asks originalUrl where it is.
    expect(await location('/shop/exp/static/docs')).toBe('/shop/exp/static/docs/')
    const cookies = await fetch(`${at}/shop/exp/cookie`)
    expect(cookies.headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2; Path=/'])
  })
})

describe('a Koa app', () => {
  it('sees what it would see under koa-mount', async () => {
    const got = await get('/shop/koa/x/y?q=1')
    expect(got).toMatchObject({
      url: '/x/y?q=1',
      path: '/x/y',
      originalUrl: '/shop/koa/x/y?q=1',
      mountPath: '/shop/koa',
    })
    expect(new URL(got.href).pathname).toBe('/shop/koa/x/y')
  })
})

describe('headers of a route', () => {
  it('are on what an entry answers, unless it sets them itself', async () => {
    const made = await load(
      {
        entry: node('app.js'),
        routes: { '/': { entry: 'main', headers: { 'X-Frame-Options': 'DENY', 'X-Own': 'route', Vary: 'Cookie' } } },
      },
      {
        'app.js':
          'module.exports = (req, res) => { res.setHeader("X-Own", "app"); res.writeHead(200, { A: "b" }).end() }',
      },
    )
    const { headers } = await made.fetch(new Request('http://host/'))
    expect([headers.get('x-frame-options'), headers.get('x-own'), headers.get('a')]).toEqual(['DENY', 'app', 'b'])
  })
})
