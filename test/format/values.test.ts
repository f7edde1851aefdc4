import { describe, expect, test } from 'vitest'
import { checkConfigValue } from '../../src/format/config-value.ts'
import { didYouMean } from '../../src/format/did-you-mean.ts'
import { parseDuration } from '../../src/format/duration.ts'
import type { ConfigVar } from '../../src/format/manifest-types.ts'
import { mediaType } from '../../src/format/media-types.ts'
import { parseRange, satisfies } from '../../src/format/version-range.ts'

describe('version ranges', () => {
  test.each([
    ['>=20.19', ['20.19.0', 'v20.19.1', '21', '100.0.0'], ['20.18.9', '19.99.99', '3']],
    ['>=3.11,<3.14', ['3.11.0', '3.13.9', '3.13.0rc1', '3.11.7+'], ['3.10.9', '3.14.0', '3.14.0rc1', '4']],
    ['<2', ['1.99.99', '0', '0.0.1'], ['2', '2.0.0', '10']],
    ['>=1.2.3', ['1.2.3', '1.2.10', '1.10.0'], ['1.2.2', '1.2']],
    ['>=1,>=2,<4,<3', ['2.5'], ['1.5', '3']],
  ])('%s', (text, inside, outside) => {
    const range = parseRange(text)!
    expect([...inside, ...outside].filter((version) => satisfies(version, range))).toEqual(inside)
  })

  test.each([
    '',
    '20',
    '>20',
    '<=3',
    '^20',
    '~3.1',
    '>= 20',
    '>=20, <22',
    '>=20,',
    '>=20.x',
    '>=020',
    '>=1.2.3.4',
    '>=20 || <3',
  ])('%j is none', (text) => expect(parseRange(text)).toBeUndefined())

  test('a version without a number lies in no range', () => {
    expect(['', 'unknown', 'v', '-1'].filter((version) => satisfies(version, parseRange('<2')!))).toEqual([])
  })
})

test('durations', () => {
  const texts = ['1ms', '500ms', '30s', '5m', '1h', '7d']
  expect(texts.map(parseDuration)).toEqual([1, 500, 30_000, 300_000, 3_600_000, 604_800_000])
  const others = ['', '0s', '05s', '1', '1.5h', '1 s', '-1s', '1S', '1w', '1h30m', '1s\n', '123456789s']
  expect(others.map(parseDuration)).toEqual(others.map(() => undefined))
})

test('media types', () => {
  expect(mediaType('public/index.html')).toEqual({ type: 'text/html; charset=utf-8', compressible: true })
  expect(mediaType('a/B.PNG')).toEqual({ type: 'image/png', compressible: false })
  expect(mediaType('a.tar.gz').type).toBe('application/gzip')
  const unknown = ['LICENSE', '.css', 'a.css/b', 'x.', 'x.constructor', 'x.unknown', '']
  expect(unknown.filter((path) => mediaType(path).type !== 'application/octet-stream')).toEqual([])
})

describe('config values', () => {
  const check = (type: ConfigVar['type'], text: string, more: Partial<ConfigVar> = {}) =>
    checkConfigValue({ name: 'A', type, required: false, secret: false, values: ['a', 'b'], ...more }, text)

  test.each<[ConfigVar['type'], string[], string[]]>([
    ['string', ['', 'a\nb', ' '], ['a\0']],
    ['integer', ['0', '-5', '9007199254740991'], ['', '1.0', '01', '+1', '1e3', ' 1', '0x1', '9007199254740992', '-0']],
    ['boolean', ['true', 'false'], ['', '1', 'True', 'yes']],
    [
      'url',
      ['postgres://u:p@host/db', 'sqlite:///x.db', 'https://bücher.example'],
      ['', 'host:80', 'http:/x', 'a://', 'a://b c', '1a://b'],
    ],
    ['enum', ['a', 'b'], ['', 'A', 'c']],
    ['json', ['{"a":1.5}', 'null', '"x"'], ['', '{a:1}', 'NaN']],
    ['file', ['/etc/key.pem', 'key'], ['', 'a\0b']],
  ])('%s', (type, good, bad) => {
    expect(good.map((text) => check(type, text))).toEqual(good.map(() => undefined))
    expect(bad.map((text) => check(type, text)?.code)).toEqual(bad.map(() => 'CONFIG_INVALID'))
  })

  test('the message echoes the value, never a secret one', () => {
    expect(check('enum', 'c')?.args).toEqual({ name: 'A', expected: 'one of "a", "b"', got: 'c' })
    expect(JSON.stringify(check('integer', 'hunter2', { secret: true }))).not.toContain('hunter2')
  })
})

test('did you mean', () => {
  const keys = ['entry', 'entries', 'title', 'static', 'cache']
  expect(['entri', 'titel', 'Static', 'cahce', 'statics'].map((word) => didYouMean(word, keys))).toEqual([
    ...['entry', 'title', 'static', 'cache', 'static'],
  ])
  expect(['foo', 'x', '', 'signature'].map((word) => didYouMean(word, keys))).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ])
})
