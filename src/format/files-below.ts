/**
 * The files of an archive by folder. Sorted once, when the first folder is asked for, so that to ask for a folder costs no
 * look at all the others.
 */
export class FilesBelow {
  readonly #given: Iterable<string>
  #sorted: readonly string[] | undefined

  /** @param names of files, without folders; read once at most */
  constructor(names: Iterable<string>) {
    this.#given = names
  }

  /** @param entries folders among them */
  static among(entries: Iterable<{ readonly kind: 'file' | 'dir'; readonly path: string }>): FilesBelow {
    return new FilesBelow(filesOf(entries))
  }

  /** @param folder without a slash at the end. @returns names, in the order of their code units */
  of(folder: string): readonly string[] {
    return this.#names.slice(...this.#range(folder))
  }

  /** How many {@link of} returns. */
  count(folder: string): number {
    const [from, to] = this.#range(folder)
    return to - from
  }

  get #names(): readonly string[] {
    this.#sorted ??= [...this.#given].sort()
    return this.#sorted
  }

  /** What begins with "folder/" stands together, in front of "folder0": 0 is the character after the slash. */
  #range(folder: string): [from: number, to: number] {
    return [this.#firstFrom(`${folder}/`), this.#firstFrom(`${folder}0`)]
  }

  #firstFrom(name: string): number {
    let [low, high] = [0, this.#names.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#names[middle] as string) < name) low = middle + 1
      else high = middle
    }
    return low
  }
}

function* filesOf(entries: Iterable<{ readonly kind: 'file' | 'dir'; readonly path: string }>): Generator<string> {
  for (const { kind, path } of entries) if (kind === 'file') yield path
}
