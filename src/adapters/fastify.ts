import { type IncomingMessage, METHODS, type ServerResponse } from 'node:http'
import { countSegments } from '../mount/request-path.ts'
import type { App } from '../runtimes/load.ts'
import { cutPrefix } from './cut-prefix.ts'

/** What this adapter asks of an instance of Fastify 5. */
export interface FastifyLike {
  readonly prefix: string
  readonly supportedMethods: readonly string[]
  addHttpMethod(method: string): unknown
  removeAllContentTypeParsers(): void
  addContentTypeParser(type: string, parser: (request: unknown, body: unknown, done: Done) => void): unknown
  all(path: string, handler: (request: { raw: IncomingMessage }, reply: ReplyLike) => void): unknown
}

type Done = (error: null) => void
interface ReplyLike {
  readonly raw: ServerResponse
  getHeaders(): Readonly<Record<string, number | string | string[] | undefined>>
  hijack(): unknown
}

/**
 * An app as a plugin of Fastify 5.
 *
 * ```ts
 * import { zapp } from 'zapp/fastify'
 * fastify.register(zapp(await loadApp('shop-1.2.0.zapp')), { prefix: '/shop' })
 * ```
 *
 * The path may be given here, to {@link loadApp} as `mount`, or to both. Below its mount the app answers everything,
 * misses and errors too. Fastify's hooks up to `preHandler` come before it, and the headers that they set are on its
 * answers; serializers, `onSend` and the error handler see nothing of it. Paths outside never reach it.
 *
 * Fastify's body parsers are off for the app, and only for it: it gets the stream. WebSocket upgrades do not pass
 * through Fastify; give them to the app with `fastify.server.on('upgrade', app.upgrade)`.
 */
export function zapp(app: Pick<App, 'listener' | 'mount'>) {
  return (fastify: FastifyLike, _: unknown, done: () => void): void => {
    const prefix = fastify.prefix.replace(/\/$/, '')
    const segments = countSegments(prefix) // of which some may be parameters: `/:tenant/shop`
    const mount = prefix.endsWith(app.mount) ? '' : app.mount
    const known = new Set(fastify.supportedMethods)
    for (const method of METHODS) if (!known.has(method)) fastify.addHttpMethod(method)
    fastify.removeAllContentTypeParsers()
    fastify.addContentTypeParser('*', (_request, _body, ready) => ready(null))
    for (const path of [mount || '/', `${mount}/*`]) {
      fastify.all(path, ({ raw }, reply) => {
        // What hooks have said by now (CORS, security) would be lost: Fastify keeps it until it sends.
        for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value ?? [])
        reply.hijack()
        app.listener(cutPrefix(raw, segments), reply.raw)
      })
    }
    done()
  }
}
