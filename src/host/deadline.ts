/**
 * Runs work under a signal that aborts with `outer`, or after `ms`.
 *
 * Not AbortSignal.any with AbortSignal.timeout: nothing else holds those two, they hold each other weakly, and once the
 * garbage collector has been by, neither ever aborts (seen on Node 20: a health check that waited for ever).
 */
export async function withDeadline<T>(
  outer: AbortSignal,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const inner = new AbortController()
  const abort = () => inner.abort()
  const timer = setTimeout(abort, ms)
  outer.addEventListener('abort', abort)
  if (outer.aborted) abort()
  try {
    return await work(inner.signal)
  } finally {
    clearTimeout(timer)
    outer.removeEventListener('abort', abort)
  }
}

/** The largest delay of a timer. */
export const LONGEST_MS = 2 ** 31 - 1
