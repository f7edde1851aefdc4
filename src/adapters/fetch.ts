import type { App } from '../runtimes/load.ts'
import { isOutside } from './is-outside.ts'

/** As Bun, Deno, srvx, workers and others call a server: what comes after the request is the host's own affair. */
export type FetchHandler = (request: Request, ...host: never[]) => Response | Promise<Response>

export interface FetchOptions<Next extends FetchHandler = FetchHandler> {
  /** Answers requests outside the app's mount, called as the host calls. Default: the app answers them, with 404. */
  readonly next?: Next
  /** The host has cut the app's mount off `request.url` (the `mount()` of Hono and h3): it is put back. Default false. */
  readonly cut?: boolean
}

/**
 * An app as an object with a `fetch` method, for every host that speaks `Request` and `Response`.
 *
 * ```ts
 * import { zapp } from 'zapp/fetch'
 * const app = await loadApp('shop-1.2.0.zapp', { mount: '/shop' })
 * export default zapp(app, { next: () => new Response('outer') })                     // Bun, srvx, workers
 * Deno.serve(zapp(app).fetch)
 * addEventListener('fetch', (event) => event.respondWith(zapp(app).fetch(event.request))) // service workers
 * ```
 *
 * A URL holds the whole path, so the app's mount is said to {@link loadApp}. The method may be used detached, and needs
 * standard globals only; opening the archive and running its code takes Node's modules, as Bun and Deno have them too.
 *
 * A request whose body was read cannot be given to the app. There are no upgrades: a `Response` cannot carry them. On a
 * host with `http.Server` use `zapp/node-http`.
 */
export function zapp<Next extends FetchHandler = FetchHandler>(
  app: Pick<App, 'fetch' | 'mount'>,
  { next, cut = false }: FetchOptions<Next> = {},
): { readonly fetch: (...args: Parameters<Next>) => Promise<Response> } {
  return {
    async fetch(...args) {
      const request = cut ? below(app.mount, args[0]) : args[0]
      return next && isOutside(app, request) ? next(...args) : app.fetch(request)
    },
  }
}

function below(mount: string, request: Request): Request {
  const url = new URL(request.url)
  url.pathname = mount + url.pathname
  return new Request(url, request)
}
