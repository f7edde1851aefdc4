import type { Archive, ArchiveEntry } from '../archive/archive.ts'
import type { Body } from './answer.ts'
import { readGzip, streamGzip } from './gzip-wrap.ts'
import type { MemoryCache } from './memory-cache.ts'
import type { ByteRange } from './range.ts'
import type { Representation } from './static-file.ts'

/** Opens bodies: small ones from memory, large ones as streams. Nothing leaves an entry that has not been verified. */
export class Content {
  readonly #archive: Archive
  readonly #memory: MemoryCache
  readonly #verified = new Set<ArchiveEntry>()

  constructor(archive: Archive, memory: MemoryCache) {
    this.#archive = archive
    this.#memory = memory
  }

  /** Rejects when the entry is damaged or cannot be read; the answer can then still become a 500. */
  async open(representation: Representation, range?: ByteRange): Promise<Body> {
    const kept = this.#memory.get(representation)
    if (kept !== undefined) return bytesBody(kept, range)
    if (representation.length <= this.#memory.largest) {
      return bytesBody(await this.#memory.load(representation, () => this.#read(representation)), range)
    }
    await this.#verify(representation.entry)
    const { start, end } = range ?? { start: 0, end: representation.length - 1 }
    const { entry, wrapped } = representation
    return {
      length: end - start + 1,
      stream: () =>
        wrapped ? streamGzip(this.#archive, entry, start, end) : this.#archive.stream(entry, range && { start, end }),
    }
  }

  #read({ entry, wrapped }: Representation): Promise<Uint8Array> {
    return wrapped ? readGzip(this.#archive, entry) : this.#archive.read(entry)
  }

  /** The archive verifies an entry before its first byte: asking for one byte asks for the verdict. */
  async #verify(entry: ArchiveEntry): Promise<void> {
    if (this.#verified.has(entry)) return
    for await (const _ of this.#archive.stream(entry, { start: 0, end: 0 }));
    this.#verified.add(entry)
  }
}

function bytesBody(whole: Uint8Array, range: ByteRange | undefined): Body {
  const bytes = range === undefined ? whole : whole.subarray(range.start, range.end + 1)
  return { length: bytes.length, bytes }
}
