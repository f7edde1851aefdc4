import type { IncomingMessage, ServerResponse } from 'node:http'
import type { App } from '../runtimes/load.ts'
import type { MountedRequest } from '../runtimes/place.ts'

/** What this adapter asks of a Koa context. `mountPath` is koa-mount's. */
export interface KoaContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly originalUrl: string
  readonly mountPath?: string
  respond?: boolean
}

export type KoaMiddleware = (context: KoaContext, next: () => Promise<unknown>) => Promise<unknown>

/**
 * An app as middleware of Koa.
 *
 * ```ts
 * import { zapp } from 'zapp/koa'
 * koa.use(zapp(await loadApp('shop-1.2.0.zapp', { mount: '/shop' })))
 * koa.use(mount('/shop', zapp(await loadApp('shop-1.2.0.zapp'))))     // the same with koa-mount
 * ```
 *
 * The path may be given to {@link loadApp}, to koa-mount, or to both. Below its mount the app answers everything, misses
 * and errors too; paths outside go to `next`. The middleware is done when the answer is, so those around it can measure
 * it; what they set in the context by then comes too late.
 *
 * Put it before body parsers: a request has one body, and the app wants to read it. WebSocket upgrades do not pass
 * through Koa; give them to the app with `koa.listen(…).on('upgrade', app.upgrade)`.
 */
export function zapp(app: Pick<App, 'listener'>): KoaMiddleware {
  return (context, next) =>
    new Promise((resolve, reject) => {
      const req: MountedRequest = context.req
      const { res } = context
      req.originalUrl ??= context.originalUrl
      // Without koa-mount nothing was cut off, whatever a middleware has made of the URL.
      if (context.mountPath === undefined) req.baseUrl ??= ''
      // Koa begins with 404 for everybody; a listener of node:http expects 200.
      const { statusCode } = res
      res.statusCode = 200
      context.respond = false
      // koa-mount puts `req.url` back when this is done: not before the app is.
      res.once('close', resolve)
      if (res.closed) resolve(undefined)
      app.listener(req, res, () => {
        res.off('close', resolve)
        res.statusCode = statusCode
        context.respond = true
        next().then(resolve, reject)
      })
    })
}
