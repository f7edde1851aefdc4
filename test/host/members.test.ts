import { expect, it } from 'vitest'
import { Members } from '../../src/host/front/members.ts'

it('members leave in any order, once, and others with them not', () => {
  const members = new Members<string>()
  const leave = ['a', 'b', 'c', 'a'].map((one) => members.add(one))
  const now = () => [...members].sort().join('')
  expect(now()).toBe('aabc')
  leave[0]?.()
  leave[0]?.()
  expect(now()).toBe('abc')
  leave[3]?.()
  expect(now()).toBe('bc')
  leave[1]?.()
  members.add('d')
  expect(now()).toBe('cd')
  leave[1]?.()
  leave[2]?.()
  expect(now()).toBe('d')
  expect(members.size).toBe(1)
})

it('those that leave meanwhile are still told of', () => {
  const members = new Members<() => void>()
  let told = 0
  for (let i = 0; i < 3; i++) {
    const leave = members.add(() => {
      told++
      leave()
    })
  }
  for (const tell of members) tell()
  expect([told, members.size]).toEqual([3, 0])
})
