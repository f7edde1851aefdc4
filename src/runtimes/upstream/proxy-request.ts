import type { ServerResponse } from 'node:http'
import type { MountedRequest } from '../place.ts'
import { hasBody, isHostField } from '../request-head.ts'
import { writeHead } from '../write-head.ts'
import type { AnswerHead } from './answer-parser.ts'
import type { Connection, ExchangeListener } from './connection.ts'
import { requestFields, responseFields } from './proxy-fields.ts'
import type { Upstream } from './upstream.ts'

/** May be asked again when the connection turned out to be closed, RFC 9110 §9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
/** A body that is not longer goes out in one write with its head. */
const SHORT = 4096
const NOTHING = Buffer.alloc(0)
/** In a field: what was put in by others than a client is not to end a line. */
const UNSENDABLE = /[^\t\x20-\x7e\x80-\xff]/

/**
 * Lets a program answer a request: both bodies run as they come and no faster than the other side takes them; each
 * side's breaking off is passed to the other. Trailers are not passed on.
 *
 * @throws whatever keeps the program from giving a whole answer. What was sent until then stays sent.
 */
export async function proxyRequest(upstream: Upstream, req: MountedRequest, res: ServerResponse): Promise<void> {
  if (!isHostField(req.headers.host ?? 'localhost')) return void res.writeHead(400, { Connection: 'close' }).end()
  await new Exchange(upstream, req, res).done
}

/** A request that is passed on, and its answer. */
class Exchange implements ExchangeListener {
  /** Resolves when the answer has been sent, or the client has gone. */
  readonly done: Promise<void>
  readonly #upstream: Upstream
  readonly #req: MountedRequest
  readonly #res: ServerResponse
  readonly #head: string
  readonly #hasBody: boolean
  readonly #isRepeatable: boolean
  #connection: Connection
  #resolve = () => {}
  #reject = (_: Error) => {}
  /** How far the request is. */
  #isSent: boolean
  /** How far the answer is. */
  #answer: 'awaited' | 'begun' | 'running' | 'over' = 'awaited'

  constructor(upstream: Upstream, req: MountedRequest, res: ServerResponse) {
    this.#upstream = upstream
    this.#req = req
    this.#res = res
    this.#head = headOf(req)
    this.#hasBody = hasBody(req)
    this.#isSent = !this.#hasBody
    this.#isRepeatable = !this.#hasBody && IDEMPOTENT.has(req.method ?? 'GET')
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    res.on('close', this.#onClose).on('drain', this.#onTaken).on('error', this.#onFailed)
    this.#connection = this.#ask(upstream.closesIdle && !this.#isRepeatable)
  }

  onInformation({ status, fields }: AnswerHead): void {
    if (status !== 103 || this.#req.httpVersion !== '1.1') return
    const link = fields.filter((_, i) => i % 2 === 1 && fields[i - 1]?.toLowerCase() === 'link')
    try {
      if (link.length > 0) this.#res.writeEarlyHints({ link })
    } catch {
      // Only a hint, and not one that can be sent.
    }
  }

  onHead({ status, reason, fields, connection }: AnswerHead): void {
    writeHead(this.#res, status, reason, responseFields(fields, connection))
    this.#answer = 'begun'
  }

  onBody(bytes: Buffer, isLast: boolean): void {
    this.#answer = isLast ? 'over' : 'running'
    if (!isLast) {
      if (!this.#res.write(Buffer.from(bytes))) this.#connection.pause()
    } else if (bytes.length === 0) {
      this.#res.end()
    } else if (bytes.length <= SHORT) {
      this.#res.end(bytes.toString('latin1'), 'latin1')
    } else {
      this.#res.end(Buffer.from(bytes))
    }
  }

  onRead(): void {
    // The body may take its time: a stream of events has begun when its head is there.
    if (this.#answer === 'begun') this.#res.flushHeaders()
  }

  onDrain(): void {
    this.#req.resume()
  }

  onError(error: NodeJS.ErrnoException): void {
    // The client has a whole answer, whatever a program says behind it: a body to HEAD, or more than its length.
    if (this.#answer === 'over') return
    const isUnanswered = this.#answer === 'awaited' && !this.#res.destroyed
    if (isUnanswered && this.#isRepeatable && this.#connection.isReused && isReset(error)) {
      // On a fresh connection it cannot happen that the program closes it for being idle while we send.
      this.#connection = this.#ask(true)
      return
    }
    this.#fail(error)
  }

  #fail(error: Error): void {
    this.#leave()
    this.#reject(error)
    if (this.#answer !== 'awaited') this.#res.destroy()
  }

  #ask(fresh: boolean): Connection {
    const connection = this.#upstream.take(fresh)
    connection.send(this.#head, this.#req.method === 'HEAD', this)
    // Not before there is a connection: where there is none, the whole body is still there for another attempt.
    if (this.#hasBody) connection.whenConnected(() => this.#sendBody())
    return connection
  }

  #sendBody(): void {
    const isChunked = this.#req.headers['transfer-encoding'] !== undefined
    this.#req.on('data', isChunked ? this.#onChunk : this.#onData).on('end', () => {
      if (isChunked) this.#connection.writeChunk(NOTHING)
      this.#isSent = true
    })
  }

  readonly #onData = (bytes: Buffer) => {
    if (!this.#connection.write(bytes)) this.#req.pause()
  }

  readonly #onChunk = (bytes: Buffer) => {
    if (!this.#connection.writeChunk(bytes)) this.#req.pause()
  }

  readonly #onTaken = () => this.#connection.resume()

  readonly #onFailed = (error: Error) => {
    this.#connection.destroy()
    this.#fail(error)
  }

  /** The answer is sent; where it is not whole, the client has gone, and nobody is there to be told. */
  readonly #onClose = () => {
    this.#leave()
    // What still comes of the request is nobody's.
    if (this.#hasBody) this.#req.resume()
    if (this.#answer === 'over' && this.#isSent) this.#upstream.giveBack(this.#connection)
    else this.#connection.destroy()
    this.#resolve()
  }

  #leave(): void {
    this.#res.off('close', this.#onClose).off('drain', this.#onTaken).off('error', this.#onFailed)
    if (this.#hasBody) this.#req.off('data', this.#onData).off('data', this.#onChunk)
  }
}

/** RFC 9112 §3 and §5. */
function headOf(req: MountedRequest): string {
  const { method = 'GET', url = '/' } = req
  if (/[^\x21-\xff]/.test(url)) throw new Error('its target cannot be sent')
  const fields = requestFields(req)
  let text = `${method} ${url} HTTP/1.1\r\n`
  for (let i = 0; i < fields.length; i += 2) {
    const [name, value] = [fields[i] as string, fields[i + 1] as string]
    if (UNSENDABLE.test(name) || UNSENDABLE.test(value)) throw new Error('a field of it cannot be sent')
    text += `${name}: ${value}\r\n`
  }
  return `${text}\r\n`
}

function isReset({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE'
}
