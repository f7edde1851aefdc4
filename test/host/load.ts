import { createHash } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** What a client asks for again and again, on one connection that it keeps. */
export interface Task {
  readonly method: 'GET' | 'POST'
  /** A function where it follows from an answer before. */
  readonly target: string | (() => string)
  readonly body?: Buffer
  /** Before the next one is asked. Default: none, as much load as the machine gives. */
  readonly pauseMs?: number
  /** Throws, or says what is wrong. */
  readonly check: (answer: LoadAnswer) => string | undefined
}

export interface LoadAnswer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly length: number
  /** SHA-256 of the body in hex. */
  readonly hash: string
  /** The body, of at most 1 KiB. */
  readonly text: string
}

export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  /** Every request that was not answered as it should: what was asked, and what came. */
  readonly failures: readonly string[]
}

export interface Load {
  /** How many were answered so far. */
  readonly requests: number
  readonly failures: readonly string[]
  /** Lets each client end the request that it is at. */
  stop(): Promise<LoadResult>
}

/**
 * Keeps connections busy, and counts without mercy: an answer that is not whole, a connection that ends before an answer,
 * also one that was idle when the request was sent, are failures. Nothing is asked twice.
 *
 * @param tasks of each connection, in turn
 */
export function startLoad(port: number, connections: readonly (readonly Task[])[]): Load {
  const failures: string[] = []
  const start = performance.now()
  let requests = 0
  let stopped = false

  async function client(tasks: readonly Task[]): Promise<void> {
    let wire: Wire | undefined
    for (let i = 0; !stopped; i++) {
      const task = tasks[i % tasks.length]!
      const target = typeof task.target === 'string' ? task.target : task.target()
      try {
        wire ??= await Wire.open(port)
        const answer = await wire.ask({ ...task, target })
        requests++
        const wrong = task.check(answer)
        if (wrong !== undefined) failures.push(`${task.method} ${target}: ${wrong}`)
        if (task.pauseMs !== undefined) await sleep(task.pauseMs)
        if (answer.headers.get('connection') === 'close') throw new Error('the server ends the connection')
      } catch (error) {
        if (!String(error).includes('the server ends')) failures.push(`${task.method} ${target}: ${error}`)
        // What cannot be reached is not asked without a pause: the failures are counted, not multiplied.
        if (!wire) await sleep(20)
        wire?.close()
        wire = undefined
      }
    }
    wire?.close()
  }

  const clients = connections.map(client)
  return {
    get requests() {
      return requests
    },
    failures,
    async stop() {
      stopped = true
      await Promise.all(clients)
      return { requests, seconds: (performance.now() - start) / 1000, failures }
    },
  }
}

/** Whoever waits as long waits for ever. */
const SILENCE_MS = 45_000

/** Reads answers that have a Content-Length or come in chunks. */
class Wire {
  readonly #socket: Socket
  #buffer = Buffer.alloc(0)
  #ended: Error | undefined
  #wake = () => {}

  static open(port: number): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(new Wire(socket)))
      socket.once('error', reject)
    })
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error(`nothing came for ${SILENCE_MS / 1000} s`)))
    socket.on('data', (chunk) => {
      this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
      this.#wake()
    })
    socket.on('error', (error) => this.#end(error))
    socket.on('close', () => this.#end(new Error('the connection ended')))
  }

  close(): void {
    this.#socket.destroy()
  }

  async ask({ method, target, body }: Task & { readonly target: string }): Promise<LoadAnswer> {
    const length = body ? `Content-Length: ${body.length}\r\n` : ''
    this.#socket.write(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${length}\r\n`)
    if (body) this.#socket.write(body)
    const head = (await this.#until(Buffer.from('\r\n\r\n'))).toString('latin1')
    const [line = '', ...fields] = head.split('\r\n')
    const headers = new Map(
      fields.map((field) => {
        const at = field.indexOf(':')
        return [
          field.slice(0, at).toLowerCase(),
          field
            .slice(at + 1)
            .trim()
            .toLowerCase(),
        ]
      }),
    )
    const hash = createHash('sha256')
    let [size, text] = [0, '']
    const take = (chunk: Buffer) => {
      hash.update(chunk)
      size += chunk.length
      if (text.length < 1024) text += chunk.toString('latin1', 0, 1024)
    }
    if (headers.get('transfer-encoding') === 'chunked') {
      for (;;) {
        const chunk = Number.parseInt((await this.#until(Buffer.from('\r\n'))).toString(), 16)
        await this.#take(chunk, take)
        await this.#take(2, () => {})
        if (chunk === 0) break
      }
    } else {
      await this.#take(Number(headers.get('content-length') ?? 0), take)
    }
    return { status: Number(line.split(' ')[1]), headers, length: size, hash: hash.digest('hex'), text }
  }

  #end(error: Error): void {
    this.#ended ??= error
    this.#wake()
  }

  async #more(): Promise<void> {
    if (this.#ended) throw this.#ended
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }

  async #until(mark: Buffer): Promise<Buffer> {
    let at = this.#buffer.indexOf(mark)
    for (; at === -1; at = this.#buffer.indexOf(mark)) await this.#more()
    const found = this.#buffer.subarray(0, at)
    this.#buffer = this.#buffer.subarray(at + mark.length)
    return found
  }

  async #take(length: number, take: (chunk: Buffer) => void): Promise<void> {
    for (let left = length; left > 0; ) {
      if (this.#buffer.length === 0) await this.#more()
      const chunk = this.#buffer.subarray(0, left)
      this.#buffer = this.#buffer.subarray(chunk.length)
      left -= chunk.length
      if (chunk.length > 0) take(chunk)
    }
  }
}
