import { expect, test } from 'vitest'
import { type ContentsRow, formatContents, parseContents } from '../../src/format/contents.ts'

const rows: ContentsRow[] = [
  { path: 'mimetype', size: 24, sha256: 'a'.repeat(64), mode: '0644' },
  { path: 'bin/über run', size: 0, sha256: '0'.repeat(64), mode: '0755' },
]
const text = new TextDecoder().decode(formatContents(rows))
const parse = (changed: string) => parseContents(new TextEncoder().encode(changed))

test('is written in one way', () => {
  expect(text).toBe(
    [
      '{"v":1,"entries":[',
      `{"path":"mimetype","size":24,"sha256":"${'a'.repeat(64)}","mode":"0644"},`,
      `{"path":"bin/über run","size":0,"sha256":"${'0'.repeat(64)}","mode":"0755"}`,
      ']}',
      '',
    ].join('\n'),
  )
  expect(JSON.parse(text)).toEqual({ v: 1, entries: rows })
  expect(parse(text)).toEqual(rows)
})

test.each([
  ['empty', ''],
  ['no rows', '{"v":1,"entries":[\n]}\n'],
  ['other white space', text.replace('"size":24', '"size": 24')],
  ['CRLF', text.replaceAll('\n', '\r\n')],
  ['another version', text.replace('"v":1', '"v":2')],
  ['keys in another order', text.replace('{"path":"mimetype","size":24', '{"size":24,"path":"mimetype"')],
  ['an escape', text.replace('mimetype', '\\u006dimetype')],
  ['a further key', text.replace('"size":24', '"size":24,"x":1')],
  ['upper-case hex', text.replaceAll('a'.repeat(64), 'A'.repeat(64))],
  ['another mode', text.replace('0755', '0777')],
  ['a size with a leading zero', text.replace('"size":24', '"size":024')],
  ['no comma between rows', text.replace('},\n', '}\n')],
  ['a comma after the last row', text.replace('}\n]}', '},\n]}')],
  ['no line feed at the end', text.slice(0, -1)],
  ['a line after the end', `${text}\n`],
  ['text after the end', `${text}x`],
  ['a byte order mark', `\ufeff${text}`],
])('%s is refused', (_, changed) => {
  expect(changed).not.toBe(text)
  expect(parse(changed)).toMatchObject({ code: 'INDEX_MISMATCH' })
})

test('bytes that are not UTF-8 are refused', () => {
  expect(parseContents(Uint8Array.of(...formatContents(rows), 0xff))).toMatchObject({ code: 'INDEX_MISMATCH' })
})
