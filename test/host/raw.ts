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

/** @param from the client's own address. Default: the system's choice */
export function open(port: number, host = '127.0.0.1', from?: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host, noDelay: true, ...(from && { localAddress: from }) }, () => resolve(socket))
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

/** A connection on which several answers are read, each with a Content-Length. */
export class Talk {
  readonly socket: Socket
  #text = ''
  #ended = false
  #wake = () => {}

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => {
      this.#text += chunk.toString('latin1')
      this.#wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#ended = true
      this.#wake()
    })
  }

  static async open(port: number): Promise<Talk> {
    return new Talk(await open(port))
  }

  /** Sends bytes (latin1) and reads one answer. */
  async ask(bytes: string): Promise<RawResponse> {
    this.socket.write(bytes, 'latin1')
    return this.answer()
  }

  /** The next answer; status 0 when the connection ended before it was whole. */
  async answer(): Promise<RawResponse> {
    for (;;) {
      const head = this.#text.indexOf('\r\n\r\n')
      if (head !== -1) {
        const response = parseResponse(this.#text.slice(0, head + 4))
        const end = head + 4 + Number(response.headers['content-length'] ?? 0)
        if (this.#text.length >= end) {
          const body = this.#text.slice(head + 4, end)
          this.#text = this.#text.slice(end)
          return { ...response, body }
        }
      }
      if (this.#ended) return { status: 0, headers: {}, body: this.#text }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
