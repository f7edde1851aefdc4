import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
// @ts-expect-error: no types are installed for it, and none are needed
import express4 from 'express4'
// @ts-expect-error
import express5 from 'express5'
import fastify, { type FastifyServerFactory } from 'fastify'
import { Hono } from 'hono'
// @ts-expect-error
import Koa from 'koa'
// @ts-expect-error
import koaMount from 'koa-mount'
import { zapp as forExpress } from '../../src/adapters/express.ts'
import { zapp as forFastify } from '../../src/adapters/fastify.ts'
import { zapp as forFetch } from '../../src/adapters/fetch.ts'
import { zapp as forHono } from '../../src/adapters/hono.ts'
import { zapp as forKoa } from '../../src/adapters/koa.ts'
import { attach } from '../../src/adapters/node-http.ts'
import type { App } from '../../src/runtimes/load.ts'

/** A way in which a container calls an app. */
export interface Container {
  readonly name: string
  /** What `loadApp` gets as `mount`; the app must end up below `/shop` either way. */
  readonly mount: '' | '/shop'
  /** Clients connect to it; else the reason why there is nothing to connect to. */
  readonly sockets: true | string
  /** Upgrades reach the app below its mount; else the reason why they cannot. */
  readonly upgrades: true | string
  /** Paths that the container itself refuses with 400 before it calls anybody, and why. */
  readonly refuses?: { readonly paths: readonly string[]; readonly why: string }
  /** What the container answers outside the mount, where it has an answer of its own. */
  readonly outside?: string
  start(app: App): Promise<Running>
}

export interface Running {
  /** Paths are those of the container: `/shop/…`. */
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** 0 without sockets. */
  readonly port: number
  close(): Promise<void>
}

const SOCKETS = { sockets: true, upgrades: true } as const
const CUT = { sockets: true, upgrades: 'they pass by the framework, which cuts the mount off requests only' } as const
const NO_SOCKETS = {
  sockets: 'there is no connection: it is called with a Request',
  upgrades: 'a Response carries no upgrade',
} as const

const nodeHttp: Container = {
  name: 'node:http',
  mount: '/shop',
  ...SOCKETS,
  start(app) {
    const server = createServer()
    attach(server, app)
    return listen(server)
  },
}

function express(name: string, framework: typeof express5): Container[] {
  const start = (app: App, ...path: string[]) => {
    const outer = framework()
    outer.use(...path, forExpress(app))
    outer.use((_: unknown, res: { send(body: string): void }) => res.send('outer'))
    return listen(createServer(outer).on('upgrade', app.upgrade))
  }
  return [
    { name: `${name}, use(path)`, mount: '', ...CUT, outside: 'outer', start: (app) => start(app, '/shop') },
    { name: `${name}, use()`, mount: '/shop', ...SOCKETS, outside: 'outer', start: (app) => start(app) },
  ]
}

function fastify5(): Container[] {
  const start = async (app: App, options: { prefix?: string }) => {
    let server!: Server
    const serverFactory: FastifyServerFactory = (handler) => {
      server = createServer(handler)
      return server
    }
    const outer = fastify({ serverFactory })
    outer.register(forFastify(app), options)
    outer.setNotFoundHandler((_, reply) => reply.code(200).send('outer'))
    outer.server.on('upgrade', app.upgrade)
    await outer.ready()
    return listen(server)
  }
  const refuses = { paths: ['/%E4'], why: 'its router answers paths that do not decode to UTF-8, before any hook' }
  const common = { refuses, outside: 'outer' }
  return [
    { name: 'Fastify 5, prefix', mount: '', ...CUT, ...common, start: (app) => start(app, { prefix: '/shop' }) },
    { name: 'Fastify 5, no prefix', mount: '/shop', ...SOCKETS, ...common, start: (app) => start(app, {}) },
  ]
}

function koa3(): Container[] {
  const start = (app: App, middleware: unknown) => {
    const outer = new Koa()
    outer.use(middleware)
    outer.use((ctx: { body: string }) => {
      ctx.body = 'outer'
    })
    outer.silent = true
    return listen(createServer(outer.callback()).on('upgrade', app.upgrade))
  }
  const mounted = (app: App) => start(app, koaMount('/shop', forKoa(app)))
  return [
    { name: 'Koa, koa-mount', mount: '', ...CUT, outside: 'outer', start: mounted },
    { name: 'Koa', mount: '/shop', ...SOCKETS, outside: 'outer', start: (app) => start(app, forKoa(app)) },
  ]
}

const honoOnNode: Container = {
  name: 'Hono on Node',
  mount: '/shop',
  ...SOCKETS,
  outside: 'outer',
  start(app) {
    const outer = new Hono().all('/shop/*', forHono(app)).all('*', (c) => c.text('outer'))
    // As it does by default, Hono would replace Request and Response for the whole process, other containers' too.
    const server = createAdaptorServer({ fetch: outer.fetch, overrideGlobalObjects: false }) as Server
    return listen(server.on('upgrade', app.upgrade))
  },
}

const honoOverFetch: Container = {
  name: 'Hono over fetch',
  mount: '/shop',
  ...NO_SOCKETS,
  outside: 'outer',
  async start(app) {
    return call(new Hono().use(forHono(app)).all('*', (c) => c.text('outer')).fetch)
  },
}

const plainFetch: Container = {
  name: 'fetch',
  mount: '/shop',
  ...NO_SOCKETS,
  start: async (app) => call(forFetch(app).fetch),
}

export const CONTAINERS: readonly Container[] = [
  nodeHttp,
  ...express('Express 4', express4),
  ...express('Express 5', express5),
  ...fastify5(),
  ...koa3(),
  honoOnNode,
  honoOverFetch,
  plainFetch,
]

async function listen(server: Server): Promise<Running> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    fetch: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init),
    async close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function call(handler: (request: Request) => Response | Promise<Response>): Running {
  return {
    port: 0,
    fetch: async (path, init) => handler(new Request(`http://shop.example${path}`, init)),
    close: async () => {},
  }
}
