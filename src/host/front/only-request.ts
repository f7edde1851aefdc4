import { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Head, OnlyHead } from './read-head.ts'

/** A request without a body that is the only one of its connection. */
export type OnlyRequest = Omit<Head, 'only'> & { readonly only: OnlyHead }

/**
 * Request and response as `http.Server` makes them. It is not needed where one head, read already, is all that comes:
 * to let it read the connection costs as much as to have it answered by another process.
 */
export function openExchange(socket: Socket, { method, target, only }: OnlyRequest): [IncomingMessage, ServerResponse] {
  const req = new IncomingMessage(socket)
  Object.assign(req, { method, url: target, httpVersion: only.version })
  Object.assign(req, { httpVersionMajor: 1, httpVersionMinor: only.version === '1.0' ? 0 : 1 })
  // Node's own way to fill in fields, so that `headers` are what it makes of them.
  ;(req as IncomingMessage & { _addHeaderLines(fields: readonly string[], count: number): void })._addHeaderLines(
    only.fields,
    only.fields.length,
  )
  req.complete = true
  req.push(null)
  const res = new ServerResponse(req)
  res.shouldKeepAlive = false
  res.assignSocket(socket)
  socket.on('drain', () => res.emit('drain'))
  res.on('finish', () => socket.destroySoon())
  return [req, res]
}
