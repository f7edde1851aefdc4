import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type EntryPath, judgeName, judgePath } from '../../src/format/entry-path.ts'
import type { Fault } from '../../src/format/fault.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const verdict = (result: EntryPath | Fault) => (typeof result === 'string' ? 'accepted' : result.code)

describe('names', () => {
  test.each([
    ['NAME_EMPTY', ['']],
    ['NAME_TOO_LONG', ['a'.repeat(256), `${'a/'.repeat(400)}${'b'.repeat(255)}`, 'é'.repeat(128)]],
    ['NAME_TOO_DEEP', [`${'a/'.repeat(64)}a`, `${'a/'.repeat(65)}`]],
    ['NAME_CONTROL', ['a\0b', 'a\nb', '\x1b[2J', 'a\x7f', 'a\u0085']],
    ['NAME_INVISIBLE', ['a\u202eb', 'a\u200bb', '\ufeffa', 'a\u00adb', 'a\u2028b', 'a\ufe0f', 'a\u{e0041}', '\u3164']],
    ['NAME_UNASSIGNED', ['a\u0378', '\u{1fae0}', '\ufffe']],
    ['NAME_BACKSLASH', ['..\\x', 'a\\b', 'C:\\x']],
    ['NAME_ABSOLUTE', ['/etc/x', '//srv/x', '/']],
    ['NAME_EMPTY_SEGMENT', ['a//b', 'a//', 'a//../b']],
    [
      'NAME_DOT_SEGMENT',
      ['../x', 'a/../../x', '..', './a', 'a/./b', '.', 'a/..', './', '．．', '‥/x', 'a／．．', '․/x'],
    ],
    ['NAME_RESERVED_CHAR', ['C:/x', 'C:x', 'a<b', 'a>b', 'a:s', '::$INDEX_ALLOCATION', 'a"b', 'a|b', 'a?b', 'a*b']],
    ['NAME_TRAILING_DOT_SPACE', ['...', 'a.', 'a ', 'a./b', 'a /b', 'a./', 'b/.. ']],
    [
      'NAME_DEVICE',
      ['CON', 'con', 'com1.txt', 'COM¹', 'lpt³.log', 'CONIN$', 'conout$', 'a/nul/b', 'aux/', 'prn .txt', 'NUL.tar.gz'],
    ],
    ['NAME_NOT_NFC', ['e\u0301', '\u212a', '\u2126', 'a/ﬃ/u\u0308']],
    [
      'accepted',
      [
        ...[
          '__proto__/x',
          'PROGRA~1',
          '%2e%2e/x',
          'constructor',
          'toString/',
          'a/b/c.txt',
          '.env',
          '..a',
          'a..b',
          '....a',
        ],
        ...['console.js', 'com10', 'com', 'auxiliary', 'conin', 'nullish/x', 'lpt/x', 'a b', ' a', "it's", 'a&b;c=d'],
        ...['é', 'straße', 'İ', '日本語/ファイル.txt', '…', 'ﬃ', 'a：b', '\ue000', '😀.png', 'x'.repeat(255)],
        ...[`${'a/'.repeat(63)}a`, `${'a/'.repeat(64)}`, `${'b'.repeat(200)}/`.repeat(5).slice(0, 1024)],
      ],
    ],
  ])('%s', (code, names) => {
    for (const name of names) {
      expect.soft(verdict(judgeName(bytes(name), true)), JSON.stringify(name)).toBe(code)
      expect.soft(verdict(judgePath(name)), JSON.stringify(name)).toBe(code)
    }
  })

  test('raw bytes that are no text', () => {
    for (const raw of [[0xff], [0x61, 0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]) {
      expect(verdict(judgeName(Uint8Array.from(raw), true))).toBe('NAME_NOT_UTF8')
    }
    expect(verdict(judgePath('a\ud800'))).toBe('NAME_NOT_UTF8')
  })

  test('bytes beyond ASCII need the flag; ASCII does not', () => {
    expect(verdict(judgeName(bytes('é'), false))).toBe('NAME_ENCODING')
    expect(verdict(judgeName(Uint8Array.of(0xff), false))).toBe('NAME_ENCODING')
    expect(verdict(judgeName(bytes('a'), false))).toBe('accepted')
  })

  test.each([
    ['NAME_TOO_LONG', `${'\0'.repeat(300)}`],
    ['NAME_TOO_DEEP', `${'../'.repeat(70)}`],
    ['NAME_CONTROL', '/\0\\'],
    ['NAME_INVISIBLE', '\u0378\u200b'],
    ['NAME_UNASSIGNED', '../\u0378\\'],
    ['NAME_BACKSLASH', '/a\\..'],
    ['NAME_ABSOLUTE', '/a//..'],
    ['NAME_EMPTY_SEGMENT', '..//a'],
    ['NAME_DOT_SEGMENT', '../a:'],
    ['NAME_RESERVED_CHAR', 'con:.'],
    ['NAME_TRAILING_DOT_SPACE', 'con.'],
    ['NAME_DEVICE', 'con.e\u0301'],
  ])('%s is reported before the rules after it', (code, name) => {
    expect(verdict(judgePath(name))).toBe(code)
  })

  test('the verdict never throws, and says the same for text and its bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (name) => {
        expect(judgePath(name)).toEqual(judgeName(bytes(name), true))
      }),
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (raw, flag) => void judgeName(raw, flag)))
  })

  test('the fast path accepts what the rules accept', () => {
    const unit = fc.constantFrom(...'aZ0-_.~ /:\\*con$1')
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 12 }), (name) => {
        expect(verdict(judgePath(name)) === 'accepted').toBe(isPlain(name))
      }),
      { numRuns: 2000 },
    )
  })
})

/** The rules for ASCII once more, one segment after the other. */
function isPlain(name: string): boolean {
  const devices = ['con', 'prn', 'aux', 'nul', 'conin$', 'conout$', 'com1', 'lpt1']
  const segments = name.replace(/\/$/, '').split('/')
  return segments.every((segment) => {
    const stem = segment.split('.')[0]!.trimEnd().toLowerCase()
    return segment !== '' && !/[:\\*]/.test(segment) && !/[. ]$/.test(segment) && !devices.includes(stem)
  })
}
