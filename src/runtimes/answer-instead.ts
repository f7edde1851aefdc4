import type { IncomingMessage } from 'node:http'
import { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** Status that went out over an app's head, by connection, which ends then: its response knows nothing of it. */
export const statusInstead = new WeakMap<Duplex, number>()

/**
 * Takes the answer from code that has not begun one. What the code does with `res` later has no effect: it is a response
 * whose client has gone, to which Node lets everybody write. After an answer of ours on `res` itself, the code's own, when
 * it comes, would throw where nobody catches it, and end the process with all other requests in it.
 *
 * `res` says `close` when the answer in its place is out ({@link statusInstead}). The connection ends.
 *
 * @returns undefined: its turn on the connection has not come, or there is no connection any more
 */
export function answerInstead(req: IncomingMessage, res: ServerResponse): ServerResponse | undefined {
  const { socket } = res
  if (!socket || res.headersSent) return undefined
  res.detachSocket(socket)
  // What `destroy` does, but for the `close` that Node 24 and newer say then: it is not over yet.
  res.destroyed = true
  const instead = new ServerResponse(req)
  instead.shouldKeepAlive = false
  instead.assignSocket(socket)
  let isOver = false
  const over = () => {
    if (isOver) return
    isOver = true
    if (instead.writableFinished) statusInstead.set(socket, instead.statusCode)
    res.emit('close')
  }
  instead.once('close', over)
  instead.once('finish', () => {
    socket.destroySoon()
    over()
  })
  return instead
}
