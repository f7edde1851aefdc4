import { fail, ZappError } from '../errors.ts'

/** Bytes from `start` to before `end`, or the last ones: all of the file if it has no more. */
export type RangeSpec = { readonly start: number; readonly end: number } | { readonly last: number }

/** Tells one state of a file from another. */
export interface FileState {
  readonly etag: string | undefined
  readonly date: string | undefined
  readonly size: number
}

export interface RangeAnswer {
  /** Where redirects led. */
  readonly url: URL
  readonly start: number
  readonly bytes: Buffer
  readonly state: FileState
}

export interface HttpOptions {
  readonly signal?: AbortSignal | undefined
  /** How long the server may send nothing, in ms. Default 30,000. */
  readonly timeoutMs?: number | undefined
}

/** Who serves a file redirects once or twice: to https, to a store. */
const MAX_REDIRECTS = 5
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/**
 * One range request over http or https (RFC 9110 §14), its body in memory. A server that sends more than was asked for
 * is cut off.
 *
 * @param known the state that the file must still be in: demanded (If-Match, If-Unmodified-Since), and compared with
 *   the answer for servers that take no conditions
 * @throws ZappError URL_UNREACHABLE, URL_STATUS, URL_REDIRECT, URL_RANGES, URL_CHANGED; the signal's reason
 */
export async function getRange(
  url: URL,
  range: RangeSpec,
  { signal, timeoutMs = 30_000 }: HttpOptions,
  known?: FileState,
): Promise<RangeAnswer> {
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(), timeoutMs)
  const end = signal ? AbortSignal.any([signal, silence.signal]) : silence.signal
  try {
    const [response, at] = await follow(url, { ...rangeField(range), ...conditions(known) }, end)
    timer.refresh()
    return { url: at, ...(await readAnswer(response, range, known, timer)) }
  } catch (error) {
    if (error instanceof ZappError || signal?.aborted) throw error
    const reason = silence.signal.aborted ? `no data for ${timeoutMs / 1000} s` : reasonOf(error)
    throw fail('URL_UNREACHABLE', '', { reason }, error)
  } finally {
    clearTimeout(timer)
    // What is left of a body that nobody wants.
    silence.abort()
  }
}

async function follow(from: URL, headers: Record<string, string>, signal: AbortSignal): Promise<[Response, URL]> {
  let url = from
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(url, { headers, redirect: 'manual', signal })
    const location = REDIRECTS.has(response.status) ? response.headers.get('Location') : null
    if (location === null) return [response, url]
    await response.body?.cancel()
    const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined
    const isSafe = next?.protocol === 'https:' || (next?.protocol === 'http:' && url.protocol === 'http:')
    if (next === undefined || !isSafe || redirects === MAX_REDIRECTS) {
      throw fail('URL_REDIRECT', '', { limit: MAX_REDIRECTS, got: location })
    }
    url = next
  }
}

function rangeField(range: RangeSpec): Record<string, string> {
  return { Range: 'last' in range ? `bytes=-${range.last}` : `bytes=${range.start}-${range.end - 1}` }
}

/** A weak ETag never matches (RFC 9110 §13.1.1). */
function conditions({ etag, date }: Partial<FileState> = {}): Record<string, string> {
  if (etag?.startsWith('"')) return { 'If-Match': etag }
  return date === undefined ? {} : { 'If-Unmodified-Since': date }
}

async function readAnswer(
  response: Response,
  range: RangeSpec,
  known: FileState | undefined,
  timer: NodeJS.Timeout,
): Promise<Omit<RangeAnswer, 'url'>> {
  const { status, headers } = response
  if (status === 412) throw changed('state')
  const encoding = headers.get('Content-Encoding') ?? 'identity'
  const [, start, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers.get('Content-Range') ?? '') ?? []
  if (status === 416 && headers.get('Content-Range') === 'bytes */0') return answer(headers, 0, Buffer.alloc(0), 0)
  if (status !== 206 && status !== 200) throw fail('URL_STATUS', '', { got: status })
  if (encoding !== 'identity') throw ranges(`Content-Encoding ${encoding}`)

  const length = 'last' in range ? range.last : range.end - range.start
  if (status === 200) {
    // A server without ranges; a file that is not larger than what was asked for is welcome all the same.
    if (!('last' in range) || Number(headers.get('Content-Length') ?? 0) > length) throw ranges('the whole file')
    const bytes = await readBody(response, length, timer)
    return answer(headers, 0, bytes, bytes.length)
  }
  if (total === undefined) throw ranges(`Content-Range ${headers.get('Content-Range') ?? 'missing'}`)
  const result = answer(headers, Number(start), await readBody(response, length, timer), Number(total))
  if (known) compare(known, result.state)
  const from = 'last' in range ? Math.max(0, Number(total) - length) : range.start
  const to = 'last' in range ? Number(total) : range.end
  if (Number(start) !== from || Number(last) !== to - 1 || result.bytes.length !== to - from) {
    throw ranges(`${result.bytes.length} bytes as ${headers.get('Content-Range')}`)
  }
  return result
}

function answer(headers: Headers, start: number, bytes: Buffer, size: number): Omit<RangeAnswer, 'url'> {
  const state = { etag: headers.get('ETag') ?? undefined, date: headers.get('Last-Modified') ?? undefined, size }
  return { start, bytes, state }
}

async function readBody({ body }: Response, limit: number, timer: NodeJS.Timeout): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body ?? []) {
    timer.refresh()
    length += chunk.length
    if (length > limit) throw ranges('more bytes than were asked for')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length)
}

function compare(known: FileState, got: FileState): void {
  if (got.size !== known.size) throw changed('size')
  if (got.etag !== known.etag) throw changed('ETag')
  if (got.date !== known.date) throw changed('date')
}

function changed(what: string): ZappError {
  return fail('URL_CHANGED', '', { what })
}

function ranges(what: string): ZappError {
  return fail('URL_RANGES', '', { what })
}

/** `fetch` says "fetch failed"; what failed is its cause, which for several addresses has a code only. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error
  const { message: inner, code } = (cause ?? {}) as { message?: string; code?: string }
  return inner || code || message
}
