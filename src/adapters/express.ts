import type { IncomingMessage, ServerResponse } from 'node:http'
import type { App } from '../runtimes/load.ts'

/** As Express 4 and 5 call middleware. Their request and response extend those of `node:http`. */
export type ExpressMiddleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

/**
 * An app as middleware of Express 4 or 5.
 *
 * ```ts
 * import { zapp } from 'zapp/express'
 * outer.use('/shop', zapp(await loadApp('shop-1.2.0.zapp')))
 * ```
 *
 * The path may be given here, to {@link loadApp} as `mount`, or to both; only an app whose manifest has a `base` needs
 * it there. Below its mount the app answers everything, misses and errors too, as it would in any other container: what
 * comes after it in the outer app never sees such a request. Paths outside its mount go to `next`.
 *
 * Put it before body parsers: a request has one body, and the app wants to read it. WebSocket upgrades do not pass
 * through Express; give them to the app with `server.on('upgrade', app.upgrade)`.
 */
export function zapp(app: Pick<App, 'listener'>): ExpressMiddleware {
  return (req, res, next) => {
    // Express 4 leaves the query here, parsed as the outer app wants it. The app's own framework would take that over.
    const query = Object.getOwnPropertyDescriptor(req, 'query')
    if (query) Reflect.deleteProperty(req, 'query')
    app.listener(req, res, (error) => {
      if (query) Object.defineProperty(req, 'query', query)
      next(error)
    })
  }
}
