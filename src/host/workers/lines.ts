/** Bytes at first: what a busy worker writes until it reports is not much more. */
const SIZE = 256 * 1024
/** Of one character of a string, in UTF-8. */
const MOST_BYTES = 3

/**
 * Lines that wait to be sent, as bytes: thousands of strings that live for longer than a moment would be copied by one
 * collection of garbage after the other, which costs more than to write them.
 */
export class Lines {
  readonly #most: number
  #bytes = Buffer.alloc(0)
  #length = 0
  #lost = 0

  /** @param most bytes that may wait; what comes on top is dropped */
  constructor(most: number) {
    this.#most = most
  }

  /** @param line without its end */
  add(line: string): void {
    if (this.#length > this.#most) {
      this.#lost++
      return
    }
    const needed = this.#length + line.length * MOST_BYTES + 1
    if (needed > this.#bytes.length) this.#grow(needed)
    this.#length += this.#bytes.write(line, this.#length)
    this.#bytes[this.#length++] = 0x0a
  }

  /** Hands out what waits: lines with their ends, and how many were dropped. */
  take(): { lines: string; lost: number } {
    const taken = { lines: this.#bytes.toString('utf8', 0, this.#length), lost: this.#lost }
    this.#length = 0
    this.#lost = 0
    if (this.#bytes.length > SIZE) this.#bytes = Buffer.alloc(0)
    return taken
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafe(Math.max(SIZE, 2 * this.#bytes.length, needed))
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
  }
}
