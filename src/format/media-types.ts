import { MEDIA_TYPE_DEFAULT, MEDIA_TYPES } from './tables.ts'

export interface MediaType {
  /** The whole Content-Type value, charset included. */
  readonly type: string
  /** Whether deflate pays: false for media that are compressed already. */
  readonly compressible: boolean
}

const TYPES: ReadonlyMap<string, MediaType> = new Map(Object.entries(MEDIA_TYPES))

/**
 * The media type of a file: by what follows the last dot of its name, in any case; a dot that begins the name does not
 * count. One table for every loader (schema/media-types.json), never the system's, so that all answer alike.
 */
export function mediaType(path: string): MediaType {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const dot = name.lastIndexOf('.')
  return (dot > 0 && TYPES.get(name.slice(dot + 1).toLowerCase())) || MEDIA_TYPE_DEFAULT
}
