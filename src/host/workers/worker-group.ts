import { Supervisor, type SupervisorOptions } from '../../runtimes/supervisor.ts'
import type { WorkerProcess } from './worker-process.ts'

/** The workers of one version of an app. One that ends is started again. */
export class WorkerGroup {
  readonly #options: SupervisorOptions<WorkerProcess>
  readonly #supervisors: Supervisor<WorkerProcess>[] = []
  #turn = 0

  constructor(options: SupervisorOptions<WorkerProcess>) {
    this.#options = options
  }

  /** Those that run. */
  get all(): WorkerProcess[] {
    const running: WorkerProcess[] = []
    for (const { current } of this.#supervisors) if (current) running.push(current)
    return running
  }

  get ready(): WorkerProcess[] {
    return this.all.filter(({ state }) => state === 'ready')
  }

  /** None is missing. */
  get isWhole(): boolean {
    return this.ready.length === this.#supervisors.length
  }

  /**
   * Starts so many. Resolves when all are ready.
   *
   * @throws what keeps the first of them from it; the others are still to be stopped
   */
  async start(count: number, signal: AbortSignal): Promise<void> {
    const first = await Promise.allSettled(Array.from({ length: count }, () => this.#options.start(signal)))
    for (const one of first) {
      if (one.status === 'fulfilled') this.#supervisors.push(new Supervisor(this.#options, one.value))
    }
    const failed = first.find((one) => one.status === 'rejected')
    if (failed) throw failed.reason
  }

  /** Those that are ready: with the least to do first, among equals in turn. */
  byLoad(): WorkerProcess[] {
    const { ready } = this
    if (ready.length < 2) return ready
    const from = this.#turn++ % ready.length
    return [...ready.slice(from), ...ready.slice(0, from)].sort((a, b) => a.load - b.load)
  }

  /** Lets all finish, those that were replaced too. A later call can only shorten the wait. */
  async stop(graceMs: number): Promise<void> {
    const leaving = this.#supervisors.flatMap((one) => one.leaving)
    const stopped = [...this.all, ...leaving].map((worker) => worker.stop(graceMs))
    await Promise.all([...stopped, this.close()])
  }

  /** Starts none again. Resolves when all are gone. */
  async close(): Promise<void> {
    await Promise.all(this.#supervisors.map((one) => one.close()))
  }
}
