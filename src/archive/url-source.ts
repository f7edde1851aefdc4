import { type FileState, getRange, type HttpOptions, type RangeAnswer } from './http-range.ts'
import type { ByteSource } from './source.ts'

interface Piece {
  readonly start: number
  readonly bytes: Buffer
}

/**
 * The bytes of a file behind a URL. What was read once is kept, and each read that is not covered is one request: it is
 * for readers who know what they want and {@link load} at once what lies together.
 */
export class UrlSource implements ByteSource {
  readonly size: number
  /** Answers so far, and the bytes that they brought. */
  requests = 0
  received = 0
  /** Where redirects led: they are not followed again. */
  readonly #url: URL
  readonly #state: FileState
  readonly #options: HttpOptions
  readonly #pieces: Piece[] = []

  /**
   * Reads the last `tail` bytes; all, if there are not more.
   *
   * @throws ZappError URL_*
   */
  static async open(url: URL, tail: number, options: HttpOptions = {}): Promise<UrlSource> {
    return new UrlSource(await getRange(url, { last: tail }, options), options)
  }

  private constructor(first: RangeAnswer, options: HttpOptions) {
    this.size = first.state.size
    this.#url = first.url
    this.#state = first.state
    this.#options = options
    this.#count(first)
    this.#pieces.push(first)
  }

  async read(position: number, length: number): Promise<Buffer> {
    const { start, bytes } = await this.load(position, position + length)
    return bytes.subarray(position - start, position - start + length)
  }

  /** Makes the bytes from `start` to before `end` ready; what is at hand of their end is not asked for again. */
  async load(start: number, end: number): Promise<Piece> {
    const known = this.#pieces.find((piece) => piece.start <= start && end <= endOf(piece))
    if (known) return known
    const next = this.#pieces.find((piece) => start < piece.start && piece.start <= end && end <= endOf(piece))
    const answer = await getRange(this.#url, { start, end: next?.start ?? end }, this.#options, this.#state)
    this.#count(answer)
    const piece = { start, bytes: next ? Buffer.concat([answer.bytes, next.bytes]) : answer.bytes }
    this.#pieces.push(piece)
    return piece
  }

  async close(): Promise<void> {
    this.#pieces.length = 0
  }

  #count({ bytes }: RangeAnswer): void {
    this.requests++
    this.received += bytes.length
  }
}

function endOf({ start, bytes }: Piece): number {
  return start + bytes.length
}
