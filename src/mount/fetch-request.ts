import type { MountRequest } from './answer.ts'

/**
 * A `Request`, seen by a mount. Its URL has been normalised before we can judge it (`/a/%2e%2e/b` is `/b`): a file
 * outside its route cannot be reached that way, as the table is asked for the path that results.
 */
export function fetchRequest(request: Request, mount: string): MountRequest {
  const { pathname, search } = new URL(request.url)
  return { method: request.method, target: pathname + search, headers: request.headers, mount }
}
