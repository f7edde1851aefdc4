import type { IncomingMessage, ServerResponse } from 'node:http'

/**
 * Calls `onLate` when an answer is not complete `ms` after now, as far as that is for the app to do. Where the app waits
 * for the client then, for the rest of a long upload say, it has as much time again: how slow a client may be is judged
 * elsewhere.
 */
export function limitRequestTime(req: IncomingMessage, res: ServerResponse, ms: number, onLate: () => void): void {
  let timer = setTimeout(look, ms)
  res.once('close', () => clearTimeout(timer))

  function look(): void {
    if (res.writableEnded || res.destroyed) return
    if (isReading(req) || res.writableNeedDrain) timer = setTimeout(look, ms)
    else onLate()
  }
}

/** It has asked for more of the body than there is. */
function isReading(req: IncomingMessage): boolean {
  return !req.complete && req.readableFlowing !== null && req.readableLength === 0
}
