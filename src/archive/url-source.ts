import { type Args, type ErrorCode, fail, type ZappError } from '../errors.ts'
import type { ByteSource } from './source.ts'

export interface UrlOptions {
  readonly signal?: AbortSignal
  /** How long the server may send nothing, in ms. Default 30,000. */
  readonly timeoutMs?: number
}

/** Nobody needs more; browsers follow 20. */
const MAX_REDIRECTS = 5
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

interface Window {
  readonly offset: number
  readonly bytes: Buffer
}

/** What a range answer says of the file it is a part of. */
interface Identity {
  readonly ETag: string | null
  readonly 'Last-Modified': string | null
  readonly size: number
}

interface Part {
  readonly start: number
  readonly bytes: Buffer
  readonly identity: Identity
}

/**
 * The bytes of a file behind http or https, by range requests (RFC 9110 §14). What was read once is kept, so it is for
 * readers that know what they want: ask with {@link UrlSource.load} for what lies together.
 *
 * Every answer must be of the same file: the first one's ETag or date is demanded of the next (If-Match,
 * If-Unmodified-Since) and compared, for servers that ignore that.
 */
export class UrlSource implements ByteSource {
  readonly size: number
  /** Answers with bytes, and how many bytes they brought. */
  requests = 0
  received = 0
  readonly #url: URL
  readonly #identity: Identity
  readonly #options: UrlOptions
  readonly #windows: Window[] = []

  /**
   * Reads the last `tail` bytes, or all if there are not more.
   * @throws ZappError URL_*; USAGE for what is no address
   */
  static async open(url: string, tail: number, options: UrlOptions = {}): Promise<UrlSource> {
    const { response, url: at } = await follow(parseUrl(url), { Range: `bytes=-${tail}` }, options)
    // RFC 9110 §15.5.17: of an empty file no byte can be had.
    if (response.status === 416 && response.headers.get('Content-Range') === 'bytes */0') {
      await response.cancel()
      return new UrlSource(at, { start: 0, bytes: Buffer.alloc(0), identity: identityOf(response, 0) }, options)
    }
    const part = await readPart(response, tail)
    if (part.start !== Math.max(0, part.identity.size - tail)) {
      throw ranges(`bytes from ${part.start} of ${part.identity.size}`)
    }
    return new UrlSource(at, part, options)
  }

  private constructor(url: URL, { start, bytes, identity }: Part, options: UrlOptions) {
    this.#url = url
    this.#identity = identity
    this.#options = options
    this.size = identity.size
    this.#keep(start, bytes)
  }

  async read(position: number, length: number): Promise<Buffer> {
    await this.load(position, position + length)
    const { offset, bytes } = this.#windows.find((window) => covers(window, position, position + length))!
    return bytes.subarray(position - offset, position - offset + length)
  }

  /** Makes the bytes from `start` to before `end` ready: those that are not at hand come with one request. */
  async load(start: number, end: number): Promise<void> {
    if (this.#windows.some((window) => covers(window, start, end))) return
    const next = this.#windows.find((window) => window.offset > start && window.offset < end && endOf(window) >= end)
    const stop = next?.offset ?? end
    const bytes = await this.#fetch(start, stop)
    this.#keep(start, next ? Buffer.concat([bytes, next.bytes]) : bytes)
  }

  async close(): Promise<void> {
    this.#windows.length = 0
  }

  async #fetch(start: number, end: number): Promise<Buffer> {
    const { ETag, 'Last-Modified': date } = this.#identity
    const { response } = await follow(
      this.#url,
      {
        Range: `bytes=${start}-${end - 1}`,
        // A weak one never matches (RFC 9110 §13.1.1).
        ...(ETag?.startsWith('"') ? { 'If-Match': ETag } : date ? { 'If-Unmodified-Since': date } : {}),
      },
      this.#options,
    )
    if (response.status === 412) {
      await response.cancel()
      throw changed(ETag?.startsWith('"') ? 'ETag' : 'Last-Modified')
    }
    const part = await readPart(response, end - start, this.#identity)
    if (part.start !== start || part.bytes.length !== end - start) throw ranges(`bytes from ${part.start}`)
    return part.bytes
  }

  #keep(offset: number, bytes: Buffer): void {
    this.requests++
    this.received += bytes.length
    this.#windows.push({ offset, bytes })
  }
}

function endOf({ offset, bytes }: Window): number {
  return offset + bytes.length
}

function covers(window: Window, start: number, end: number): boolean {
  return window.offset <= start && end <= endOf(window)
}
