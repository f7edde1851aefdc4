/** The files of an archive by folder. Sorted once, so that to ask for a folder costs no look at all the others. */
export class FilesBelow {
  readonly #names: readonly string[]

  /** @param names of files, without folders */
  constructor(names: Iterable<string>) {
    this.#names = [...names].sort()
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
