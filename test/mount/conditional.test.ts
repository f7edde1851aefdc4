import { expect, test } from 'vitest'
import { evaluatePreconditions, ifRangeHolds } from '../../src/mount/conditional.ts'

const TAG = '"AAECAwQFBgcICQoLDA0ODw-gz"'

test.each([
  [{}, 200],
  [{ 'if-none-match': TAG }, 304],
  [{ 'if-none-match': `W/${TAG}` }, 304],
  [{ 'if-none-match': '*' }, 304],
  [{ 'if-none-match': ` ${TAG} ` }, 304],
  [{ 'if-none-match': `"x", ${TAG}` }, 304],
  [{ 'if-none-match': `"x",${TAG},"y"` }, 304],
  [{ 'if-none-match': '"x"' }, 200],
  [{ 'if-none-match': '"a,b", "c"' }, 200],
  [{ 'if-none-match': '' }, 200],
  // A tag is compared whole: neither its beginning nor one inside of another tag's quotes counts.
  [{ 'if-none-match': TAG.replace('-gz', '') }, 200],
  [{ 'if-none-match': TAG.slice(1, -1) }, 200],
  [{ 'if-match': TAG }, 200],
  [{ 'if-match': `"x", ${TAG}` }, 200],
  [{ 'if-match': '*' }, 200],
  [{ 'if-match': '"x"' }, 412],
  [{ 'if-match': `W/${TAG}` }, 412],
  [{ 'if-match': '' }, 412],
  // If-Match goes first.
  [{ 'if-match': '"x"', 'if-none-match': TAG }, 412],
  [{ 'if-match': TAG, 'if-none-match': TAG }, 304],
  // There is no date to compare with.
  [{ 'if-modified-since': 'Fri, 01 Jan 2100 00:00:00 GMT' }, 200],
  [{ 'if-unmodified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' }, 200],
  [{ 'if-none-match': '"x"', 'if-modified-since': 'Fri, 01 Jan 2100 00:00:00 GMT' }, 200],
] satisfies [Record<string, string>, number][])('%j gives %i', (fields, expected) => {
  expect(evaluatePreconditions(new Headers(fields), TAG)).toBe(expected)
})

test.each([
  [undefined, true],
  [null, true],
  [TAG, true],
  [` ${TAG}`, true],
  [`W/${TAG}`, false],
  ['"x"', false],
  ['', false],
  ['Fri, 01 Jan 2100 00:00:00 GMT', false],
  [`${TAG}, "x"`, false],
])('If-Range %j lets the range pass: %j', (field, expected) => {
  expect(ifRangeHolds(field, TAG)).toBe(expected)
})
