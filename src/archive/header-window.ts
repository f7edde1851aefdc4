import type { Directory, DirectoryRecord } from './directory.ts'
import { type ByteSource, readBuffer } from './source.ts'
import { LOCAL } from './zip-records.ts'

/** Reading this many bytes that nobody asked for is cheaper than another read. */
const GAP = 32 * 1024
/** Small enough to stay in the processor's cache, large enough that 10,000 small entries cost some dozen reads. */
const WINDOW = 512 * 1024

/**
 * Local headers, read in few pieces: the directory tells where they are, so one read takes as many neighbours as lie
 * close together. Meant to be asked in the order of the directory.
 */
export class HeaderWindow {
  readonly #source: ByteSource
  readonly #records: readonly DirectoryRecord[]
  readonly #end: number
  readonly #memory = Buffer.allocUnsafe(WINDOW)
  #bytes: Buffer = this.#memory.subarray(0, 0)
  #offset = 0

  constructor(source: ByteSource, directory: Directory) {
    this.#source = source
    this.#records = directory.records
    this.#end = directory.offset
  }

  /**
   * The bytes from `offset` on, at least `length` of them, if they are at hand. Kept apart from {@link load} because
   * waiting for a promise per entry would take longer than judging the entry.
   */
  peek(offset: number, length: number): Buffer | undefined {
    const at = offset - this.#offset
    return at >= 0 && at + length <= this.#bytes.length ? this.#bytes.subarray(at) : undefined
  }

  /** Reads the `length` bytes at `offset`, where the header of entry `index` is, and its neighbours with it. */
  async load(index: number, offset: number, length: number): Promise<Buffer> {
    let stop = offset + length
    for (let next = index + 1; next < this.#records.length; next++) {
      const record = this.#records[next]!
      const end = record.localOffset + LOCAL.size + record.nameLength
      if (record.localOffset < stop || record.localOffset - stop > GAP || end - offset > WINDOW || end > this.#end)
        break
      stop = end
    }
    this.#bytes = await readBuffer(this.#source, offset, stop - offset, this.#memory)
    this.#offset = offset
    return this.#bytes
  }
}
