import type { MountRequest, ResponseAnswer } from './answer.ts'
import { evaluatePreconditions, ifRangeHolds } from './conditional.ts'
import type { Content } from './content.ts'
import type { Header } from './headers.ts'
import { type ByteRange, parseRange } from './range.ts'
import type { Representation, StaticFile } from './static-file.ts'

/** A status whose answer is the same for every file: the caller makes it, with the app's error page. */
export interface FileRefusal {
  readonly kind: 'refusal'
  readonly status: 412 | 416
  readonly headers: readonly Header[]
}

/**
 * GET or HEAD of a file: choice of the coding, then preconditions, then range (RFC 9110 §13.2.2).
 * Rejects when the content is damaged. HEAD and 304 send no content and so do not wait for its check.
 */
export async function serveFile(
  file: StaticFile,
  request: Pick<MountRequest, 'method' | 'headers'>,
  content: Content,
): Promise<ResponseAnswer | FileRefusal> {
  const { method, headers } = request
  const chosen = file.choose(headers)
  const verdict = evaluatePreconditions(headers, chosen.etag)
  if (verdict === 304) return { kind: 'response', status: 304, headers: chosen.notModified, body: null }
  if (verdict === 412) return { kind: 'refusal', status: 412, headers: [] }
  // Range is defined for GET only (RFC 9110 §14.2).
  if (method === 'HEAD') return { kind: 'response', status: 200, headers: chosen.headers, body: null }

  const range = rangeOf(headers, chosen)
  if (range === undefined) {
    return { kind: 'response', status: 200, headers: chosen.headers, body: await content.open(chosen) }
  }
  if (range === 'unsatisfiable') {
    return { kind: 'refusal', status: 416, headers: [['Content-Range', `bytes */${chosen.length}`]] }
  }
  const body = await content.open(chosen, range)
  return { kind: 'response', status: 206, headers: partialHeaders(chosen, range), body }
}

function rangeOf(headers: MountRequest['headers'], chosen: Representation): ByteRange | 'unsatisfiable' | undefined {
  const field = headers.get('range') ?? undefined
  if (field === undefined || !ifRangeHolds(headers.get('if-range'), chosen.etag)) return undefined
  return parseRange(field, chosen.length)
}

function partialHeaders(chosen: Representation, { start, end }: ByteRange): Header[] {
  const headers = chosen.headers.map(([name, value]): Header => {
    return [name, name === 'Content-Length' ? String(end - start + 1) : value]
  })
  headers.push(['Content-Range', `bytes ${start}-${end}/${chosen.length}`])
  return headers
}
