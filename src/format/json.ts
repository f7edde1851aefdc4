import { type Finding, finding } from '../errors.ts'
import type { Fault } from './fault.ts'
import { readJson, type Span } from './json-reader.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { countUpTo } from './sorted.ts'

export type JsonPath = readonly (string | number)[]

/** 1-based line and column, as editors count: column and length in UTF-16 units. */
export interface Place {
  readonly line: number
  readonly column: number
  readonly length: number
}

export interface ParsedJson {
  /** Absent when the text could not be read to its end. */
  readonly value?: unknown
  /** In order of their place. */
  readonly findings: readonly Finding[]
  readonly text: string
  /** Where a value, or the key in front of it, stands; undefined where the text has no such path. */
  locate(path: JsonPath, target: 'key' | 'value'): Place | undefined
}

const MAX_DEPTH = 32

/**
 * Reads a JSON file so that every language reads the same. Rules J (FORMAT.md §JSON); the rest is in json-reader.ts:
 *
 *   J1  MANIFEST_TOO_LARGE  at most `maxBytes` bytes (1 MiB)
 *   J2  MANIFEST_ENCODING   well-formed UTF-8 without byte order mark
 *
 * Never throws. Faults that leave the rest readable (J5 to J8) do not end the reading.
 */
export function parseJson(
  bytes: Uint8Array,
  options: { readonly maxBytes?: number; readonly maxDepth?: number; readonly file?: string } = {},
): ParsedJson {
  const { maxBytes = DEFAULT_LIMITS.manifestBytes, maxDepth = MAX_DEPTH, file = 'zapp.json' } = options
  const text = bytes.length > maxBytes ? tooLarge(bytes.length, maxBytes) : decode(bytes)
  if (typeof text !== 'string') {
    return { findings: [finding(text.code, file, text.args)], text: '', locate: () => undefined }
  }

  const places = createPlaces(text)
  const { value, span, faults } = readJson(text, maxDepth)
  return {
    value,
    text,
    findings: faults.map(({ code, args, offset }) => {
      const { line, column } = places(offset, offset)
      return { ...finding(code, file, args), line, column }
    }),
    locate(path, target) {
      const found = path.reduce<Span | undefined>((at, step) => at?.children?.get(step), span)
      const range = target === 'key' ? found?.key : found
      return range && places(range.start, range.end)
    },
  }
}

function tooLarge(got: number, limit: number): Fault {
  return { code: 'MANIFEST_TOO_LARGE', args: { limit, got } }
}

function decode(bytes: Uint8Array): string | Fault {
  const [a, b, c] = bytes
  if (a === 0xef && b === 0xbb && c === 0xbf) return wrongEncoding('a byte order mark')
  // A JSON text begins with two ASCII characters, none of them NUL: anything else here is UTF-16 or UTF-32.
  if ((a === 0xfe && b === 0xff) || (a === 0xff && b === 0xfe) || a === 0 || b === 0) return wrongEncoding('UTF-16')
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return wrongEncoding('bytes that are not UTF-8')
  }
}

function wrongEncoding(got: string): Fault {
  return { code: 'MANIFEST_ENCODING', args: { got } }
}

function createPlaces(text: string): (start: number, end: number) => Place {
  const lineStarts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lineStarts.push(at + 1)
  return (start, end) => {
    const line = countUpTo(lineStarts, start)
    return { line, column: start - lineStarts[line - 1]! + 1, length: end - start }
  }
}
