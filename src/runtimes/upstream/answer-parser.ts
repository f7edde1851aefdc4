import { BadAnswer } from '../bad-answer.ts'
import { FieldKinds } from '../field-kinds.ts'
import { readFields } from '../read-fields.ts'

/** The head of an answer, RFC 9112 §4 and §5. */
export interface AnswerHead {
  readonly status: number
  readonly reason: string
  /** Name, value, name, value …, as they came; one character for each byte. */
  readonly fields: readonly string[]
  /** All that its Connection fields say, in lower case; `""` where there is none. */
  readonly connection: string
}

/** Who is told of an answer. */
export interface AnswerListener {
  /** An answer before the answer: 1xx, but 101. */
  onInformation(head: AnswerHead): void
  onHead(head: AnswerHead): void
  /** @param bytes of the body, good for this call only @param isLast the answer is over; there may be no bytes then */
  onBody(bytes: Buffer, isLast: boolean): void
}

/** Bytes of a head, and of trailers: what Node's own client takes. */
const MAX_HEAD = 16 * 1024
const NOTHING = Buffer.alloc(0)

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n/
const CHUNK_SIZE = /^([0-9a-f]{1,13})[\t ]*(?:;.*)?$/i

const OTHER = 0
const CONNECTION = 1
const LENGTH = 2
const CODING = 3
const kinds = new FieldKinds((lower) => {
  if (lower === 'connection') return CONNECTION
  if (lower === 'content-length') return LENGTH
  return lower === 'transfer-encoding' ? CODING : OTHER
})

/** A head, and what it says of the message. */
interface Framed extends AnswerHead {
  /** Of HTTP/1. */
  readonly minor: string
  readonly length: number | undefined
  readonly isChunked: boolean
}

/**
 * Reads the answers on one connection, RFC 9112, as strictly as Node's own parser: each to one request, and nothing that
 * was not asked for.
 *
 *     idle ── expect() ──▶ head ──▶ sized | size ⇄ chunk | endless ──▶ idle
 */
export class AnswerParser {
  /** Whether the connection may carry another request when this answer is over, §9.3. */
  staysOpen = false
  #state: 'idle' | 'head' | 'sized' | 'endless' | 'size' | 'chunk' | 'chunkEnd' | 'trailers' = 'idle'
  #toHead = false
  #listener: AnswerListener | undefined
  /** Bytes that are missing of a body or chunk; of trailers, those that may still come. */
  #left = 0
  /** What came of a line or head that is not complete. */
  #part: Buffer = NOTHING

  /** The answer to a request is expected now. @param toHead that was HEAD, whose answer has no body */
  expect(listener: AnswerListener, toHead: boolean): void {
    this.#listener = listener
    this.#toHead = toHead
    this.#state = 'head'
  }

  /** Nothing is expected, or everything has come. */
  get isIdle(): boolean {
    return this.#state === 'idle'
  }

  /** @param bytes good for this call only @throws BadAnswer */
  read(bytes: Buffer): void {
    let rest = this.#part.length === 0 ? bytes : Buffer.concat([this.#part, bytes])
    this.#part = NOTHING
    while (rest.length > 0) {
      const taken = this.#take(rest)
      if (taken === 0) {
        if (rest.length > MAX_HEAD) throw new BadAnswer(`its head is longer than ${MAX_HEAD} bytes`)
        this.#part = Buffer.from(rest)
        return
      }
      rest = rest.subarray(taken)
    }
  }

  /** The connection has ended. @returns whether it might: between answers, or as the end of one */
  end(): boolean {
    if (this.#state === 'endless') this.#over(NOTHING)
    return this.isIdle
  }

  /** @returns how many bytes are done with; 0: more are needed */
  #take(bytes: Buffer): number {
    switch (this.#state) {
      case 'idle':
        throw new BadAnswer('it says more than was asked for')
      case 'head':
        return this.#head(bytes)
      case 'sized':
        return this.#sized(bytes)
      case 'endless':
        this.#listener?.onBody(bytes, false)
        return bytes.length
      case 'chunk':
        return this.#chunk(bytes)
      case 'chunkEnd':
        if (bytes.length < 2) return 0
        if (bytes.readUInt16BE() !== 0x0d0a) throw new BadAnswer('a chunk is longer than it says')
        this.#state = 'size'
        return 2
      case 'size':
        return this.#line(bytes, (line) => this.#size(line))
      case 'trailers':
        return this.#line(bytes, (line) => this.#trailer(line))
    }
  }

