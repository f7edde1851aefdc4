import { fail } from '../errors.ts'
import { afterMs } from './after-ms.ts'
import type { ProcessWatch } from './entry-watch.ts'
import { PythonWorker, type PythonWorkerSpec } from './python-worker.ts'
import { Supervisor } from './supervisor.ts'

export interface PythonPoolOptions {
  readonly worker: PythonWorkerSpec
  readonly processes: number
  /** How many requests one worker has at a time. */
  readonly capacity: number
  /** Told when a worker ends that nobody had asked to, or does not come up again. */
  readonly onError: (error: unknown) => void
  /** Told the same, and when one runs again. */
  readonly watch: ProcessWatch
}

/** What is waited for: a response or a socket. */
interface Client {
  readonly closed: boolean
  once(event: 'close', listener: () => void): unknown
}

/** A worker that has room for one request, until it is given back. */
export interface Lease {
  readonly worker: PythonWorker
  /** To be called once, or `broken` instead. */
  release(): void
  /** The worker cut the request off. Its place is nobody's until it is known whether the worker has ended. */
  broken(): void
}

/** A burst, or the moment in which a worker is started again, is waited out; a longer line would not be served in time. */
const WAITING = 1024
const WAIT_MS = 10_000
/**
 * A process that dies closes its connections a moment before its listener, and before anybody is told. A worker whose end
 * is not told by then cut off this one request alone.
 */
const END_TOLD_MS = 1000

/**
 * Python workers of one kind. Each request has a worker that has the fewest; where all have as many as they take, requests
 * wait here and not at a worker, so that one which crashes takes none of them with it.
 */
export class PythonPool {
  readonly #options: PythonPoolOptions
  readonly #supervisors: readonly Supervisor<PythonWorker>[]
  readonly #waiting = new Set<(lease: Lease) => void>()

  /**
   * Resolves when one worker is up; the others follow.
   *
   * @throws ZappError what {@link PythonWorker.start} throws
   */
  static async start(options: PythonPoolOptions): Promise<PythonPool> {
    return new PythonPool(options, await PythonWorker.start(options.worker))
  }

  private constructor(options: PythonPoolOptions, first: PythonWorker) {
    const { worker, processes, onError, watch } = options
    this.#options = options
    const supervised = {
      start: (signal: AbortSignal) => PythonWorker.start(worker, signal),
      onUp: () => {
        watch.up()
        this.#next()
      },
      onEnded: (how: string) => {
        onError(this.#unanswered(`${how}; it is started again`))
        watch.ended(how)
      },
      onFailed: (error: unknown) => {
        onError(error)
        watch.ended((error as Error).message)
      },
    }
    const others = Array.from({ length: processes - 1 }, () => new Supervisor<PythonWorker>(supervised))
    this.#supervisors = [new Supervisor<PythonWorker>(supervised, first), ...others]
  }

  /** Those that are ready. */
  get workers(): PythonWorker[] {
    return this.#supervisors.flatMap(({ current }) => (current?.state === 'ready' ? [current] : []))
  }

  /**
   * Room at a worker, as soon as there is some.
   *
   * @returns undefined: the client has gone
   * @throws ZappError ENTRY_BUSY; ENTRY_ANSWER where no worker is up and none came up in time
   */
  async lease(client: Client): Promise<Lease | undefined> {
    const free = this.#free()
    if (free) return this.#take(free)
    if (this.#waiting.size >= WAITING) throw this.#refusal()
    return this.#turn(client)
  }

  /** Lets workers finish what they have, then ends them. */
  async close(): Promise<void> {
    await Promise.all(this.#supervisors.map((supervisor) => supervisor.close()))
  }

  #free(): PythonWorker | undefined {
    let best: PythonWorker | undefined
    for (const worker of this.workers) if (worker.running < (best?.running ?? this.#options.capacity)) best = worker
    return best
  }

  #take(worker: PythonWorker): Lease {
    const letGo = worker.hold()
    const release = () => {
      letGo()
      this.#next()
    }
    const broken = () => void Promise.race([worker.ended, afterMs(END_TOLD_MS)]).then(release)
    return { worker, release, broken }
  }

  #next(): void {
    for (const waiting of this.#waiting) {
      const free = this.#free()
      if (free === undefined) return
      waiting(this.#take(free))
    }
  }

  /** First come, first served. */
  #turn(client: Client): Promise<Lease | undefined> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer)
        this.#waiting.delete(take)
      }
      const take = (lease: Lease) => {
        leave()
        resolve(lease)
      }
      const timer = setTimeout(() => {
        leave()
        reject(this.#refusal())
      }, WAIT_MS)
      this.#waiting.add(take)
      client.once('close', () => {
        if (!this.#waiting.has(take)) return
        leave()
        resolve(undefined)
      })
    })
  }

  #refusal(): Error {
    if (this.workers.length === 0) return this.#unanswered('it is not running')
    const { name } = this.#options.worker
    return fail('ENTRY_BUSY', name, { entry: name, limit: WAITING })
  }

  #unanswered(reason: string): Error {
    const { name } = this.#options.worker
    return fail('ENTRY_ANSWER', name, { entry: name, reason })
  }
}
