import type { Readable } from 'node:stream'
import type { Archive } from '../../../src/archive/archive.ts'
import { type ByteSource, bytesSource } from '../../../src/archive/source.ts'

/** A source that counts, and that can be told to fail. */
export class CountingSource implements ByteSource {
  readonly #bytes: ByteSource
  /** Bytes given since it was last set to 0. */
  count = 0
  /** Once `count` is beyond it, every read fails. */
  failAfter = Number.POSITIVE_INFINITY

  constructor(bytes: Uint8Array) {
    this.#bytes = bytesSource(bytes)
  }

  get size(): number {
    return this.#bytes.size
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    this.count += length
    if (this.count > this.failAfter) throw new Error('the disk is gone')
    return this.#bytes.read(position, length)
  }

  close(): Promise<void> {
    return this.#bytes.close()
  }
}

/** The archive, and the streams that were opened from it. */
export function observed(archive: Archive): { archive: Archive; streams: Readable[] } {
  const streams: Readable[] = []
  const open = (stream: Readable) => {
    streams.push(stream)
    return stream
  }
  const watched = new Proxy(archive, {
    get(target, name) {
      if (name === 'stream') return (...args: Parameters<Archive['stream']>) => open(target.stream(...args))
      if (name === 'raw') return (...args: Parameters<Archive['raw']>) => open(target.raw(...args))
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { archive: watched, streams }
}

/** Waits for what must become true; the test's own timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** Waits until the value has not changed through 40 looks in a row, one each 5 ms, and gives it. */
export async function settled(value: () => number): Promise<number> {
  let last = value()
  for (let same = 0; same < 40; same++) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    if (value() !== last) same = 0
    last = value()
  }
  return last
}
