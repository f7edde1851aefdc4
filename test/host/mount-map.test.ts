import { expect, it } from 'vitest'
import { MountMap } from '../../src/host/mount-map.ts'

function mapOf(...mounts: string[]): MountMap<string> {
  const map = new MountMap<string>()
  for (const mount of mounts) map.set(mount, mount)
  return map
}

it('P16: the longest mount, whole segments, case counts', () => {
  const map = mapOf('/shop', '/shop/admin/eu', '/a/b')
  expect(map.find('/shop')).toBe('/shop')
  expect(map.find('/shop/')).toBe('/shop')
  expect(map.find('/shop/admin')).toBe('/shop')
  expect(map.find('/shop/admin/eu')).toBe('/shop/admin/eu')
  expect(map.find('/shop/admin/eu/x/y/z')).toBe('/shop/admin/eu')
  expect(map.find('/shop/admin/europe')).toBe('/shop')
  expect(map.find('/a/b/c')).toBe('/a/b')
  for (const path of ['/', '/a', '/shopping', '/SHOP', '/shop%2f', '/x/shop']) expect(map.find(path)).toBeUndefined()
})

it('the root takes what is left', () => {
  const map = mapOf('', '/shop')
  expect(map.find('/')).toBe('')
  expect(map.find('/shopping')).toBe('')
  expect(map.find('/shop/x')).toBe('/shop')
  map.delete('')
  expect(map.find('/')).toBeUndefined()
})

it('lists its values by mount', () => {
  expect(mapOf('/b', '', '/a').values()).toEqual(['', '/a', '/b'])
})
