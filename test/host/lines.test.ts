import { expect, it } from 'vitest'
import { Lines } from '../../src/host/workers/lines.ts'

it('lines come out as they went in, whatever they hold, and only once', () => {
  const lines = new Lines(1000)
  for (const line of ['one', '', '/café 😀']) lines.add(line)
  expect(lines.take()).toEqual({ lines: 'one\n\n/café 😀\n', lost: 0 })
  expect(lines.take()).toEqual({ lines: '', lost: 0 })
})

it('more than what there is room for at first is kept whole, and what is too much is counted', () => {
  const lines = new Lines(1024 * 1024)
  const line = 'x'.repeat(99)
  for (let i = 0; i < 20_000; i++) lines.add(line)
  const { lines: kept, lost } = lines.take()
  expect(kept.length).toBe((20_000 - lost) * 100)
  // One more than fits: whether a line does is asked before it is written.
  expect(20_000 - lost).toBe(Math.floor((1024 * 1024) / 100) + 1)
  lines.add(line)
  expect(lines.take()).toEqual({ lines: `${line}\n`, lost: 0 })
})
