import { nodeRequest } from '../mount/node-request.ts'
import { judgeRequestPath } from '../mount/request-path.ts'
import type { MountedRequest, Place } from './place.ts'

/** Fields of a body: it has been given to who sent the request on, and is not sent again. */
const OF_BODY = /^(?:content-.*|transfer-encoding|expect|trailer)$/

/**
 * Turns a request into the one that a script wants answered in its place, RFC 3875 §6.2.2: another path, GET or HEAD, no body.
 *
 * @returns false, and nothing is changed, for a path that is not this app's: only the client can go there
 */
export function redirectLocally(req: MountedRequest, { target, mount }: Place): boolean {
  if (typeof judgeRequestPath(nodeRequest(req, mount, target)) === 'number') return false
  if (req.method !== 'HEAD') req.method = 'GET'
  req.url = target
  delete req.originalUrl
  delete req.baseUrl
  const names = Object.keys(req.headers).filter((name) => OF_BODY.test(name))
  for (const name of names) {
    delete req.headers[name]
    delete req.headersDistinct[name]
  }
  req.rawHeaders = req.rawHeaders.filter((_, i, raw) => !OF_BODY.test(raw[i - (i % 2)]!.toLowerCase()))
  return true
}

/** A status line's worth of fields for a path outside of the app. */
export function clientRedirect(location: string): Record<string, string> {
  return { Location: location, 'Content-Length': '0' }
}
