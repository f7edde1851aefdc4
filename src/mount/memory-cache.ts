/** Enough for the hot files of a site; an app with more is served from its archive, which the system caches anyway. */
const DEFAULT_BYTES = 32 * 1024 * 1024
/** One file may take this share: below it, sixteen hot files always fit side by side. */
const LARGEST_SHARE = 1 / 16

/**
 * Small bodies kept whole, the least recently used dropped first; may be shared by several mounts. Bounded by bytes.
 *
 * Keys are objects that live as long as their mount (a prepared representation), so nothing is hashed per request.
 */
export class MemoryCache {
  /** Longer bodies are not kept and should be streamed. */
  readonly largest: number
  readonly #capacity: number
  readonly #kept = new Map<object, Uint8Array>()
  readonly #loading = new Map<object, Promise<Uint8Array>>()
  #bytes = 0
  #newest: object | undefined

  /** @param capacity bytes in all; 0 keeps nothing. */
  constructor(capacity: number = DEFAULT_BYTES) {
    this.#capacity = capacity
    this.largest = Math.floor(capacity * LARGEST_SHARE)
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.#bytes
  }

  get(key: object): Uint8Array | undefined {
    const bytes = this.#kept.get(key)
    // Under load one file is often asked for many times in a row: it is already at the end.
    if (bytes !== undefined && this.#newest !== key) {
      this.#kept.delete(key)
      this.#kept.set(key, bytes)
      this.#newest = key
    }
    return bytes
  }

  /** Loads once however many ask at the same time. A load that fails is not remembered. */
  load(key: object, read: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const running = this.#loading.get(key)
    if (running !== undefined) return running
    const loading = read()
      .then((bytes) => this.#keep(key, bytes))
      .finally(() => this.#loading.delete(key))
    this.#loading.set(key, loading)
    return loading
  }

  #keep(key: object, bytes: Uint8Array): Uint8Array {
    if (bytes.length > this.largest) return bytes
    this.#kept.set(key, bytes)
    this.#newest = key
    this.#bytes += bytes.length
    for (const [oldest, dropped] of this.#kept) {
      if (this.#bytes <= this.#capacity) break
      this.#kept.delete(oldest)
      this.#bytes -= dropped.length
    }
    return bytes
  }
}
