import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'

/** What the host answers by itself, where no app does. */
export interface Reply {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A refusal as a line of text. It repeats nothing that the client sent. */
export function refusal(status: number, text: string, headers: Readonly<Record<string, string>> = {}): Reply {
  const type = { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' }
  const body = `${status} ${STATUS_CODES[status]}\n${text}\n`
  return { status, body, headers: { ...type, 'Cache-Control': 'no-store', ...headers } }
}

export function sendReply(reply: Reply, req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(reply.status, { ...reply.headers, 'Content-Length': Buffer.byteLength(reply.body) })
  res.end(req.method === 'HEAD' ? undefined : reply.body)
}

/** For a connection that Node's parser has let go of: the whole response, after which the connection ends. */
function rawReply(reply: Reply): string {
  const headers = {
    ...reply.headers,
    'Content-Length': Buffer.byteLength(reply.body),
    Date: new Date().toUTCString(),
    Connection: 'close',
  }
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${reply.status} ${STATUS_CODES[reply.status]}\r\n${fields.join('')}\r\n${reply.body}`
}

/** Answers on a connection that no parser reads any more, and ends it. */
export function endWith(socket: Duplex, reply: Reply): void {
  socket.end(rawReply(reply), () => socket.destroy())
}
