import { describe, expect, test } from 'vitest'
import { type EntryPath, judgePath } from '../../src/format/entry-path.ts'
import { collisionKey, NameTable } from '../../src/format/name-table.ts'

function addAll(names: string[]) {
  const table = new NameTable()
  return names.map((name) => {
    expect(typeof judgePath(name), name).toBe('string')
    return table.add(name as EntryPath)?.code
  })
}

describe('names of one archive', () => {
  test.each([
    ['DUP', ['a', 'a']],
    ['DUP', ['a/', 'a/b', 'a/']],
    ['DUP', ['a/b', 'a/', 'a/']],
    ['CASE_COLLISION', ['a', 'A']],
    ['CASE_COLLISION', ['src/a', 'Src/b']],
    ['CASE_COLLISION', ['src/x/a', 'src/X/']],
    ['CASE_COLLISION', ['straße', 'STRASSE']],
    ['CASE_COLLISION', ['I', 'ı']],
    ['CASE_COLLISION', ['i', 'İ']],
    ['CASE_COLLISION', ['Σ', 'ς']],
    ['CASE_COLLISION', ['ﬃ', 'FFI']],
    ['CASE_COLLISION', ['ᾳ', 'ΑΙ']],
    ['CASE_COLLISION', ['\u13a0', '\uab70']],
    ['CASE_COLLISION', ['a', 'A/b']],
    ['FILE_DIR_CONFLICT', ['a', 'a/b']],
    ['FILE_DIR_CONFLICT', ['a', 'a/']],
    ['FILE_DIR_CONFLICT', ['a/b/c', 'a/b']],
    ['FILE_DIR_CONFLICT', ['a/', 'a']],
  ])('%s: %j', (code, names) => {
    const found = addAll(names)
    expect(found.at(-1)).toBe(code)
    expect(found.slice(0, -1)).toEqual(names.slice(1).map(() => undefined))
  })

  test.each([
    [['a', 'b', 'a.b', 'ab/a', 'ab/b']],
    [['a/b', 'a/', 'a/c/', 'a/c/d']],
    [['__proto__/x', 'constructor', 'hasOwnProperty/', 'toString']],
    [['é', 'e', 'ss', 'ŝ']],
  ])('no collision: %j', (names) => {
    expect(addAll(names)).toEqual(names.map(() => undefined))
  })

  test('what collided is not taken in: its own spelling is reported again', () => {
    expect(addAll(['a/b', 'A/b', 'A/c'])).toEqual([undefined, 'CASE_COLLISION', 'CASE_COLLISION'])
  })
})

describe('names and the folders above them', () => {
  const deep = (i: number) => `${i}/${'a/'.repeat(62)}x`
  const find = (table: NameTable, count: number, name: (index: number) => string) =>
    Array.from({ length: count }, (_, i) => table.add(name(i) as EntryPath)).flatMap((fault) => fault ?? [])

  test('are together at most twice as many as entries, reported once', () => {
    // 64 of one name: 63 folders and the file.
    expect(find(new NameTable(320), 10, deep)).toEqual([])
    expect(find(new NameTable(319), 10, deep)).toEqual([{ code: 'TOO_MANY', args: { limit: 638, got: 639 } }])
    expect(find(new NameTable(), 4000, deep)).toEqual([{ code: 'TOO_MANY', args: { limit: 131_068, got: 131_069 } }])
  })

  test('a collision far down costs one look at the name', () => {
    const names = (i: number) => `${'ééééééé/'.repeat(60)}${i === 0 ? 'b' : 'B'}/${i}`
    expect(find(new NameTable(), 20_000, names)).toHaveLength(19_999)
  })
})

describe('collision key', () => {
  test('is the folding of Unicode 13, whatever the runtime knows', () => {
    // Lower-cased since Unicode 14, but not in 13, where U+2C2F is not assigned at all.
    expect(collisionKey('\u2c2f')).toBe('\u2c2f')
    // toLowerCase gives "i̇" for İ and leaves ς and ſ alone.
    expect(['İ', 'ς', 'ſ', 'ẞ', 'K'].map(collisionKey)).toEqual(['i', 'σ', 's', 'ss', 'k'])
  })

  test('of a folder is the beginning of that of a name in it', () => {
    for (const [folder, name] of [
      ['İ', '\u0307x'],
      ['ß', 'ẞ'],
      ['a', '\u0338'],
      ['ᾳ', '\u0345'],
    ] as const) {
      expect(collisionKey(`${folder}/${name}`)).toBe(`${collisionKey(folder)}/${collisionKey(name)}`)
    }
  })

  test('folding twice changes nothing', () => {
    for (let point = 0x80; point < 0x1f000; point++) {
      if (point >= 0xd800 && point < 0xe000) continue
      const key = collisionKey(String.fromCodePoint(point))
      expect(collisionKey(key)).toBe(key)
    }
  })
})
