import type { EntryPath } from './entry-path.ts'
import type { Fault } from './fault.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { FOLD_FULL, FOLD_RUNS } from './tables.ts'

/**
 * The names of one archive, to find those that would meet on some file system. Rules B (FORMAT.md §Names):
 *
 *   B1 DUP                the name occurred before
 *   B2 CASE_COLLISION     the name, or a folder above it, occurred before in another spelling with the same collision key
 *   B3 FILE_DIR_CONFLICT  the name, or a folder above it, occurred before as the other kind
 *   B4 TOO_MANY           names and the folders above them are together more than twice the limit *entries*; judging ends there
 *
 * A name is compared from the root down, so that the outermost conflict is the one reported. Without B4, 65,000 names
 * of 64 segments would stand for four million folders. Twice, because folders need no entry of their own.
 */
export class NameTable {
  readonly #limit: number
  /** Collision key → name as first written, without the slash that ends a folder's name. */
  readonly #names = new Map<string, string>()
  /** Folders, and of those the ones known only as somebody's parent: their own entry may still come. */
  readonly #folders = new Set<string>()
  readonly #implied = new Set<string>()
  #isFull = false

  constructor(entries: number = DEFAULT_LIMITS.entries) {
    this.#limit = 2 * entries
  }

  /** Adds a name (folders end in "/") and the folders above it. */
  add(path: EntryPath): Fault | undefined {
    if (this.#isFull) return undefined
    const isFolder = path.endsWith('/')
    const name = isFolder ? path.slice(0, -1) : path
    const key = collisionKey(name)
    const parent = name.slice(0, Math.max(name.lastIndexOf('/'), 0))
    // A folder gets into the set only after every folder above it did.
    if (parent !== '' && !this.#folders.has(parent)) {
      // Folding leaves slashes alone and nothing composes with them: the key of a folder is the beginning of the name's.
      const keys = foldersAbove(key)
      for (const folder of foldersAbove(name)) {
        const fault = this.#put(folder, keys.next().value!, true, true)
        if (fault) return fault
      }
    }
    return this.#put(name, key, isFolder, false)
  }

  #put(name: string, key: string, isFolder: boolean, implied: boolean): Fault | undefined {
    const known = this.#names.get(key)
    if (known === undefined) {
      if (this.#names.size === this.#limit) {
        this.#isFull = true
        return { code: 'TOO_MANY', args: { limit: this.#limit, got: this.#limit + 1 } }
      }
      this.#names.set(key, name)
      if (isFolder) this.#folders.add(name)
      if (implied) this.#implied.add(name)
      return undefined
    }
    if (known !== name) return { code: 'CASE_COLLISION', args: { name, other: known } }
    if (this.#folders.has(name) !== isFolder) return { code: 'FILE_DIR_CONFLICT', args: { name } }
    // An entry may come after the entries inside it, once; a parent may be implied any number of times.
    return implied || this.#implied.delete(name) ? undefined : { code: 'DUP', args: { name } }
  }
}

/** "a" and "a/b" of "a/b/c", the outermost first. */
export function* foldersAbove(name: string): Generator<string, undefined> {
  for (let slash = name.indexOf('/'); slash !== -1; slash = name.indexOf('/', slash + 1)) yield name.slice(0, slash)
}

/**
 * Equal for names that a case-insensitive file system takes for one: every code point through Unicode 13's full case
 * folding (C and F), ı as i, i with a dot above as i (so İ meets i as well), and the result in normal form C.
 * The runtime's own toLowerCase is of another Unicode version in every release; for ASCII it is exact.
 */
export function collisionKey(name: string): string {
  if (/^[\u0000-\u007f]*$/.test(name)) return name.toLowerCase()
  fold ??= foldTable()
  let key = ''
  for (const char of name) key += fold.get(char) ?? char
  return key.replaceAll('i\u0307', 'i').normalize('NFC')
}

let fold: ReadonlyMap<string, string> | undefined

/** Built at the first name beyond ASCII: most archives have none. */
function foldTable(): ReadonlyMap<string, string> {
  const table = new Map(Object.entries(FOLD_FULL))
  for (const [first, last, step, offset] of FOLD_RUNS) {
    for (let point = first; point <= last; point += step) {
      table.set(String.fromCodePoint(point), String.fromCodePoint(point + offset))
    }
  }
  return table.set('ı', 'i')
}
