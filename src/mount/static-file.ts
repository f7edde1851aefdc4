import type { Archive, ArchiveEntry } from '../archive/archive.ts'
import { mediaType } from '../format/media-types.ts'
import { acceptedCodings, type Coding, chooseCoding } from './accept-encoding.ts'
import type { MountRequest } from './answer.ts'
import { gzipSize } from './gzip-wrap.ts'
import { type Header, NOSNIFF, withRouteHeaders } from './headers.ts'

/** RFC 9110 §3.2: the bytes of one coding, and the fields that describe them. */
export interface Representation {
  /** The entry whose bytes are sent: the file, or its `.br` or `.gz` sibling. */
  readonly entry: ArchiveEntry
  /** A gzip member is made around the deflate stream as it is stored. */
  readonly wrapped: boolean
  /** Bytes of the body. */
  readonly length: number
  readonly etag: string
  /** Of a 200. */
  readonly headers: readonly Header[]
  /** Of a 304: the same without the fields that describe content (RFC 9110 §15.4.5). */
  readonly notModified: readonly Header[]
}

export interface FileRule {
  readonly cache: Header
  /** As the author wrote them for the route. */
  readonly headers: readonly Header[]
}

interface Forms {
  readonly identity: Representation
  readonly gzip?: Representation
  readonly br?: Representation
}

/**
 * One file under one rule, in every coding that it can be sent in.
 *
 * A sibling `NAME.br` or `NAME.gz` is the file in that coding: its author made it for that, and better than deflate
 * (it remains a file of its own too, as under nginx's gzip_static). Else gzip comes from the deflate stream that lies
 * in the archive, if the media type pays and the result is shorter.
 */
export class StaticFile {
  readonly kind = 'file'
  readonly entry: ArchiveEntry
  readonly #brotli: ArchiveEntry | undefined
  readonly #gzipped: ArchiveEntry | undefined
  readonly #rule: FileRule
  #forms: Forms | undefined

  constructor(archive: Archive, entry: ArchiveEntry, rule: FileRule) {
    this.entry = entry
    this.#brotli = fileAt(archive, `${entry.path}.br`)
    this.#gzipped = fileAt(archive, `${entry.path}.gz`)
    this.#rule = rule
  }

  /** The representation that the client prefers among those that exist. */
  choose(headers: MountRequest['headers']): Representation {
    // Once per file, but not at mount: for 60,000 files that took a second and 170 MB.
    this.#forms ??= this.#prepare()
    const { identity, gzip, br } = this.#forms
    if (gzip === undefined && br === undefined) return identity
    return this.#forms[chooseCoding(acceptedCodings(headers.get('accept-encoding')), this.#forms)] ?? identity
  }

  #prepare(): Forms {
    const { entry } = this
    const { type, compressible } = mediaType(entry.path)
    const wraps = compressible && entry.method === 'deflate' && gzipSize(entry) < entry.size
    const varies = this.#brotli !== undefined || this.#gzipped !== undefined || wraps
    const represent = (source: ArchiveEntry, coding: Coding, wrapped = false): Representation => {
      const length = wrapped ? gzipSize(source) : source.size
      const etag = entityTag(source, coding)
      const shared: Header[] = [['ETag', etag], this.#rule.cache]
      if (varies) shared.push(['Vary', 'Accept-Encoding'])
      shared.push(NOSNIFF)
      const content: Header[] = [
        ['Content-Type', type],
        ['Content-Length', String(length)],
      ]
      if (coding !== 'identity') content.push(['Content-Encoding', coding])
      const headers = withRouteHeaders([...content, ['Accept-Ranges', 'bytes'], ...shared], this.#rule.headers)
      const notModified = withRouteHeaders(shared, this.#rule.headers)
      return { entry: source, wrapped, length, etag, headers, notModified }
    }
    return {
      identity: represent(entry, 'identity'),
      ...(this.#gzipped && { gzip: represent(this.#gzipped, 'gzip') }),
      ...(!this.#gzipped && wraps && { gzip: represent(entry, 'gzip', true) }),
      ...(this.#brotli && { br: represent(this.#brotli, 'br') }),
    }
  }
}

/**
 * Strong: the content decides it, nothing else. Of the entry whose bytes are sent, so that a sibling made anew has a
 * new tag although the file itself stayed.
 */
function entityTag(entry: ArchiveEntry, coding: Coding): string {
  const hash = Buffer.from(entry.sha256, 'hex').subarray(0, 16).toString('base64url')
  return `"${hash}${SUFFIX[coding]}"`
}

const SUFFIX: Readonly<Record<Coding, string>> = { identity: '', gzip: '-gz', br: '-br' }

function fileAt(archive: Archive, path: string): ArchiveEntry | undefined {
  const entry = archive.entries.get(path)
  return entry?.kind === 'file' ? entry : undefined
}
