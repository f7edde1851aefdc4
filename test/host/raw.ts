import { connect, type Socket } from 'node:net'

export interface RawResponse {
  readonly status: number
  /** By lower-case name; the last of equal ones. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Sends bytes (latin1) as they are and reads until the server ends the connection. */
export async function sendRaw(port: number, ...parts: readonly string[]): Promise<string> {
  const socket = await open(port)
  const answer = readAll(socket)
  for (const part of parts) {
    socket.write(part, 'latin1')
    // Each part in a segment of its own.
    if (parts.length > 1) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return answer
}

export function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket))
    socket.once('error', reject)
  })
}

/** Everything until the connection ends, in whatever way. */
export function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(text))
  })
}

/** The first response in a text; chunked bodies stay as they are. */
export function parseResponse(text: string): RawResponse {
  const end = text.indexOf('\r\n\r\n')
  const [line = '', ...fields] = text.slice(0, end).split('\r\n')
  const headers = Object.fromEntries(
    fields.map((field) => [
      field.slice(0, field.indexOf(':')).toLowerCase(),
      field.slice(field.indexOf(':') + 1).trim(),
    ]),
  )
  return { status: Number(line.split(' ')[1] ?? 0), headers, body: text.slice(end + 4) }
}
