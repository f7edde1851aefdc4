import type { App } from '../runtimes/load.ts'
import { isOutside } from './is-outside.ts'

export interface FetchOptions<Host extends unknown[]> {
  /** Answers requests outside the app's mount, called as the host calls. Default: the app answers them, with 404. */
  readonly next?: (request: Request, ...host: Host) => Response | Promise<Response>
  /** The host has cut the app's mount off `request.url` (the `mount()` of Hono and h3): it is put back. Default false. */
  readonly cut?: boolean
}

/** What Bun, Deno, workers and others pass beside the request is theirs, and goes to `next` only. */
export interface FetchHandler<Host extends unknown[]> {
  readonly fetch: (request: Request, ...host: Host) => Promise<Response>
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
export function zapp<Host extends unknown[] = unknown[]>(
  app: Pick<App, 'fetch' | 'mount'>,
  { next, cut = false }: FetchOptions<Host> = {},
): FetchHandler<Host> {
  return {
    async fetch(received, ...host) {
      const request = cut ? putBack(app.mount, received) : received
      return next && isOutside(app, request) ? next(received, ...host) : app.fetch(request)
    },
  }
}

function putBack(mount: string, request: Request): Request {
  const url = new URL(request.url)
  url.pathname = mount + url.pathname
  return new Request(url, request)
}
