import { createHash } from 'node:crypto'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import type { RawResponse } from '../../mount/helpers/server.ts'

/** field, what nginx says, what Zapp says; `at` where it is one request's and not the field's in general. */
export interface Difference {
  readonly field: string
  readonly nginx: string
  readonly zapp: string
  readonly at?: string
}

const SAME_FIELDS = [
  'accept-ranges',
  'allow',
  'cache-control',
  'content-encoding',
  'content-range',
  'content-type',
  'vary',
  'x-content-type-options',
  'x-frame-options',
]

/** In which of the things that a client can tell the two answers differ. */
export function* compare(at: string, nginx: RawResponse, zapp: RawResponse): Generator<Difference> {
  const differ = (field: string, ofNginx: string, ofZapp: string, place?: string): Difference[] => {
    return ofNginx === ofZapp ? [] : [{ field, nginx: ofNginx, zapp: ofZapp, ...(place && { at: place }) }]
  }
  if (nginx.status !== zapp.status) {
    yield* differ('status', String(nginx.status), String(zapp.status), at)
    // A redirect may differ in its number and must still lead to the same place.
    if (nginx.status >= 400 || zapp.status >= 400 || nginx.status < 300 || zapp.status < 300) return
  }
  yield* differ('location', nginx.headers.get('location') ?? 'none', zapp.headers.get('location') ?? 'none', at)
  // Each has its own words for a refusal and an empty redirect; the 404 page is in the tree.
  const isOwnPage = nginx.status >= 300 && nginx.status !== 304 && nginx.status !== 404
  for (const field of SAME_FIELDS) {
    if (isOwnPage && field === 'content-type') continue
    yield* differ(field, nginx.headers.get(field) ?? 'none', zapp.headers.get(field) ?? 'none')
  }
  yield* differ('etag', strength(nginx), strength(zapp))
  yield* differ('last-modified', presence(nginx, 'last-modified'), presence(zapp, 'last-modified'))
  if (isOwnPage) return
  const sameCoding = nginx.headers.get('content-encoding') === zapp.headers.get('content-encoding')
  if (presence(nginx, 'content-length') !== presence(zapp, 'content-length')) {
    yield* differ('content-length', presence(nginx, 'content-length'), presence(zapp, 'content-length'))
  } else if (sameCoding) {
    yield* differ('content-length', nginx.headers.get('content-length')!, zapp.headers.get('content-length')!, at)
  }
  yield* differ('body', bodyHash(nginx), bodyHash(zapp), at)
}

function strength({ headers }: RawResponse): string {
  const etag = headers.get('etag')
  return etag === null ? 'none' : etag.startsWith('W/') ? 'weak' : 'strong'
}

function presence({ headers }: RawResponse, name: string): string {
  return headers.has(name) ? 'present' : 'none'
}

/** Of the content without its coding; a part of a coded body is compared as it is. */
function bodyHash({ status, headers, body }: RawResponse): string {
  const decode = { gzip: gunzipSync, br: brotliDecompressSync }[headers.get('content-encoding') ?? '']
  const content = decode && status !== 206 && body.length > 0 ? decode(body) : body
  return createHash('sha256').update(content).digest('hex').slice(0, 16)
}
