import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { type Finding, ZappError } from '../errors.ts'
import { type ContentEntry, checkedChunks, contentChunks, decode, findingOf, isSmall, storedChunks } from './content.ts'
import { type ByteSource, readBuffer } from './source.ts'

/** In bytes of the content; `end` is inclusive, as in HTTP. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export interface ReadableEntry extends ContentEntry {
  readonly index: number
}

/** One read takes neighbouring small entries of at most this many bytes together … */
const BATCH_STORED = 1024 * 1024
/** … which are then decoded without a pause, so their content is bounded as well: some 20 ms. */
const BATCH_CONTENT = 8 * 1024 * 1024

/**
 * Reads the content of entries and lets none of it out before it is verified.
 *
 * Verdicts are remembered by the entry's index, and callers that come while an entry is being verified wait for the
 * same check. A check that the source did not let us finish is not remembered. Small entries are read in one piece
 * and verified each time, for that costs less than the read; so a file that is changed in place is noticed.
 */
export class ContentReader {
  readonly #source: ByteSource
  readonly #verdicts: (Promise<Finding | undefined> | undefined)[] = []

  constructor(source: ByteSource) {
    this.#source = source
  }

  async verify(entry: ReadableEntry): Promise<Finding | undefined> {
    const known = this.#verdicts[entry.index]
    if (known) return known
    const check = this.#check(entry)
    this.#verdicts[entry.index] = check
    check.catch(() => {
      this.#verdicts[entry.index] = undefined
    })
    return check
  }

