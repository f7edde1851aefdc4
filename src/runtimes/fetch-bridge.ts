import {
  type ClientRequest,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { type Duplex, duplexPair, Readable } from 'node:stream'
import { NULL_BODY } from './fetch-call.ts'
import { HOP_BY_HOP } from './hop-by-hop.ts'

type Bridge = (request: Request) => Promise<Response>

/**
 * Calls `(req, res)` code with a `Request` and gives its answer as a `Response`.
 *
 * The code gets true objects of node:http, because a server of node:http makes them: it reads from one end of a pair of
 * streams in memory, a client of node:http writes to the other. So streaming, back-pressure, aborts and every header
 * rule are Node's own, and frameworks that extend the objects or look into them find what they expect.
 */
export function createBridge(listener: (req: IncomingMessage, res: ServerResponse) => void): Bridge {
  const server = createServer({ requestTimeout: 0, headersTimeout: 0 }, listener)
  return (request) =>
    new Promise((resolve, reject) => {
      const [near, far] = duplexPair().map(asSocket) as [Duplex, Duplex]
      const url = new URL(request.url)
      // Express tells http from https by this property of the socket.
      if (url.protocol === 'https:') Object.assign(far, { encrypted: true })
      server.emit('connection', far)
      // An end that breaks must not leave the other waiting.
      near.on('close', () => far.destroy())
      far.on('close', () => near.destroy())

      const client = httpRequest({
        createConnection: () => near,
        method: request.method,
        path: url.pathname + url.search,
        headers: requestHeaders(request, url),
      })
      const abort = () => client.destroy(request.signal.reason)
      if (request.signal.aborted) abort()
      request.signal.addEventListener('abort', abort, { once: true })
      client.on('close', () => request.signal.removeEventListener('abort', abort))
      client.on('error', reject)
      client.on('response', (answer) => resolve(toResponse(answer, request)))
      sendBody(request, client)
    })
}

function requestHeaders(request: Request, url: URL): string[] {
  const left = (name: string) => HOP_BY_HOP.has(name) || name === 'host' || (name === 'content-length' && !request.body)
  const headers = [...request.headers].filter(([name]) => !left(name))
  const framing = request.body && !request.headers.has('content-length') ? [['Transfer-Encoding', 'chunked']] : []
  return [['Host', request.headers.get('host') ?? url.host], ...headers, ...framing, ['Connection', 'close']].flat()
}

function sendBody(request: Request, client: ClientRequest): void {
  if (!request.body) {
    client.end()
    return
  }
  // An answer may come before the whole body was read, and then nobody reads on: that is no error of the request.
  const body = Readable.fromWeb(request.body as import('node:stream/web').ReadableStream)
  body.on('error', (error) => client.destroy(error))
  client.on('close', () => body.destroy())
  body.pipe(client)
}

function toResponse(answer: IncomingMessage, { method, signal }: Request): Response {
  const headers = new Headers()
  for (let i = 0; i < answer.rawHeaders.length; i += 2) {
    const name = answer.rawHeaders[i]!
    if (!HOP_BY_HOP.has(name.toLowerCase())) headers.append(name, answer.rawHeaders[i + 1]!)
  }
  const { statusCode: status = 500, statusMessage: statusText = '' } = answer
  if (method === 'HEAD' || NULL_BODY.has(status)) {
    answer.resume()
    return new Response(null, { status, statusText, headers })
  }
  return new Response(toWeb(answer, signal), { status, statusText, headers })
}

/** Reads when the consumer pulls and not before; an answer that breaks off is an error, a cancel ends the request. */
function toWeb(answer: IncomingMessage, signal: AbortSignal): ReadableStream<Uint8Array> {
  const chunks = answer[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await chunks.next().catch((error: unknown) => {
          throw signal.aborted ? signal.reason : error
        })
        if (next.done) controller.close()
        else controller.enqueue(next.value)
      },
      cancel() {
        answer.destroy()
      },
    },
    { highWaterMark: 0 },
  )
}

/** What apps call on sockets, and what a stream in memory has no use for. */
function asSocket(stream: Duplex): Duplex {
  const none = () => stream
  return Object.assign(stream, { setTimeout: none, setNoDelay: none, setKeepAlive: none, ref: none, unref: none })
}
