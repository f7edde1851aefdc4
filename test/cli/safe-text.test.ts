import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cellWidth, safeJson, safeText } from '../../src/cli/safe-text.ts'
import { shellWord } from '../../src/format/shell-word.ts'

const TERMINAL_OBEYS = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/

describe('safeText', () => {
  it.each([
    ['\u001b[2J', '\\u001b[2J'],
    ['a\u0000b\r\n\t', 'a\\u0000b\\u000d\\u000a\\u0009'],
    ['\u009b31m', '\\u009b31m'],
    ['safe\u202egpj.exe', 'safe\\u202egpj.exe'],
    ['zero\u200bwidth\ufeff', 'zero\\u200bwidth\\ufeff'],
    ['lone \ud800', 'lone \\ud800'],
    ['tag \u{e0041}', 'tag \\udb40\\udc41'],
    ['blank \u3164', 'blank \\u3164'],
    ['größe 日本 🦊.txt', 'größe 日本 🦊.txt'],
  ])('%j', (text, safe) => {
    expect(safeText(text)).toBe(safe)
  })

  it('leaves nothing that a terminal would obey, whatever comes in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(safeText(text).replace(/[\ud800-\udbff][\udc00-\udfff]/g, '')).not.toMatch(TERMINAL_OBEYS)
      }),
    )
  })
})

describe('safeJson', () => {
  it('is the same value and safe to print', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })), (value) => {
        const text = safeJson(value)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(text.replace(/\n|[\ud800-\udbff][\udc00-\udfff]/g, '')).not.toMatch(TERMINAL_OBEYS)
      }),
    )
  })
})

it('cellWidth counts what a terminal shows', () => {
  expect(cellWidth('abc')).toBe(3)
  expect(cellWidth('日本')).toBe(4)
  expect(cellWidth('e\u0301')).toBe(1)
  expect(cellWidth('🦊x')).toBe(3)
})

it('shellWord quotes only where a shell would split or expand', () => {
  expect(shellWord('./a-b_1.0.zapp')).toBe('./a-b_1.0.zapp')
  expect(shellWord("it's mine")).toBe("'it'\\''s mine'")
  expect(shellWord('$(rm x)')).toBe("'$(rm x)'")
  expect(shellWord('')).toBe("''")
})
