import type { Readable } from 'node:stream'
import type { Route } from '../format/manifest-types.ts'

/** A request as a container hands it over: nothing decoded, nothing stripped, nothing normalised. */
export interface MountRequest {
  /** As received, upper case. */
  readonly method: string
  /**
   * The request-target of the request line (RFC 9112 §3.2), one character per byte: `/shop/a%20b?x=1`, or the absolute
   * form. What `node:http` calls `req.url`.
   */
  readonly target: string
  /** Field values by lower-case name; several fields of one name joined by `, `. */
  readonly headers: { get(name: string): string | null | undefined }
  /** Where the app is mounted: `""`, or `/shop`, without a slash at the end. */
  readonly mount: string
}

/** What a mount says to a request: the whole response, or the entry that has to make it. */
export type Answer = ResponseAnswer | EntryAnswer

export interface ResponseAnswer {
  readonly kind: 'response'
  readonly status: number
  /** Complete but for Date and the connection's own fields; names in their usual spelling. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** null where HTTP has none (HEAD, 304); the headers then still describe what GET would send. */
  readonly body: Body | null
}

export interface EntryAnswer {
  readonly kind: 'entry'
  /** Name of the entry in the manifest. */
  readonly entry: string
  /** Mount, and the route's prefix where it says `strip`: URL text, without a slash at the end. */
  readonly scriptName: string
  /** What follows of the path, byte for byte as it was sent: `""`, or begins with `/`. */
  readonly pathInfo: string
  /** With its `?`, or `""`. */
  readonly query: string
  readonly route: Route
}

/** Content of a known length: either whole in memory, or to be streamed. Its archive entry has been verified. */
export interface Body {
  /** Bytes that are sent, after content coding and range. */
  readonly length: number
  /** Must not be written to: it is shared with other requests. */
  readonly bytes?: Uint8Array
  /** Present where `bytes` is not. Each call opens a new stream, which must be read to its end or destroyed. */
  stream?(): Readable
}
