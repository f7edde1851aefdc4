import { describe, expect, it } from 'vitest'
import { BackOff } from '../../src/runtimes/back-off.ts'

const delays = (backOff: BackOff, count: number) => Array.from({ length: count }, () => backOff.next())
const SCHEDULE = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]

describe('BackOff', () => {
  it('doubles from 0.1 s to 30 s, and begins again where it is told to', () => {
    const backOff = new BackOff(() => 0)
    expect(delays(backOff, SCHEDULE.length)).toEqual(SCHEDULE)
    backOff.reset()
    expect(delays(backOff, 2)).toEqual([100, 200])
  })

  it('spreads those that fell at once: never before the schedule, at most half as long again', () => {
    const several = Array.from({ length: 50 }, () => delays(new BackOff(), SCHEDULE.length))
    SCHEDULE.forEach((delay, index) => {
      const attempts = several.map((one) => one[index] ?? 0)
      expect(Math.min(...attempts)).toBeGreaterThanOrEqual(delay)
      expect(Math.max(...attempts)).toBeLessThan(1.5 * delay)
      expect(new Set(attempts).size).toBeGreaterThan(40)
    })
  })
})
