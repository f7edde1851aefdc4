import { type IncomingMessage, METHODS, type ServerResponse } from 'node:http'
import { countSegments, skipSegments } from '../mount/request-path.ts'
import type { App } from '../runtimes/load.ts'
import type { MountedRequest } from '../runtimes/place.ts'

/** What this adapter asks of an instance of Fastify 5. */
export interface FastifyLike {
  readonly prefix: string
  readonly supportedMethods: readonly string[]
  addHttpMethod(method: string): unknown
  removeAllContentTypeParsers(): void
  addContentTypeParser(type: string, parser: (request: unknown, payload: unknown, done: Done) => void): unknown
  all(path: string, handler: (request: { raw: IncomingMessage }, reply: FastifyReplyLike) => void): unknown
}

export interface FastifyReplyLike {
  readonly raw: ServerResponse
  hijack(): unknown
}

type Done = (error: null) => void
export type FastifyPlugin = (fastify: FastifyLike, options: unknown, done: () => void) => void

/**
 * An app as a plugin of Fastify 5.
 *
 * ```ts
 * import { zapp } from 'zapp/fastify'
 * fastify.register(zapp(await loadApp('shop-1.2.0.zapp')), { prefix: '/shop' })
 * ```
 *
 * The path may be given here, to {@link loadApp} as `mount`, or to both. Below its mount the app answers everything,
 * misses and errors too, after Fastify's hooks up to `preHandler`; Fastify's serializers, `onSend` and error handler see
 * nothing of it. Paths outside never reach it.
 *
 * Fastify's body parsers are off for the app, and only for it: it gets the stream. WebSocket upgrades do not pass
 * through Fastify; give them to the app with `fastify.server.on('upgrade', app.upgrade)`.
 */
export function zapp(app: Pick<App, 'listener' | 'mount'>): FastifyPlugin {
  return (fastify, _, done) => {
    const { prefix } = fastify
    const known = new Set(fastify.supportedMethods)
    for (const method of METHODS) if (!known.has(method)) fastify.addHttpMethod(method)
    fastify.removeAllContentTypeParsers()
    fastify.addContentTypeParser('*', (_request, _payload, ready) => ready(null))
    const mount = prefix.endsWith(app.mount) ? '' : app.mount
    for (const path of [`${mount}/`, `${mount}/*`]) {
      fastify.all(path, ({ raw }, reply) => {
        reply.hijack()
        app.listener(cutOff(prefix, raw), reply.raw)
      })
    }
    done()
  }
}

/** Moves the prefix from `url` to `baseUrl`, as Express does. It may have parameters: `/:tenant/shop`. */
function cutOff(prefix: string, req: MountedRequest): MountedRequest {
  const url = req.url ?? '/'
  const mark = url.indexOf('?')
  const [path, query] = mark === -1 ? [url, ''] : [url.slice(0, mark), url.slice(mark)]
  const rest = prefix === '' ? path : skipSegments(path, countSegments(prefix))
  req.originalUrl ??= url
  req.baseUrl = path.slice(0, path.length - rest.length)
  req.url = (rest || '/') + query
  return req
}
