import type { IncomingMessage, ServerResponse } from 'node:http'
import { checkResponse, entryUrl, NULL_BODY, PREFIX_FIELD } from './fetch-call.ts'
import { HOP_BY_HOP } from './hop-by-hop.ts'
import type { Listener } from './listener-shapes.ts'
import type { MountedRequest } from './place.ts'
import { hasBody, isHostField } from './request-head.ts'
import type { FetchHandler } from './running-entry.ts'
import { ServerRequest } from './server-request.ts'
import { writeHead } from './write-head.ts'

/** Methods that the Fetch Standard forbids a Request to have. */
const FORBIDDEN_METHOD = /^(?:CONNECT|TRACE|TRACK)$/i

/**
 * Lets a fetch handler answer what `node:http` asks. Both bodies are streams that run no faster than they are read; the
 * request's signal aborts when the client is gone before it has the whole answer.
 */
export function createFetchListener(handler: FetchHandler): Listener {
  return async (req, res) => {
    const { host = 'localhost' } = req.headers
    if (!isHostField(host)) return void res.writeHead(400, { Connection: 'close' }).end()
    if (FORBIDDEN_METHOD.test(req.method ?? '')) return void res.writeHead(501).end()
    const request = requestOf(req, res, host)
    res.once('close', () => {
      if (!res.writableFinished) request.abort()
    })
    await sendResponse(checkResponse(await handler(request)), req, res)
  }
}

function requestOf(req: MountedRequest, res: ServerResponse, host: string): ServerRequest {
  const { method = 'GET', rawHeaders, url = '/', baseUrl = '' } = req
  const headers: [string, string][] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    if (!HOP_BY_HOP.has(name) && name !== 'x-forwarded-prefix') headers.push([name, rawHeaders[i + 1]!])
  }
  if (baseUrl !== '') headers.push([PREFIX_FIELD, baseUrl])
  const mark = url.indexOf('?')
  const path = mark === -1 ? { pathInfo: url, query: '' } : { pathInfo: url.slice(0, mark), query: url.slice(mark) }
  const scheme = 'encrypted' in req.socket && req.socket.encrypted ? 'https' : 'http'
  const address = entryUrl(`${scheme}://${host}`, path)
  if (method === 'GET' || method === 'HEAD' || !hasBody(req)) return new ServerRequest(address, { method, headers })
  return new ServerRequest(address, { method, headers, body: bodyOf(req, res), duplex: 'half' })
}

/** What the app has not read when the answer is out is thrown away: the next request stands behind it. */
function bodyOf(req: IncomingMessage, res: ServerResponse): ReadableStream<Uint8Array> {
  let stop = () => {}
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const take = (chunk: Buffer) => {
          req.pause()
          controller.enqueue(chunk)
        }
        const end = () => {
          stop()
          controller.close()
        }
        const breakOff = () => {
          stop()
          controller.error(new Error('the request was broken off'))
        }
        stop = () => {
          req.off('data', take).off('end', end).resume()
          res.off('close', breakOff)
        }
        req.on('data', take).once('end', end).pause()
        // Its own error comes later than this, and only where somebody listens for it.
        res.once('close', breakOff)
      },
      pull: () => void req.resume(),
      cancel: () => stop(),
    },
    { highWaterMark: 0 },
  )
}

async function sendResponse(response: Response, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { status, body } = response
  if (res.destroyed) return body?.cancel()
  if (body !== null && req.method !== 'HEAD' && !NULL_BODY.has(status)) return sendBody(response, body, res)
  sendHead(response, res, body === null && req.method !== 'HEAD' && !NULL_BODY.has(status) ? 0 : undefined)
  res.end()
  await body?.cancel()
}

/**
 * An answer that is complete within two turns of the event loop, as most are, goes out in one piece with its length;
 * of one that is not, what there is goes out at once.
 */
async function sendBody(response: Response, body: ReadableStream<Uint8Array>, res: ServerResponse): Promise<void> {
  const reader = body.getReader()
  res.once('close', () => void reader.cancel().catch(() => {}))
  let next = reader.read()
  let got = await Promise.race([next, turn()])
  const first = got?.value
  if (first !== undefined) {
    next = reader.read()
    got = await Promise.race([next, turn()])
  }
  sendHead(response, res, got?.done ? (first?.length ?? 0) : undefined)
  if (got?.done) return void res.end(first)
  if (first === undefined) res.flushHeaders()
  else if (!res.write(first)) await drained(res)
  for (let chunk = await next; !chunk.done; chunk = await reader.read()) {
    if (!res.write(chunk.value)) await drained(res)
  }
  res.end()
}

function sendHead({ status, statusText, headers }: Response, res: ServerResponse, length?: number): void {
  const fields = [...headers].flat()
  if (length !== undefined && !headers.has('content-length')) fields.push('Content-Length', String(length))
  writeHead(res, status, statusText, fields)
}

function turn(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(() => resolve(undefined)))
}

/** Room for more, or nobody there any more. */
function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      res.off('drain', done).off('close', done)
      resolve()
    }
    res.once('drain', done).once('close', done)
  })
}
