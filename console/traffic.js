/** Rates, out of counters that only grow. */
export class Traffic {
  /** @type {{ at: number, requests: number, seconds: number } | undefined} */
  #last

  /**
   * What came since the last reading.
   *
   * @param {{ latency: number[], seconds: number } | undefined} metrics of one app; undefined: none yet
   * @returns {{ rate?: number, ms?: number }} requests a second, and how long one took on average
   */
  read(metrics) {
    if (!metrics) return {}
    const now = { at: performance.now(), requests: sum(metrics.latency), seconds: metrics.seconds }
    const last = this.#last
    this.#last = now
    // The host was started anew: its counters began at 0.
    if (!last || now.requests < last.requests) return {}
    const requests = now.requests - last.requests
    const rate = requests / ((now.at - last.at) / 1000)
    return requests === 0 ? { rate } : { rate, ms: (1000 * (now.seconds - last.seconds)) / requests }
  }
}

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0)
}
