/** Upper bounds in seconds: the defaults of Prometheus' clients, which dashboards expect. */
export const LATENCY_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

/** What one app has answered since the host started. */
export interface AppMetrics {
  readonly name: string
  /**
   * By version, then by class of status: `{"1.2.0": {"2xx": 10}}`; `aborted` where there was no answer. Of an app that has
   * had more than ten, the first ones together are `older`.
   */
  readonly requests: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Bytes sent, heads included. */
  readonly bytes: number
  /** Requests up to each of {@link LATENCY_BUCKETS}, not cumulated; the last is for all that took longer. */
  readonly latency: readonly number[]
  /** Seconds of all requests together. */
  readonly seconds: number
  /** Times that a worker process or a program had to be started again; background processes are not counted. */
  readonly restarts: number
}

/** One request, as it is counted. */
export interface Observation {
  /** 0 where there was no answer. */
  readonly status: number
  readonly bytes: number
  readonly ms: number
}

/** What requests of one version have added up to. Plain, so that a process can send it to another. */
export interface Counts {
  readonly requests: Readonly<Record<string, number>>
  readonly bytes: number
  readonly latency: readonly number[]
  readonly seconds: number
}

/** By the first digit of the status. */
const KINDS = ['aborted', '1xx', '2xx', '3xx', '4xx', '5xx'] as const

/** Adds up requests of one version. */
export class Tally implements Counts {
  readonly requests: Record<string, number> = {}
  readonly latency: number[] = [...LATENCY_BUCKETS, 0].map(() => 0)
  bytes = 0
  seconds = 0

  observe({ status, bytes, ms }: Observation): void {
    const seconds = ms / 1000
    const kind = KINDS[Math.floor(status / 100)] ?? 'aborted'
    this.requests[kind] = (this.requests[kind] ?? 0) + 1
    let bucket = 0
    while (bucket < LATENCY_BUCKETS.length && seconds > (LATENCY_BUCKETS[bucket] as number)) bucket++
    this.latency[bucket] = (this.latency[bucket] as number) + 1
    this.bytes += bytes
    this.seconds += seconds
  }

  add({ requests, latency, bytes, seconds }: Counts): void {
    for (const [kind, count] of Object.entries(requests)) this.requests[kind] = (this.requests[kind] ?? 0) + count
    for (const [i, count] of latency.entries()) this.latency[i] = (this.latency[i] ?? 0) + count
    this.bytes += bytes
    this.seconds += seconds
  }
}

/** More than are kept to go back to, and than can drain at once: what is older is hardly asked any more. */
const MAX_VERSIONS = 10
/** What the versions that came before those are counted as. */
const OLDER = 'older'

/** Counts of one app. Their sum is added to and never set back, so that rates can be told from two readings. */
export class Counters {
  /** In the order in which they came. */
  readonly #versions = new Map<string, Tally>()
  #restarts = 0

  version(version: string): Tally {
    const known = this.#versions.get(version)
    if (known) return known
    const tally = new Tally()
    this.#versions.set(version, tally)
    this.#foldOldest()
    return tally
  }

  restarted(): void {
    this.#restarts++
  }

  read(name: string): AppMetrics {
    const all = new Tally()
    for (const tally of this.#versions.values()) all.add(tally)
    const requests = Object.fromEntries([...this.#versions].map(([version, tally]) => [version, { ...tally.requests }]))
    const { bytes, latency, seconds } = all
    return { name, requests, bytes, latency, seconds, restarts: this.#restarts }
  }

  #foldOldest(): void {
    const own = [...this.#versions].filter(([version]) => version !== OLDER)
    const [oldest] = own
    if (!oldest || own.length <= MAX_VERSIONS) return
    const older = this.#versions.get(OLDER) ?? new Tally()
    older.add(oldest[1])
    this.#versions.set(OLDER, older)
    this.#versions.delete(oldest[0])
  }
}
