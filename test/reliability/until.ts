import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Waits for a condition. @returns how long that took, ms
 * @throws Error after `limitMs`
 */
export async function until(condition: () => boolean | Promise<boolean>, limitMs = 60_000): Promise<number> {
  const start = performance.now()
  while (!(await condition())) {
    if (performance.now() - start > limitMs) throw new Error(`not so after ${limitMs / 1000} s: ${condition}`)
    await sleep(10)
  }
  return performance.now() - start
}

/** As soon as something has been so, or `Infinity` where it has not within the limit: a figure, not an error. */
export async function msUntil(condition: () => boolean | Promise<boolean>, limitMs: number): Promise<number> {
  return until(condition, limitMs).catch(() => Number.POSITIVE_INFINITY)
}
