/** Runs `work` over `items`, at most `limit` at once. Rejects with the first error, once nothing runs any more. */
export async function each<T>(items: Iterable<T>, limit: number, work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items[Symbol.iterator]()
  let failed = false
  const worker = async () => {
    for (let next = queue.next(); !next.done && !failed; next = queue.next()) {
      try {
        await work(next.value)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const results = await Promise.allSettled(Array.from({ length: limit }, worker))
  const bad = results.find((r) => r.status === 'rejected')
  if (bad) throw bad.reason
}
