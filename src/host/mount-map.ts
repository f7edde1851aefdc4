/** Values by mount, found by the longest mount that a path is at or below. Whole segments, case-sensitive (FORMAT.md, rule P8). */
export class MountMap<T> {
  readonly #values = new Map<string, T>()
  /** Segments of the deepest mount: a long path costs no more than this many look-ups. */
  #depth = 0

  get(mount: string): T | undefined {
    return this.#values.get(mount)
  }

  /** @param mount `""` or `/a/b` */
  set(mount: string, value: T): void {
    this.#values.set(mount, value)
    this.#depth = Math.max(this.#depth, mount.split('/').length - 1)
  }

  delete(mount: string): void {
    this.#values.delete(mount)
  }

  /** In the order of their mounts. */
  values(): T[] {
    return [...this.#values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value)
  }

  /** @param path begins with "/" */
  find(path: string): T | undefined {
    let found = this.#values.get('')
    for (let depth = 0, end = 0; depth < this.#depth && end !== -1; depth++) {
      end = path.indexOf('/', end + 1)
      found = this.#values.get(end === -1 ? path : path.slice(0, end)) ?? found
    }
    return found
  }
}
