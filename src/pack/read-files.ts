import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { fail } from '../errors.ts'
import { type ReadJob, type ReadResult, readFile } from './read-file.js'

export type { ReadJob } from './read-file.js'
export type Read = ReadResult | { readonly problem: string }

// Starting workers costs about 40 ms: below this, one thread is done before they are up.
const INLINE_BELOW = 2 * 2 ** 20
const MAX_WORKERS = 4
// Large enough that messages cost nothing, small enough that both workers end at about the same time.
const BATCH_BYTES = 2 ** 20
const BATCH_FILES = 100
// Batches that a worker has before it, so that it need not wait for a main thread that is busy with something else.
const QUEUE = 3
// What may be read ahead of the writer. A file larger than this waits until nothing else is in memory.
const BYTES_IN_FLIGHT = 64 * 2 ** 20

/** Reads and compresses files, in worker threads where that pays. Yields one result per job, in order. */
export async function* readFiles(jobs: readonly ReadJob[], signal?: AbortSignal): AsyncGenerator<Read> {
  const total = jobs.reduce((sum, job) => sum + job.size, 0)
  if (total < INLINE_BELOW) {
    for (const job of jobs) {
      signal?.throwIfAborted()
      yield readFile(job)
    }
    return
  }
  const pool = new Pool(Math.max(1, Math.min(availableParallelism(), MAX_WORKERS)))
  const batches = toBatches(jobs)
  const running: Promise<Read[]>[] = []
  let inFlight = 0
  let next = 0
  try {
    for (const batch of batches) {
      for (let b = batches[next]; b && (inFlight === 0 || inFlight + b.bytes <= BYTES_IN_FLIGHT); b = batches[++next]) {
        inFlight += b.bytes
        const result = pool.run(b.jobs)
        // Awaited below, in order; a failure before that must not count as unhandled.
        result.catch(() => {})
        running.push(result)
      }
      const reads = await running.shift()
      for (const read of reads ?? []) {
        signal?.throwIfAborted()
        yield read
      }
      inFlight -= batch.bytes
    }
  } finally {
    await pool.close()
  }
}

interface Batch {
  readonly jobs: ReadJob[]
  bytes: number
}

function toBatches(jobs: readonly ReadJob[]): Batch[] {
  const batches: Batch[] = []
  for (const job of jobs) {
    let batch = batches.at(-1)
    if (!batch || batch.jobs.length === BATCH_FILES || batch.bytes + job.size > BATCH_BYTES) {
      batch = { jobs: [], bytes: 0 }
      batches.push(batch)
    }
    batch.jobs.push(job)
    batch.bytes += job.size
  }
  return batches
}

interface Task {
  readonly jobs: readonly ReadJob[]
  resolve(reads: Read[]): void
  reject(error: unknown): void
}

interface Reply {
  readonly rows: readonly ((Omit<ReadResult, 'data'> & { offset: number; length: number }) | { problem: string })[]
  readonly block: Uint8Array
}

class Pool {
  /** Each worker with what it has to do: it answers in the order in which it was asked. */
  readonly #workers: readonly { readonly worker: Worker; readonly tasks: Task[]; readonly ended: Promise<unknown> }[]
  readonly #waiting: Task[] = []
  #broken: unknown

  constructor(size: number) {
    this.#workers = Array.from({ length: size }, () => this.#start())
  }

  run(jobs: readonly ReadJob[]): Promise<Read[]> {
    return new Promise((resolve, reject) => {
      if (this.#broken) reject(this.#broken)
      this.#waiting.push({ jobs, resolve, reject })
      this.#dispatch()
    })
  }

  /** Each worker ends when it has done what it was given: terminating one in the middle has crashed Node 26. */
  async close(): Promise<void> {
    for (const { worker } of this.#workers) worker.postMessage(undefined)
    await Promise.all(this.#workers.map(({ ended }) => ended))
  }

  #start() {
    const worker = new Worker(new URL('./deflate-worker.js', import.meta.url), { execArgv: [] })
    const tasks: Task[] = []
    worker.on('message', (reply: Reply) => {
      const task = tasks.shift()
      this.#dispatch()
      task?.resolve(reply.rows.map((row) => ('problem' in row ? row : unpacked(row, reply.block))))
    })
    worker.on('error', (error) => {
      this.#broken = fail('INTERNAL', '', { reason: `a worker thread failed: ${error}` }, error)
      const all = [...this.#workers.flatMap((w) => w.tasks.splice(0)), ...this.#waiting.splice(0)]
      for (const task of all) task.reject(this.#broken)
    })
    const ended = new Promise((resolve) => worker.once('exit', resolve))
    return { worker, tasks, ended }
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const free = this.#workers.reduce((a, b) => (b.tasks.length < a.tasks.length ? b : a))
      if (free.tasks.length >= QUEUE) return
      const task = this.#waiting.shift()!
      free.tasks.push(task)
      free.worker.postMessage(task.jobs)
    }
  }
}

function unpacked(row: Exclude<Reply['rows'][number], { problem: string }>, block: Uint8Array): ReadResult {
  const { offset, length, ...rest } = row
  return { ...rest, data: block.subarray(offset, offset + length) }
}
