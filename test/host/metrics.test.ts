import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Counters, LATENCY_BUCKETS } from '../../src/host/metrics.ts'

it('a hundred versions are counted, and ten told apart', () => {
  const counters = new Counters()
  for (let i = 1; i <= 100; i++) {
    // One that drains is asked while the next one has begun.
    for (const version of [`${i - 1}.0.0`, `${i}.0.0`])
      counters.version(version).observe({ status: 200, bytes: 10, ms: 1 })
  }
  const { requests, bytes, latency } = counters.read('shop')
  expect(Object.keys(requests).sort()).toEqual(
    [...Array.from({ length: 10 }, (_, i) => `${i + 91}.0.0`), 'older'].sort(),
  )
  const sum = Object.values(requests).reduce((total, kinds) => total + (kinds['2xx'] ?? 0), 0)
  expect([sum, bytes, latency[0]]).toEqual([200, 2000, 200])
})

it('a version that is called as the first ones together are is counted with them', () => {
  const counters = new Counters()
  for (const version of ['older', ...Array.from({ length: 12 }, (_, i) => `${i}.0.0`)]) {
    counters.version(version).observe({ status: 200, bytes: 1, ms: 1 })
  }
  expect(counters.read('shop').requests.older).toEqual({ '2xx': 3 })
  expect(counters.read('shop').bytes).toBe(13)
})

it('workers of Python sort their requests into the same bounds', () => {
  const print = 'from zapp.server.access_log import _LATENCIES; print(*_LATENCIES)'
  const printed = execFileSync('python3', ['-c', print], { cwd: join(import.meta.dirname, '../../python') }).toString()
  expect(printed.trim().split(' ').map(Number)).toEqual(LATENCY_BUCKETS)
})