  async read(entry: ReadableEntry): Promise<Buffer> {
    if (isSmall(entry)) return (await this.#load(entry)).content
    return collect(checkedChunks(this.#source, entry), entry.size)
  }

  async readRaw(entry: ReadableEntry): Promise<Buffer> {
    if (isSmall(entry)) return (await this.#load(entry)).stored
    await this.#verified(entry)
    return readBuffer(this.#source, entry.dataOffset, entry.compressedSize)
  }

  /** A range that reaches beyond the content is cut: behind it, other entries lie. */
  stream(entry: ReadableEntry, range: ByteRange = { start: 0, end: entry.size - 1 }): Readable {
    return toStream(this.#content(entry, Math.max(range.start, 0), Math.min(range.end + 1, entry.size)))
  }

  raw(entry: ReadableEntry): Readable {
    return toStream(this.#stored(entry))
  }

  /** Verifies entries, which are given in the order of the archive; gives their findings in that order. */
  async verifyAll(entries: readonly ReadableEntry[], signal?: AbortSignal): Promise<Finding[]> {
    const findings: Finding[] = []
    for await (const batch of this.#batches(entries, signal)) {
      for (const [entry, stored] of batch) {
        const found = stored ? this.#judge(entry, stored) : await this.verify(entry)
        if (found) findings.push(found)
      }
    }
    return findings
  }

  /**
   * Entries, given in the order of the archive, with their content; undefined for large ones, which are for
   * {@link stream}. Neighbours are read together, and each is verified when it is its turn, so that who lets go of one
   * before the next is asked for never holds the content of all: it may be eight times what was read.
   */
  async *readAll<E extends ReadableEntry>(
    entries: readonly E[],
    signal?: AbortSignal,
  ): AsyncGenerator<Iterable<readonly [E, Buffer | undefined]>> {
    for await (const batch of this.#batches(entries, signal)) yield this.#contents(batch)
  }

  *#contents<E extends ReadableEntry>(batch: readonly (readonly [E, Buffer | undefined])[]) {
    for (const [entry, stored] of batch) yield [entry, stored && this.#decode(entry, stored)] as const
  }

  async *#batches<E extends ReadableEntry>(
    entries: readonly E[],
    signal?: AbortSignal,
  ): AsyncGenerator<(readonly [E, Buffer | undefined])[]> {
    for (let from = 0; from < entries.length; ) {
      // A source in memory never waits: without this, nothing else would run until all is read.
      await setImmediate()
      signal?.throwIfAborted()
      const to = endOfBatch(entries, from)
      const first = entries[from]!
      if (isSmall(first)) {
        const start = first.dataOffset
        const bytes = await readBuffer(this.#source, start, storedEnd(entries[to - 1]!) - start)
        yield entries
          .slice(from, to)
          .map((e) => [e, bytes.subarray(e.dataOffset - start, storedEnd(e) - start)] as const)
      } else {
        yield [[first, undefined]]
      }
      from = to
    }
  }

  async #load(entry: ReadableEntry): Promise<{ stored: Buffer; content: Buffer }> {
    const known = await this.#verdicts[entry.index]
    if (known) throw new ZappError(known)
    const stored = await readBuffer(this.#source, entry.dataOffset, entry.compressedSize)
    return { stored, content: this.#decode(entry, stored) }
  }

  #decode(entry: ReadableEntry, stored: Buffer): Buffer {
    try {
      const content = decode(entry, stored)
      this.#verdicts[entry.index] ??= Promise.resolve(undefined)
      return content
    } catch (error) {
      this.#verdicts[entry.index] = Promise.resolve(findingOf(error))
      throw error
    }
  }

  #judge(entry: ReadableEntry, stored: Buffer): Finding | undefined {
    try {
      this.#decode(entry, stored)
      return undefined
    } catch (error) {
      return findingOf(error)
    }
  }

  async #check(entry: ReadableEntry): Promise<Finding | undefined> {
    try {
      for await (const _ of checkedChunks(this.#source, entry));
      return undefined
    } catch (error) {
      return findingOf(error)
    }
  }

  async #verified(entry: ReadableEntry): Promise<void> {
    const found = await this.verify(entry)
    if (found) throw new ZappError(found)
  }

  async *#content(entry: ReadableEntry, start: number, end: number): AsyncGenerator<Buffer> {
    if (isSmall(entry)) {
      const { content } = await this.#load(entry)
      yield content.subarray(start, end)
      return
    }
    await this.#verified(entry)
    if (entry.method === 'stored') yield* storedChunks(this.#source, entry, start, end)
    else yield* cut(contentChunks(this.#source, entry), start, end)
  }

  async *#stored(entry: ReadableEntry): AsyncGenerator<Buffer> {
    if (isSmall(entry)) {
      yield (await this.#load(entry)).stored
      return
    }
    await this.#verified(entry)
    yield* storedChunks(this.#source, entry)
  }
}

function endOfBatch(entries: readonly ReadableEntry[], from: number): number {
  let to = from
  let content = 0
  for (; to < entries.length; to++) {
    const entry = entries[to]!
    content += entry.size
    if (!isSmall(entry) || content > BATCH_CONTENT || storedEnd(entry) - entries[from]!.dataOffset > BATCH_STORED) break
  }
  return Math.max(to, from + 1)
}

function storedEnd(entry: ReadableEntry): number {
  return entry.dataOffset + entry.compressedSize
}

/** The part of a sequence of chunks from byte `start` to before byte `end`; what lies behind is not asked for. */
async function* cut(chunks: AsyncGenerator<Buffer>, start: number, end: number): AsyncGenerator<Buffer> {
  let at = 0
  for await (const chunk of chunks) {
    if (at + chunk.length > start) yield chunk.subarray(Math.max(0, start - at), end - at)
    at += chunk.length
    if (at >= end) return
  }
}

async function collect(chunks: AsyncGenerator<Buffer>, size: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(size)
  let at = 0
  for await (const chunk of chunks) at += chunk.copy(buffer, at)
  return buffer
}

/** Of bytes, not of objects: so that the high-water mark counts bytes. */
function toStream(chunks: AsyncGenerator<Buffer>): Readable {
  return Readable.from(chunks, { objectMode: false })
}
