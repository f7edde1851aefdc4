import { skipSegments } from '../mount/request-path.ts'
import type { MountedRequest } from '../runtimes/place.ts'

/** Moves the first segments of the path from `url` to `baseUrl`, as Express does, for a container that cuts nothing. */
export function cutPrefix(req: MountedRequest, segments: number): MountedRequest {
  const url = req.url ?? '/'
  const path = url.split('?', 1)[0]!
  const rest = skipSegments(path, segments)
  req.originalUrl ??= url
  req.baseUrl = path.slice(0, path.length - rest.length)
  req.url = (rest === '' ? '/' : '') + url.slice(req.baseUrl.length)
  return req
}
