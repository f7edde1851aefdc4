import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach } from 'vitest'
import type { Mount } from '../../../src/mount/mount.ts'
import { nodeRequest } from '../../../src/mount/node-request.ts'
import { sendAnswer } from '../../../src/mount/node-response.ts'

const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

export interface Served {
  readonly port: number
  /** What sendAnswer came to, a promise for each request. */
  readonly sent: Promise<void>[]
}

/** The mount behind a plain `node:http` server. A request that belongs to an entry gets its name and path as text. */
export async function serveMount(mount: Mount, at = ''): Promise<Served> {
  const sent: Promise<void>[] = []
  const server = createServer(async (req, res) => {
    const answer = await mount.answer(nodeRequest(req, at))
    if (answer.kind === 'entry') {
      res.end(`${answer.entry} ${answer.scriptName}|${answer.pathInfo}|${answer.query}`)
      return
    }
    const sending = sendAnswer(answer, req, res)
    sending.catch(() => {})
    sent.push(sending)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, sent }
}

export interface RawResponse {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

/** Sends exactly these bytes on a connection of their own, and reads until the server ends it. */
export async function sendRaw(port: number, text: string): Promise<RawResponse> {
  const socket = connect(port, '127.0.0.1')
  socket.write(Buffer.from(text, 'latin1'))
  const bytes = Buffer.concat(await socket.toArray())
  return parseResponse(bytes)
}

/** A request line and what must not be missing, on a connection that the server closes. */
export function sendLine(port: number, line: string, headers: Record<string, string> = {}): Promise<RawResponse> {
  const fields = { Host: 'shop.example', Connection: 'close', ...headers }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  return sendRaw(port, `${line} HTTP/1.1\r\n${lines.join('')}\r\n`)
}

function parseResponse(bytes: Buffer): RawResponse {
  const end = bytes.indexOf('\r\n\r\n')
  const [statusLine = '', ...fields] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const headers = new Headers(fields.map((field) => field.split(/:\s*(.*)/s).slice(0, 2) as [string, string]))
  const rest = bytes.subarray(end + 4)
  const body = headers.get('transfer-encoding') === 'chunked' ? joinChunks(rest) : rest
  return { status: Number(statusLine.split(' ')[1]), headers, body }
}

/** RFC 9112 §7.1, without extensions and trailers. */
function joinChunks(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const line = bytes.indexOf('\r\n', at)
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16)
    if (!(size > 0)) return Buffer.concat(parts)
    parts.push(bytes.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
}
