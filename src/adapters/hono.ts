import type { App } from '../runtimes/load.ts'
import { isOutside } from './is-outside.ts'

/** As Hono calls handlers and middleware. */
export type HonoHandler = (
  context: { readonly req: { readonly raw: Request } },
  next: () => Promise<void>,
) => Promise<Response | undefined>

/**
 * An app as a handler of Hono, on Node (`@hono/node-server`) and wherever else Hono runs over `fetch`.
 *
 * ```ts
 * import { zapp } from 'zapp/hono'
 * hono.all('/shop/*', zapp(await loadApp('shop-1.2.0.zapp', { mount: '/shop' })))
 * ```
 *
 * Hono's routes cut nothing off the URL, so the app's mount is said to {@link loadApp}; `hono.use(zapp(app))` does as
 * well. Below its mount the app answers everything, misses and errors too. Other paths go to the next handler. Hono's
 * `mount()` does cut, and says nowhere what: use `zapp/fetch` with `cut` there.
 *
 * Hono reads a body only when a handler asks for it, and the app wants to read it: no validator or parser may come
 * before it. Upgrades do not pass through Hono; on Node give them to the app with `serve({ fetch: hono.fetch })
 * .on('upgrade', app.upgrade)`.
 */
export function zapp(app: Pick<App, 'fetch' | 'mount'>): HonoHandler {
  return async ({ req: { raw } }, next) => {
    if (!isOutside(app, raw)) return app.fetch(raw).catch((error) => orGone(raw, error))
    await next()
    return undefined
  }
}

/** The client went away: Hono would report an error for what is none. Nobody gets this answer. */
function orGone({ signal }: Request, error: unknown): Response {
  if (signal.aborted) return new Response(null, { status: 499 })
  throw error
}
