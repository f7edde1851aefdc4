import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

export type Listener = (req: IncomingMessage, res: ServerResponse) => unknown
export type UpgradeListener = (req: IncomingMessage, socket: Duplex, head: Buffer) => unknown

type Shape = Readonly<Record<string, unknown>>

interface KoaApp {
  createContext(req: IncomingMessage, res: ServerResponse): KoaContext
  callback(): Listener
}

interface KoaContext {
  originalUrl?: string
  mountPath?: string
  request?: { originalUrl?: string }
}

interface HttpServer {
  readonly listening: boolean
  emit(event: string, ...args: unknown[]): boolean
  listenerCount(event: string): number
  close(): void
}

interface FastifyInstance {
  ready(): PromiseLike<unknown>
  routing(req: IncomingMessage, res: ServerResponse): void
}

/**
 * The listener in what a module exports, by shape and not by class: an app brings its own copy of its framework.
 *
 *   function           plain, Express, Connect, Koa's callback
 *   http.Server        one that does not listen: it gets `request` and `upgrade` events
 *   Koa app            its callback; ctx.originalUrl and ctx.mountPath are set as koa-mount does
 *   Fastify instance   made ready, then its router
 *   { handle }         anything else with a method of the router's usual name
 */
export async function asListener(value: unknown): Promise<Listener | undefined> {
  if (typeof value === 'function') return isClass(value) ? undefined : (value as Listener)
  if (typeof value !== 'object' || value === null) return undefined
  if (isServer(value)) return value.listening ? undefined : (req, res) => value.emit('request', req, res)
  if (has(value, 'callback', 'createContext')) return koaListener(value as unknown as KoaApp)
  if (has(value, 'ready', 'routing')) {
    const app = value as unknown as FastifyInstance
    await app.ready()
    return (req, res) => app.routing(req, res)
  }
  if (!has(value, 'handle')) return undefined
  const app = value as { handle: Listener }
  return (req, res) => app.handle(req, res)
}

/** Upgrades go to an exported server that listens for them, or to a function that is exported as `upgrade`. */
export function asUpgrade(exported: unknown, value: unknown): UpgradeListener | undefined {
  if (isServer(value)) {
    return value.listenerCount('upgrade') > 0 ? (...args) => value.emit('upgrade', ...args) : undefined
  }
  for (const holder of [exported, value]) {
    const { upgrade } = Object(holder) as Shape
    if (typeof upgrade === 'function') return (req, socket: Duplex, head) => upgrade.call(holder, req, socket, head)
  }
  return undefined
}

/** What was exported instead, in a few words. */
export function describeExport(exported: unknown, name: string | undefined): string {
  if (isServer(exported) || isServer((Object(exported) as Shape).default)) {
    return 'a server that listens already (such a program is an entry of type "server")'
  }
  const names = Object.keys(Object(exported))
  if (name !== undefined && !names.includes(name)) return `no export of the name ${name}`
  if (names.length > 0) return `exports named ${names.slice(0, 10).join(', ')}`
  return exported === undefined || typeof exported === 'object' ? 'nothing' : `a ${typeof exported}`
}

/** Koa takes the original URL from `req.url`, where its mount is cut off already. */
function koaListener(app: KoaApp): Listener {
  const create = app.createContext
  app.createContext = function (this: KoaApp, req: IncomingMessage & { originalUrl?: string; baseUrl?: string }, res) {
    const context = create.call(this, req, res)
    if (req.baseUrl) {
      context.originalUrl = req.originalUrl ?? context.originalUrl ?? ''
      if (context.request) context.request.originalUrl = context.originalUrl
      context.mountPath = req.baseUrl
    }
    return context
  }
  return app.callback()
}

function isServer(value: unknown): value is HttpServer {
  return typeof value === 'object' && value !== null && has(value, 'emit', 'listen') && 'listening' in value
}

function has(value: object, ...methods: readonly string[]): boolean {
  return methods.every((name) => typeof (value as Shape)[name] === 'function')
}

export function isClass(value: unknown): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value))
}
