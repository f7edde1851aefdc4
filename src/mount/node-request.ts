import type { IncomingMessage } from 'node:http'
import type { MountRequest } from './answer.ts'

/**
 * A request of `node:http`, seen by a mount.
 *
 * @param mount `""`, or `/shop`, without a slash at the end.
 * @param target give `req.originalUrl` under Express and Connect, which cut the mount off `req.url`.
 */
export function nodeRequest(req: IncomingMessage, mount: string, target: string = req.url ?? '/'): MountRequest {
  return { method: req.method ?? 'GET', target, mount, headers: { get: (name) => fieldOf(req, name) } }
}

function fieldOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
