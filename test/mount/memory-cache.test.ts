import { expect, test } from 'vitest'
import { MemoryCache } from '../../src/mount/memory-cache.ts'

const key = () => ({})
const bytes = (length: number) => async () => new Uint8Array(length)

test('keeps up to its bytes, and drops what was not asked for longest', async () => {
  const cache = new MemoryCache(160)
  const keys = Array.from({ length: 16 }, key)
  for (const k of keys) await cache.load(k, bytes(10))
  expect(cache.bytes).toBe(160)
  expect(cache.get(keys[0]!)).toHaveLength(10)
  await cache.load(key(), bytes(10))
  await cache.load(key(), bytes(5))
  expect(cache.bytes).toBe(155)
  expect(keys.map((k) => cache.get(k) !== undefined)).toEqual([true, false, false, ...Array(13).fill(true)])
})

test('a file beyond its share is given but not kept, and pushes nothing out', async () => {
  const cache = new MemoryCache(1600)
  const small = key()
  const large = key()
  await cache.load(small, bytes(100))
  expect(cache.largest).toBe(100)
  expect(await cache.load(large, bytes(101))).toHaveLength(101)
  expect(cache.get(large)).toBeUndefined()
  expect(cache.get(small)).toHaveLength(100)
})

test('many at once are one load', async () => {
  const cache = new MemoryCache()
  const k = key()
  let loads = 0
  const read = async () => {
    loads++
    return new Uint8Array(7)
  }
  const all = await Promise.all(Array.from({ length: 50 }, () => cache.load(k, read)))
  expect(loads).toBe(1)
  expect(new Set(all).size).toBe(1)
  expect(cache.get(k)).toBe(all[0])
  expect(cache.bytes).toBe(7)
})

test('a load that fails is tried again', async () => {
  const cache = new MemoryCache()
  const k = key()
  await expect(cache.load(k, () => Promise.reject(new Error('damaged')))).rejects.toThrow('damaged')
  expect(cache.get(k)).toBeUndefined()
  expect(await cache.load(k, bytes(3))).toHaveLength(3)
})

test('of size 0 it keeps nothing', async () => {
  const cache = new MemoryCache(0)
  const k = key()
  await cache.load(k, bytes(1))
  expect(cache.get(k)).toBeUndefined()
  expect(cache.bytes).toBe(0)
})
