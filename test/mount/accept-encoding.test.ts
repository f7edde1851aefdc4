import { describe, expect, test } from 'vitest'
import { acceptedCodings, chooseCoding } from '../../src/mount/accept-encoding.ts'

const both = { br: true, gzip: true }
const gzipOnly = { gzip: true }

describe('the coding that an Accept-Encoding gets', () => {
  test.each([
    // field, with br and gzip on offer, with gzip only
    [undefined, 'identity', 'identity'],
    [null, 'identity', 'identity'],
    ['', 'identity', 'identity'],
    ['gzip', 'gzip', 'gzip'],
    ['br', 'br', 'identity'],
    ['gzip, br', 'br', 'gzip'],
    ['br, gzip', 'br', 'gzip'],
    ['gzip, deflate, br, zstd', 'br', 'gzip'],
    ['GZIP', 'gzip', 'gzip'],
    ['x-gzip', 'gzip', 'gzip'],
    ['gzip;q=0', 'identity', 'identity'],
    ['gzip;q=0.0', 'identity', 'identity'],
    ['gzip;q=0.000', 'identity', 'identity'],
    ['gzip;q=0.001', 'gzip', 'gzip'],
    ['gzip;q=1.0, br;q=0.9', 'gzip', 'gzip'],
    ['gzip;q=0.8, br;q=0.9', 'br', 'gzip'],
    ['gzip;q=0.5, identity', 'identity', 'identity'],
    ['gzip;q=0.5, identity;q=0.5', 'gzip', 'gzip'],
    ['identity;q=0.5, gzip;q=0.4, br;q=0.6', 'br', 'identity'],
    ['*', 'br', 'gzip'],
    ['*;q=0.1', 'br', 'gzip'],
    ['*;q=0', 'identity', 'identity'],
    ['gzip, *;q=0', 'gzip', 'gzip'],
    ['br;q=0, *', 'gzip', 'gzip'],
    ['gzip;q=0, *', 'br', 'identity'],
    ['identity', 'identity', 'identity'],
    ['identity;q=0', 'identity', 'identity'],
    ['identity;q=0, gzip', 'gzip', 'gzip'],
    ['deflate, compress', 'identity', 'identity'],
    ['gzip ; q=0.3 , br ; q=0.2', 'gzip', 'gzip'],
    ['gzip;Q=0.3', 'gzip', 'gzip'],
    ['gzip,,br', 'br', 'gzip'],
    ['\tgzip\t', 'gzip', 'gzip'],
    // Members that are not well-formed are left out; the others count.
    ['gzip;q=2', 'identity', 'identity'],
    ['gzip;q=-1, br', 'br', 'identity'],
    ['gzip;q=0.1234', 'identity', 'identity'],
    ['gzip;level=9', 'identity', 'identity'],
    ['gzip;q=', 'identity', 'identity'],
    ['gzip br', 'identity', 'identity'],
    ['gzip\0', 'identity', 'identity'],
    ['gzip;q=nan', 'identity', 'identity'],
    ['__proto__, constructor', 'identity', 'identity'],
  ])('%j', (field, withBoth, withGzip) => {
    const accepted = acceptedCodings(field)
    expect(chooseCoding(accepted, both)).toBe(withBoth)
    expect(chooseCoding(accepted, gzipOnly)).toBe(withGzip)
    expect(chooseCoding(accepted, {})).toBe('identity')
  })

  test('the same field is read once, and a thousand different ones do not push out the answer', () => {
    const first = acceptedCodings('gzip;q=0.7')
    expect(acceptedCodings('gzip;q=0.7')).toBe(first)
    for (let i = 0; i < 1000; i++) acceptedCodings(`gzip, x-${i}`)
    expect(acceptedCodings('gzip;q=0.7')).toEqual(first)
  })
})
