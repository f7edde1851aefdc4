import { describe, expect, it } from 'vitest'
import { renderExcerpt } from '../../src/cli/excerpt.ts'
import { cellWidth } from '../../src/cli/safe-text.ts'

const at = (text: string, line: number, column: number, width = 80) => renderExcerpt(text, { line, column }, width)

describe('renderExcerpt', () => {
  it('puts carets under the whole token', () => {
    const text = '{\n  "version": "1.\\"2",\n  "zapp": 12,\n  "routes": []\n}'
    expect(at(text, 2, 14)).toEqual(['2 |   "version": "1.\\"2",', '  |              ^^^^^^^'])
    expect(at(text, 2, 3)).toEqual(['2 |   "version": "1.\\"2",', '  |   ^^^^^^^^^'])
    expect(at(text, 3, 11)).toEqual(['3 |   "zapp": 12,', '  |           ^^'])
    expect(at(text, 4, 13)).toEqual(['4 |   "routes": []', '  |             ^'])
  })

  it('puts one caret behind the end of a line', () => {
    expect(at('{"a": 1', 1, 8)).toEqual(['1 | {"a": 1', '  |        ^'])
    expect(at('', 1, 1)).toEqual(['1 |', '  | ^'])
  })

  it('takes the carriage return of Windows for what it is', () => {
    expect(at('{\r\n"a":1\r\n}', 2, 5)).toEqual(['2 | "a":1', '  |     ^'])
  })

  it('lines up behind tabs, wide characters and escapes', () => {
    const text = '\t"名前\u001b": "x"'
    const [line, carets] = at(text, 1, text.indexOf('"x"') + 1) as [string, string]
    expect(line).toBe('1 |   "名前\\u001b": "x"')
    expect(carets.indexOf('^')).toBe(cellWidth(line.slice(0, line.indexOf('"x"'))))
  })

  it('cuts a minified manifest around the place', () => {
    const text = `{"description":"${'a'.repeat(500_000)}","version":"bad","title":"${'b'.repeat(500_000)}"}`
    const [line, carets] = at(text, 1, text.indexOf('"bad"') + 1) as [string, string]
    expect(cellWidth(line)).toBeLessThanOrEqual(80)
    expect(line).toMatch(/^1 \| …a+","version":"bad","title":"b+…$/)
    expect(line.slice(carets.indexOf('^'), carets.lastIndexOf('^') + 1)).toBe('"bad"')
  })

  it('cuts a long token at its end', () => {
    const [line, carets] = at(`{"a":"${'x'.repeat(200)}"}`, 1, 6, 40) as [string, string]
    expect(line).toMatch(/^1 \| \{"a":"x+…$/)
    expect([line.length, carets.length]).toEqual([40, 40])
  })

  it('has nothing to show of a line that is not there', () => {
    expect(at('{}', 2, 1)).toBeUndefined()
  })
})