  #head(bytes: Buffer): number {
    const end = bytes.indexOf('\r\n\r\n')
    if (end === -1) return 0
    if (end > MAX_HEAD) throw new BadAnswer(`its head is longer than ${MAX_HEAD} bytes`)
    const head = parseHead(bytes.toString('latin1', 0, end + 2))
    this.#begin(head)
    return end + 4
  }

  #begin(head: Framed): void {
    const { status, length, isChunked, connection } = head
    if (status === 101) throw new BadAnswer('it switched protocols without being asked')
    if (status < 200) {
      this.#listener?.onInformation(head)
      return
    }
    this.staysOpen = head.minor === '1' ? !hasOption(connection, 'close') : hasOption(connection, 'keep-alive')
    this.#listener?.onHead(head)
    if (this.#toHead || status === 204 || status === 304 || length === 0) {
      this.#over(NOTHING)
    } else if (isChunked) {
      this.#state = 'size'
    } else if (length !== undefined) {
      this.#state = 'sized'
      this.#left = length
    } else {
      this.#state = 'endless'
      this.staysOpen = false
    }
  }

  #sized(bytes: Buffer): number {
    if (bytes.length < this.#left) {
      this.#left -= bytes.length
      this.#listener?.onBody(bytes, false)
      return bytes.length
    }
    const taken = this.#left
    this.#over(bytes.subarray(0, taken))
    return taken
  }

  #chunk(bytes: Buffer): number {
    const taken = Math.min(this.#left, bytes.length)
    this.#left -= taken
    if (this.#left === 0) this.#state = 'chunkEnd'
    this.#listener?.onBody(bytes.subarray(0, taken), false)
    return taken
  }

  #line(bytes: Buffer, work: (line: string) => void): number {
    const end = bytes.indexOf('\r\n')
    if (end === -1) return 0
    work(bytes.toString('latin1', 0, end))
    return end + 2
  }

  #size(line: string): void {
    const [, digits] = CHUNK_SIZE.exec(line) ?? []
    if (digits === undefined) throw new BadAnswer('a chunk has no size')
    const size = Number.parseInt(digits, 16)
    this.#state = size === 0 ? 'trailers' : 'chunk'
    this.#left = size === 0 ? MAX_HEAD : size
  }

  /** Nobody gets it: a field that came after the body was not there to be judged with the others. */
  #trailer(line: string): void {
    this.#left -= line.length
    if (this.#left < 0) throw new BadAnswer(`its trailers are longer than ${MAX_HEAD} bytes`)
    if (line === '') this.#over(NOTHING)
  }

  #over(bytes: Buffer): void {
    const listener = this.#listener
    this.#state = 'idle'
    this.#listener = undefined
    listener?.onBody(bytes, true)
  }
}

/** @param text up to the end of the last field @throws BadAnswer */
function parseHead(text: string): Framed {
  const [line, minor = '', status, reason = ''] = STATUS_LINE.exec(text) ?? []
  if (line === undefined) throw new BadAnswer('it does not speak HTTP/1.1')
  const fields = readFields(text.slice(line.length))
  if (!fields) throw new BadAnswer('a field of its head is none')
  let connection = ''
  let length: string | undefined
  let coding: string | undefined
  for (let i = 0; i < fields.length; i += 2) {
    const kind = kinds.of(fields[i] as string)
    if (kind === OTHER) continue
    const value = fields[i + 1] as string
    if (kind === CONNECTION)
      connection = connection === '' ? value.toLowerCase() : `${connection},${value.toLowerCase()}`
    // §6.3: whoever reads the first, or the last, of several sees another message.
    else if (kind === LENGTH && length === undefined) length = value
    else if (kind === CODING && coding === undefined) coding = value.toLowerCase()
    else throw new BadAnswer('it says twice how long it is')
  }
  if (length !== undefined && coding !== undefined) throw new BadAnswer('it says in two ways how long it is')
  if (length !== undefined && !/^[0-9]{1,15}$/.test(length)) throw new BadAnswer('its Content-Length is no number')
  if (coding !== undefined && coding !== 'chunked') throw new BadAnswer('its transfer coding is not chunked')
  return {
    status: Number(status),
    reason,
    fields,
    connection,
    minor,
    length: length === undefined ? undefined : Number(length),
    isChunked: coding !== undefined,
  }
}

function hasOption(connection: string, option: string): boolean {
  return connection === option || (connection !== '' && connection.split(',').some((one) => one.trim() === option))
}
