import { createHash } from 'node:crypto'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'

/** Fields that mean something to a client. */
const FIELDS = [
  'accept-ranges',
  'allow',
  'cache-control',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'etag',
  'location',
  'set-cookie',
  'vary',
  'www-authenticate',
  'x-content-type-options',
  'x-frame-options',
]

export interface Answer {
  readonly status: number
  readonly fields: Readonly<Record<string, string>>
  /** The content, or its SHA-256 where that is long. */
  readonly body: string
}

export interface Asked {
  readonly method: string
  /** Below the mount, and the query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | Buffer | undefined
}

/** What every container is asked alike, also where a client would add fields of its own. */
const COMMON = { Host: 'shop.example', 'Accept-Encoding': 'identity' }

/** Asks a port of 127.0.0.1 by a connection of its own; the target reaches the server as it is. */
export function ask(port: number, mount: string, { method, path, headers, body }: Asked): Promise<Answer> {
  const options = { method, path: `${mount}${path}` || '/', headers: { ...COMMON, ...headers } }
  return new Promise((resolve, reject) => {
    const req = httpRequest({ ...options, host: '127.0.0.1', port, agent: false }, async (res) => {
      const chunks: Buffer[] = []
      try {
        for await (const chunk of res) chunks.push(chunk)
        resolve(answerOf(method, res.statusCode ?? 0, res.headers, Buffer.concat(chunks)))
      } catch (error) {
        reject(error)
      }
    })
    req.on('error', reject).end(body)
  })
}

/** Asks a container that has no port: it is called with what `fetch` is. */
export async function askFetch(
  fetch: (path: string, init: RequestInit) => Promise<Response>,
  mount: string,
  { method, path, headers, body }: Asked,
): Promise<Answer> {
  const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
  const content = body === undefined ? {} : { body: new Uint8Array(Buffer.from(body)) }
  const init = { method, headers: { ...COMMON, ...length, ...headers }, ...content }
  const answer = await fetch(`${mount}${path}` || '/', init)
  const fields = Object.fromEntries([...answer.headers.keys()].map((name) => [name, answer.headers.get(name) ?? '']))
  return answerOf(method, answer.status, fields, Buffer.from(await answer.arrayBuffer()))
}

function answerOf(method: string, status: number, headers: IncomingHttpHeaders, content: Buffer): Answer {
  const left = new Set<string>()
  // Where there is no content, some say that its length is 0, which RFC 9110 §8.6 forbids and nobody reads.
  if (status === 204 || status === 304) left.add('content-length')
  // The type of nothing: wsgiref.validate demands one in every answer, Hono adds one.
  if (content.length === 0 && method !== 'HEAD') left.add('content-type')
  const names = FIELDS.filter((name) => !left.has(name))
  const fields = names.flatMap((name) => (headers[name] === undefined ? [] : [[name, String(headers[name])]]))
  const body = content.length <= 500 ? content.toString() : createHash('sha256').update(content).digest('hex')
  return { status, fields: Object.fromEntries(fields), body }
}
