import type { Finding } from '../errors.ts'

interface Row {
  readonly pass: number
  readonly index: number
  readonly rule: number
  readonly finding: Finding
}

/**
 * Of one pass. A directory of 70 MB can be wrong a million times; each of the first thousand is worth knowing. The first
 * of all is among them, because every pass goes through the entries in their order.
 */
const MAX_PER_PASS = 1000

/**
 * Collects findings and puts them into the order that every implementation must agree on: pass, then entry, then
 * rule. So the first one does not depend on how a reader arranges its work. FORMAT.md §Errors.
 */
export class Report {
  readonly #rows: Row[] = []
  readonly #counts = new Map<number, number>()

  /** `index` is the entry's number in the directory; 0 where a rule is about the file as a whole. */
  add(pass: number, index: number, rule: number, finding: Finding): void {
    const count = this.#counts.get(pass) ?? 0
    this.#counts.set(pass, count + 1)
    if (count < MAX_PER_PASS) this.#rows.push({ pass, index, rule, finding })
  }

  get empty(): boolean {
    return this.#rows.length === 0
  }

  findings(): Finding[] {
    return this.#rows.sort((a, b) => a.pass - b.pass || a.index - b.index || a.rule - b.rule).map((row) => row.finding)
  }
}
