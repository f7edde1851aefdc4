import { expect, test } from 'vitest'
import { parseRange } from '../../src/mount/range.ts'

test.each([
  ['bytes=0-0', 10, { start: 0, end: 0 }],
  ['bytes=0-9', 10, { start: 0, end: 9 }],
  ['bytes=2-5', 10, { start: 2, end: 5 }],
  ['bytes=2-', 10, { start: 2, end: 9 }],
  ['bytes=9-', 10, { start: 9, end: 9 }],
  ['bytes=-1', 10, { start: 9, end: 9 }],
  ['bytes=-10', 10, { start: 0, end: 9 }],
  ['bytes=-999', 10, { start: 0, end: 9 }],
  ['bytes=5-999', 10, { start: 5, end: 9 }],
  ['bytes=00002-00003', 10, { start: 2, end: 3 }],
  ['BYTES=2-3', 10, { start: 2, end: 3 }],
  ['bytes= 2-3', 10, { start: 2, end: 3 }],
  [`bytes=0-${'9'.repeat(400)}`, 10, { start: 0, end: 9 }],
  [`bytes=-${'9'.repeat(400)}`, 10, { start: 0, end: 9 }],
  // Well-formed, but behind the end.
  ['bytes=10-', 10, 'unsatisfiable'],
  ['bytes=10-20', 10, 'unsatisfiable'],
  ['bytes=-0', 10, 'unsatisfiable'],
  [`bytes=${'9'.repeat(400)}-`, 10, 'unsatisfiable'],
  // Not one well-formed range of bytes: as if there were none.
  ['bytes=-5', 0, undefined],
  ['bytes=0-', 0, undefined],
  ['bytes=0-0', 0, undefined],
  ['bytes=7-', 0, undefined],
  ['bytes=5-2', 10, undefined],
  ['bytes=20-12', 10, undefined],
  ['bytes=0-1,3-4', 10, undefined],
  ['bytes=0-1,', 10, undefined],
  [`bytes=${'0-,'.repeat(100)}0-`, 10, undefined],
  ['bytes=', 10, undefined],
  ['bytes=-', 10, undefined],
  ['bytes', 10, undefined],
  ['bytes=a-b', 10, undefined],
  ['bytes=1.5-2', 10, undefined],
  ['bytes=+1-2', 10, undefined],
  ['bytes=-1-2', 10, undefined],
  ['bytes=0x1-2', 10, undefined],
  ['bytes =0-1', 10, undefined],
  ['items=0-1', 10, undefined],
  ['', 10, undefined],
  [undefined, 10, undefined],
  [null, 10, undefined],
])('%j of %i bytes', (field, length, expected) => {
  expect(parseRange(field, length)).toEqual(expected)
})
