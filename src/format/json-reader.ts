import type { Args } from '../errors.ts'
import type { Fault } from './fault.ts'

/** Where a value stands in the text, as offsets; the same for everything inside it. */
export interface Span {
  readonly start: number
  end: number
  /** The key in front of it, quotes included. */
  readonly key?: { readonly start: number; readonly end: number }
  readonly children?: Map<string | number, Span>
}

export type FaultAt = Fault & { readonly offset: number }

export interface Reading {
  readonly value?: unknown
  readonly span?: Span
  readonly faults: readonly FaultAt[]
}

const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*/y
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![-+.0-9A-Za-z])/y
const INTEGER = /^(?:0|-?[1-9][0-9]*)$/
const WORD = /-?[A-Za-z]+(?![-+.0-9A-Za-z])/y
const SPACE = /[ \t\n\r]*/y
const TOKEN = /"[^"\\\n]{0,20}"|[^\s,:{}[\]"]{1,20}|./suy

/**
 * Reads RFC 8259 with the positions of everything, and finds what JSON parsers of two languages read differently.
 * Rules J (FORMAT.md §JSON), after J1 and J2 in json.ts:
 *
 *   J3  MANIFEST_SYNTAX    RFC 8259; the reading ends at the first such fault
 *   J4  MANIFEST_DEPTH     nested at most `maxDepth` deep; the reading ends here as well
 *   J5  MANIFEST_DUP_KEY   a key occurs once in its object, compared after its escapes are resolved; the first one counts
 *   J6  MANIFEST_KEY       no key is "__proto__"
 *   J7  MANIFEST_NUMBER    numbers match ^(?:0|-?[1-9][0-9]*)$ and lie within ±(2^53-1); NaN and Infinity are no values
 *   J8  MANIFEST_ENCODING  no escape gives half a surrogate pair
 */
export function readJson(text: string, maxDepth: number): Reading {
  const reader = new Reader(text, maxDepth)
  try {
    const { value, span } = reader.document()
    return { value, span, faults: reader.faults }
  } catch (error) {
    if (error instanceof Stop) return { faults: [...reader.faults, error.fault] }
    throw error
  }
}

/** Thrown inside this file only: the rest of the text cannot be read. */
class Stop {
  readonly fault: FaultAt
  constructor(fault: FaultAt) {
    this.fault = fault
  }
}

interface Read<T = unknown> {
  readonly value: T
  readonly span: Span
}

class Reader {
  readonly faults: FaultAt[] = []
  readonly #text: string
  readonly #maxDepth: number
  #at = 0

  constructor(text: string, maxDepth: number) {
    this.#text = text
    this.#maxDepth = maxDepth
  }

  document(): Read {
    const read = this.#value(1)
    this.#take(SPACE)
    if (this.#at < this.#text.length) this.#stop('the end of the file')
    return read
  }

  #value(depth: number, expected = 'a value'): Read {
    this.#take(SPACE)
    const start = this.#at
    const first = this.#text[start]
    if (first === '{' || first === '[') {
      if (depth > this.#maxDepth) throw new Stop(this.#fault('MANIFEST_DEPTH', start, { limit: this.#maxDepth }))
      return first === '{' ? this.#object(depth) : this.#array(depth)
    }
    const value = first === '"' ? this.#string() : this.#scalar(expected)
    return { value, span: { start, end: this.#at } }
  }

  #object(depth: number): Read<Record<string, unknown>> {
    const value: Record<string, unknown> = {}
    const children = new Map<string | number, Span>()
    const span: Span = { start: this.#at++, end: 0, children }
    let expected = 'a key in double quotes or "}"'
    while (!this.#ends('}', children.size)) {
      if (children.size > 0) expected = 'a key in double quotes (no comma after the last one)'
      this.#take(SPACE)
      const start = this.#at
      if (this.#text[start] !== '"') this.#stop(expected)
      const name = this.#string()
      const key = { start, end: this.#at }
      const isFirst = !children.has(name)
      // Before the value is read: where that ends the reading, the key's fault is found all the same.
      if (name === '__proto__') this.#report('MANIFEST_KEY', start, { key: name })
      else if (!isFirst) this.#report('MANIFEST_DUP_KEY', start, { key: name })
      this.#expect(':', '":" after the key')
      const child = this.#value(depth + 1)
      if (!isFirst) continue
      if (name !== '__proto__') value[name] = child.value
      // A forbidden key counts as a member too, so that the comma after it is expected; its place is never asked for.
      children.set(name, { ...child.span, key })
    }
    span.end = this.#at
    return { value, span }
  }

  #array(depth: number): Read<unknown[]> {
    const value: unknown[] = []
    const children = new Map<string | number, Span>()
    const span: Span = { start: this.#at++, end: 0, children }
    while (!this.#ends(']', value.length)) {
      const child = this.#value(
        depth + 1,
        value.length > 0 ? 'a value (no comma after the last one)' : 'a value or "]"',
      )
      children.set(value.length, child.span)
      value.push(child.value)
    }
    span.end = this.#at
    return { value, span }
  }

  /** Before a member: takes the closing bracket and says so, or takes the comma that must follow a member. */
  #ends(close: string, members: number): boolean {
    this.#take(SPACE)
    if (this.#text[this.#at] === close) {
      this.#at++
      return true
    }
    if (members > 0) this.#expect(',', `"," or "${close}"`)
    return false
  }

  #string(): string {
    const start = this.#at
    const token = this.#take(STRING)
    const next = this.#text[this.#at]
    if (next !== '"') {
      if (next === '\\') this.#stop('an escape of JSON: \\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX')
      this.#stop('a closing double quote')
    }
    this.#at++
    const value: string = JSON.parse(`${token}"`)
    if (/\p{Surrogate}/u.test(value)) this.#report('MANIFEST_ENCODING', start, { got: 'half a surrogate pair' })
    return value
  }

  #scalar(expected: string): unknown {
    const start = this.#at
    const number = this.#take(NUMBER)
    if (number !== '') {
      const value = Number(number)
      if (!INTEGER.test(number) || !Number.isSafeInteger(value)) this.#report('MANIFEST_NUMBER', start, { got: number })
      return value
    }
    const word = this.#take(WORD)
    if (word === 'true') return true
    if (word === 'false') return false
    if (word === 'null') return null
    if (/^-?(?:NaN|Infinity)$/.test(word)) {
      this.#report('MANIFEST_NUMBER', start, { got: word })
      return 0
    }
    this.#at = start
    return this.#stop(expected)
  }

  #expect(char: string, expected: string): void {
    this.#take(SPACE)
    if (this.#text[this.#at] !== char) this.#stop(expected)
    this.#at++
  }

  /** Matches at the position and moves behind it; "" where there is no match. */
  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const token = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += token.length
    return token
  }

  #stop(expected: string): never {
    const offset = this.#at
    const token = this.#take(TOKEN)
    // Messages put quotes around it again.
    const got = token === '' ? 'the end of the file' : token.replace(/^"(.*)"$/, '$1')
    const hint = /^\/[/*]/.test(got) ? ' (JSON has no comments)' : ''
    throw new Stop(this.#fault('MANIFEST_SYNTAX', offset, { expected: expected + hint, got }))
  }

  #report(code: Fault['code'], offset: number, args: Args): void {
    this.faults.push(this.#fault(code, offset, args))
  }

  #fault(code: Fault['code'], offset: number, args: Args): FaultAt {
    return { code, offset, args }
  }
}
