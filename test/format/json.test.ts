import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJson } from '../../src/format/json.ts'

const parse = (text: string, options = {}) => parseJson(new TextEncoder().encode(text), options)
const codes = (text: string) => parse(text).findings.map(({ code }) => code)

/** JSON values as every language reads them: integers, whole surrogate pairs, no "__proto__". */
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger().filter((n) => !Object.is(n, -0)),
    fc.string({ unit: 'binary' }),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(fc.string({ unit: 'binary' }), tie('any'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).any

describe('JSON', () => {
  test('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(value, fc.constantFrom(0, 2, '\t', ' \r\n'), (written, indent) => {
        const text = JSON.stringify(written, null, indent)
        const parsed = parse(text)
        fc.pre(!text.includes('"__proto__"'))
        expect(parsed.findings).toEqual([])
        expect(parsed.value).toEqual(JSON.parse(text))
      }),
    )
  })

  test('refuses what JSON.parse refuses, and never throws', () => {
    const unit = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      '\\',
      'u',
      'a',
      '0',
      '1',
      '-',
      '.',
      'e',
      ' ',
      '\n',
      'null',
    )
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 12 }), (text) => {
        let isJson = true
        try {
          JSON.parse(text)
        } catch {
          isJson = false
        }
        expect(codes(text).includes('MANIFEST_SYNTAX')).toBe(!isJson)
      }),
      { numRuns: 5000 },
    )
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void parseJson(bytes)))
  })

  test('says where every value and key stands', () => {
    const text = '{\n  "a": [1, "zwölf 😀", {"b": true}],\r\n\t"c":null}'
    const { locate } = parse(text)
    expect(locate([], 'value')).toEqual({ line: 1, column: 1, length: text.length })
    expect(locate(['a'], 'key')).toEqual({ line: 2, column: 3, length: 3 })
    expect(locate(['a', 0], 'value')).toEqual({ line: 2, column: 9, length: 1 })
    expect(locate(['a', 1], 'value')).toEqual({ line: 2, column: 12, length: 10 })
    expect(locate(['a', 2, 'b'], 'key')).toEqual({ line: 2, column: 25, length: 3 })
    expect(locate(['a', 2, 'b'], 'value')).toEqual({ line: 2, column: 30, length: 4 })
    expect(locate(['c'], 'value')).toEqual({ line: 3, column: 6, length: 4 })
    expect(locate(['c', 'd'], 'value')).toBeUndefined()
    expect(locate(['a', 0], 'key')).toBeUndefined()
    expect(locate(['toString'], 'value')).toBeUndefined()
  })

  test('goes on after a fault that leaves the rest readable', () => {
    const { value, findings } = parse('{"a": 1.5, "a": 2, "__proto__": 1, "b": NaN, "c": "\\udc00", "d": 01}')
    expect(value).toBeUndefined()
    expect(findings.map(({ code, column }) => [code, column])).toEqual([
      ['MANIFEST_NUMBER', 7],
      ['MANIFEST_DUP_KEY', 12],
      ['MANIFEST_KEY', 20],
      ['MANIFEST_NUMBER', 41],
      ['MANIFEST_ENCODING', 51],
      ['MANIFEST_SYNTAX', 66],
    ])
  })

  test('the first of two equal keys counts, and no key reaches the prototype', () => {
    const { value } = parse('{"a": 1, "a": 2, "__proto__": {"polluted": true}}')
    expect(value).toEqual({ a: 1 })
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  })

  test('limits', () => {
    expect(codes(`${'['.repeat(32)}${']'.repeat(32)}`)).toEqual([])
    expect(codes(`${'['.repeat(33)}${']'.repeat(33)}`)).toEqual(['MANIFEST_DEPTH'])
    expect(codes('['.repeat(1_000_000))).toEqual(['MANIFEST_DEPTH'])
    expect(codes(`"${'a'.repeat(2 ** 20 - 2)}"`)).toEqual([])
    expect(codes(`"${'\\n'.repeat(2 ** 19 - 1)}"`)).toEqual([])
    expect(codes(`"${'a'.repeat(2 ** 20 - 1)}"`)).toEqual(['MANIFEST_TOO_LARGE'])
    expect(parse('[1]', { maxBytes: 2 }).findings[0]?.args).toEqual({ limit: 2, got: 3 })
  })
})
