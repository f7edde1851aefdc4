import type { Generation } from './generation.ts'

/** How long an old version may finish what it has begun, after a new one took over: long transfers are not cut short. */
const DRAIN_MS = 30_000
/** Versions that end what they have begun; the oldest is cut short for a further one (R08). */
const MAX_DRAINING = 2

/** The versions of one app that serve no more, until they are gone. */
export class Draining {
  readonly #draining = new Set<Generation>()
  readonly #ending = new Set<Promise<void>>()
  readonly #onError: (error: unknown) => void

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  get size(): number {
    return this.#draining.size
  }

  /** @param cause in words */
  add(generation: Generation, cause: string): void {
    this.#draining.add(generation)
    void this.end(generation, DRAIN_MS, cause).then(() => this.#draining.delete(generation))
    const [oldest] = this.#draining
    if (this.#draining.size > MAX_DRAINING && oldest) {
      this.#draining.delete(oldest)
      void this.end(oldest, 0, cause)
    }
  }

  /** Never rejects. */
  end(generation: Generation, graceMs: number, cause: string): Promise<void> {
    const ended = generation.stop(graceMs, cause, this.#onError).finally(() => this.#ending.delete(ended))
    this.#ending.add(ended)
    return ended
  }

  /** Ends all at once. Resolves when every version is gone. */
  async close(cause: string): Promise<void> {
    for (const one of this.#draining) void this.end(one, 0, cause)
    await this.ended()
  }

  async ended(): Promise<void> {
    await Promise.all(this.#ending)
  }
}
