import { mediaType } from '../format/media-types.ts'

/** Whether deflate is worth a try. To the table, .ts is MPEG video; in a project it is TypeScript. */
export function isCompressible(path: string): boolean {
  return path.endsWith('.ts') || mediaType(path).compressible
}
