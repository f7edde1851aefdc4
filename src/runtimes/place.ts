import type { IncomingMessage } from 'node:http'

/** What Express and Connect add to a request that they pass to a mounted app. */
export interface MountedRequest extends IncomingMessage {
  originalUrl?: string
  baseUrl?: string
}

/** Where a request stands: its whole target, and the mount in front of the app's own part of it. */
export interface Place {
  readonly target: string
  readonly mount: string
}

/**
 * Puts the mount that an app was loaded with and the one that a container has cut off already together.
 *
 * A container that mounts (`outer.use('/shop', app.listener)`) has moved its prefix from `url` to `baseUrl` (Express) or
 * just left it in `originalUrl` (Connect). Where that prefix ends in the app's own mount it is the same mount, said
 * twice; else the app's comes below it.
 */
export function placeOf(req: MountedRequest, mount: string): Place {
  const url = req.url ?? '/'
  const { originalUrl } = req
  if (originalUrl === undefined) return { target: url, mount }
  const [path, query] = split(url)
  const [whole] = split(originalUrl)
  const prefix = req.baseUrl ?? prefixOf(whole, path)
  if (prefix === '') return { target: url, mount }
  // For the mount itself, `/shop`, the container has made up a slash that the client did not send.
  const target = whole === prefix && path === '/' ? prefix + query : prefix + url
  return { target, mount: prefix.endsWith(mount) ? prefix : prefix + mount }
}

function prefixOf(whole: string, path: string): string {
  if (whole.endsWith(path)) return whole.slice(0, whole.length - path.length)
  return path === '/' ? whole : ''
}

function split(url: string): [path: string, query: string] {
  const mark = url.indexOf('?')
  return mark === -1 ? [url, ''] : [url.slice(0, mark), url.slice(mark)]
}
