import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isFault } from '../../src/format/fault.ts'
import { createMatcher, type Pattern, parsePattern } from '../../src/format/pattern.ts'

const pattern = (text: string) => {
  const parsed = parsePattern(text)
  if (isFault(parsed)) throw new Error(text)
  return parsed
}
const matcher = (...texts: string[]) => createMatcher(texts.map((text) => [pattern(text), text] as const))

describe('patterns', () => {
  test('the four kinds', () => {
    expect(['/', '/a', '/a/', '/a/*', '*.pdf', '/.well-known/*', '/ä b'].map((text) => pattern(text).kind)).toEqual([
      ...['default', 'exact', 'exact', 'prefix', 'suffix', 'prefix', 'exact'],
    ])
  })

  test.each([
    ...['', 'a', '*', '/*', '//*', '//', '/a*', '/*/a', '/a/**', '**.pdf', '*.', '*.a/b', '*.tar.gz', '*pdf', '*.*'],
    ...['/a//b', '/a/./b', '/a/..', '/../*', '/.', '/a?b', '/a#b', '/a%20b', '/a\\b', '/a\n'],
  ])('%j is none', (text) => {
    expect(parsePattern(text)).toMatchObject({ code: 'MANIFEST_RULE', args: { rule: 'R3', got: text } })
  })
})

describe('matching', () => {
  const match = matcher('/', '/a', '/a/*', '/a/b/*', '*.pdf', '/exact.pdf', '/a/')

  test.each([
    ['/a', '/a', '/a', ''],
    ['/a/', '/a/', '/a/', ''],
    ['/a/x', '/a/*', '/a', '/x'],
    ['/a//x', '/a/*', '/a', '//x'],
    ['/a/b', '/a/b/*', '/a/b', ''],
    ['/a/b/', '/a/b/*', '/a/b', '/'],
    ['/a/bc', '/a/*', '/a', '/bc'],
    ['/a/x.pdf', '/a/*', '/a', '/x.pdf'],
    ['/ab', '/', '', '/ab'],
    ['/A', '/', '', '/A'],
    ['/x/y.pdf', '*.pdf', '', '/x/y.pdf'],
    ['/x/.pdf', '*.pdf', '', '/x/.pdf'],
    ['/y.tar.pdf', '*.pdf', '', '/y.tar.pdf'],
    ['/y.pdf/z', '/', '', '/y.pdf/z'],
    ['/y.PDF', '/', '', '/y.PDF'],
    ['/exact.pdf', '/exact.pdf', '/exact.pdf', ''],
    ['/', '/', '', '/'],
  ])('%s is answered by %s', (path, value, matched, rest) => {
    expect(match(path)).toEqual({ value, matched, rest })
  })

  test('nothing without a default', () => {
    expect(matcher('/a', '/b/*', '*.x')('/c')).toBeUndefined()
    expect(matcher()('/')).toBeUndefined()
  })

  test('falsy values are values', () => {
    const rows = [[pattern('/a'), 0] as const, [pattern('/'), 1] as const]
    expect(createMatcher(rows)('/a')?.value).toBe(0)
  })

  test('agrees with trying every pattern in turn', () => {
    const path = fc
      .array(fc.constantFrom('a', 'b', 'a.x', '.x', 'x.', ''), { maxLength: 4 })
      .map((s) => `/${s.join('/')}`)
    const texts = fc.uniqueArray(
      fc.oneof(
        fc.constantFrom('/', '*.x', '*.y'),
        fc.array(fc.constantFrom('a', 'b', 'a.x'), { minLength: 1, maxLength: 3 }).map((s) => `/${s.join('/')}`),
        fc.array(fc.constantFrom('a', 'b', 'a.x'), { minLength: 1, maxLength: 3 }).map((s) => `/${s.join('/')}/*`),
      ),
    )
    fc.assert(
      fc.property(texts, path, (all, at) => {
        expect(matcher(...all)(at)?.value).toBe(best(all.map(pattern), at)?.text)
      }),
      { numRuns: 2000 },
    )
  })
})

/** The best of all patterns, each tried alone. */
function best(patterns: Pattern[], path: string): Pattern | undefined {
  const rank = (p: Pattern) => {
    const name = path.split('/').at(-1)!
    if (p.kind === 'exact') return path === p.path ? 10_000 : -1
    if (p.kind === 'prefix') return path === p.prefix || path.startsWith(`${p.prefix}/`) ? p.prefix.length + 2 : -1
    if (p.kind === 'suffix') return name.includes('.') && name.split('.').at(-1) === p.extension ? 1 : -1
    return 0
  }
  return patterns.filter((p) => rank(p) >= 0).sort((a, b) => rank(b) - rank(a))[0]
}
