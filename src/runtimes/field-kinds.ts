/** More are somebody's inventions. */
const MAX_NAMES = 500

/**
 * What names of fields mean. They come again and again, in the same spelling: a look-up is a tenth of the work of telling.
 */
export class FieldKinds<T> {
  readonly #tell: (lower: string) => T
  readonly #known = new Map<string, T>()

  /** @param tell what a name in lower case means; never undefined */
  constructor(tell: (lower: string) => T) {
    this.#tell = tell
  }

  /** @param name in any case */
  of(name: string): T {
    const known = this.#known.get(name)
    if (known !== undefined) return known
    if (this.#known.size === MAX_NAMES) this.#known.clear()
    const kind = this.#tell(name.toLowerCase())
    this.#known.set(name, kind)
    return kind
  }
}
