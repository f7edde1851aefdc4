import { describe, expect, it } from 'vitest'
import { compareVersions, placeOf } from '../../src/host/names.ts'

const shop = { name: 'shop', version: '1.2.0' }

describe('placeOf', () => {
  it.each([
    ['ROOT', shop, '', '1.2.0'],
    ['ROOT##2', shop, '', '2'],
    ['a#b', shop, '/a/b', '1.2.0'],
    ['a#b##7', shop, '/a/b', '7'],
    ['shop##1.3.0', shop, '/shop', '1.3.0'],
    // What `zapp pack` writes: a newer file takes the place of the older.
    ['shop', shop, '/shop', '1.2.0'],
    ['shop-1.2.0', shop, '/shop', '1.2.0'],
    // Any other name was chosen by somebody.
    ['shop-1.3.0', shop, '/shop-1.3.0', '1.2.0'],
    ['store', shop, '/store', '1.2.0'],
    ['root', shop, '/root', '1.2.0'],
    // Of a file that cannot be read the name is all there is.
    ['shop-1.3.0', undefined, '/shop', '1.3.0'],
    ['my-shop-1.3.0-rc.1', undefined, '/my-shop', '1.3.0-rc.1'],
    ['my-shop', undefined, '/my-shop', ''],
    ['shop##4', undefined, '/shop', '4'],
  ])('%s', (stem, manifest, mount, version) => {
    expect(placeOf(stem, manifest)).toEqual({ mount, version })
  })
})

describe('compareVersions', () => {
  it.each([
    ['2', '11'],
    ['1.2.0', '1.10.0'],
    ['1.2', '1.2.1'],
    ['1.0.0-rc.1', '1.0.0'],
    ['1.0.0-rc.2', '1.0.0-rc.10'],
    ['', '0.0.1'],
    ['2024.9', '2024.10'],
  ])('%s before %s', (lower, higher) => {
    expect(compareVersions(lower, higher)).toBeLessThan(0)
    expect(compareVersions(higher, lower)).toBeGreaterThan(0)
  })

  it('equal where the numbers are', () => {
    expect(compareVersions('1.2', '1.2.0')).toBe(0)
    expect(compareVersions('1.02', '1.2')).toBe(0)
  })
})
