/** Upper bounds in seconds: the defaults of Prometheus' clients, which dashboards expect. */
export const LATENCY_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

/** What one app has answered since the host started. */
export interface AppMetrics {
  readonly name: string
  /** By version, then by class of status: `{"1.2.0": {"2xx": 10}}`; `aborted` where there was no answer. */
  readonly requests: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Bytes sent, heads included. */
  readonly bytes: number
  /** Requests up to each of {@link LATENCY_BUCKETS}, not cumulated; the last is for all that took longer. */
  readonly latency: readonly number[]
  /** Seconds of all requests together. */
  readonly seconds: number
  /** Times that a process had to be started again. */
  readonly restarts: number
}

/** One request, as it is counted. */
export interface Observation {
  readonly version: string
  /** 0 where there was no answer. */
  readonly status: number
  readonly bytes: number
  readonly ms: number
}

/** Counts of one app. They are added to, never set back, so that rates can be told from two readings. */
export class Counters {
  readonly #requests: Record<string, Record<string, number>> = {}
  readonly #latency: number[] = [...LATENCY_BUCKETS, 0].map(() => 0)
  #bytes = 0
  #seconds = 0
  #restarts = 0

  observe({ version, status, bytes, ms }: Observation): void {
    const seconds = ms / 1000
    const kind = status === 0 ? 'aborted' : `${Math.floor(status / 100)}xx`
    const ofVersion = this.#requests[version] ?? {}
    ofVersion[kind] = (ofVersion[kind] ?? 0) + 1
    this.#requests[version] = ofVersion
    const bucket = LATENCY_BUCKETS.findIndex((bound) => seconds <= bound)
    const at = bucket === -1 ? LATENCY_BUCKETS.length : bucket
    this.#latency[at] = (this.#latency[at] ?? 0) + 1
    this.#bytes += bytes
    this.#seconds += seconds
  }

  restarted(): void {
    this.#restarts++
  }

  read(name: string): AppMetrics {
    return {
      name,
      requests: structuredClone(this.#requests),
      bytes: this.#bytes,
      latency: [...this.#latency],
      seconds: this.#seconds,
      restarts: this.#restarts,
    }
  }
}
