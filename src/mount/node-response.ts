import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { ResponseAnswer } from './answer.ts'

/**
 * Sends an answer. Resolves when the last byte was handed to the connection, or when the client went away: the content
 * is then no longer read. Rejects when the content broke in the middle; the connection is then destroyed, as the
 * client must not take what it has for the whole.
 */
export async function sendAnswer(answer: ResponseAnswer, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { status, headers, body } = answer
  res.writeHead(status, flatten(headers))
  if (body === null || req.method === 'HEAD') {
    res.end()
  } else if (body.stream === undefined) {
    res.end(body.bytes)
  } else if (!res.destroyed) {
    await pipeline(body.stream(), res).catch((error: NodeJS.ErrnoException) => {
      // The response was closed before it was complete: nobody is there to be told.
      if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
    })
  }
}

const flattened = new WeakMap<ResponseAnswer['headers'], string[]>()

/** Name, value, name, value: what node:http takes as it is. A file's fields are the same list for each request. */
function flatten(headers: ResponseAnswer['headers']): string[] {
  let flat = flattened.get(headers)
  if (flat === undefined) {
    flat = headers.flat()
    flattened.set(headers, flat)
  }
  return flat
}
