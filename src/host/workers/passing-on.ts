import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { proxyRequest } from '../../runtimes/upstream/proxy-request.ts'
import { proxyUpgrade } from '../../runtimes/upstream/proxy-upgrade.ts'
import { endWith, type Reply, refusal, sendReply } from '../reply.ts'
import type { WorkerProcess } from './worker-process.ts'

export interface PassingOnOptions {
  /** Who is to answer next; undefined: nobody can now. */
  readonly next: () => WorkerProcess | undefined
  /** Whether it is worth waiting for one. */
  readonly mayWait: () => boolean
  readonly onError: (error: unknown, where: string) => void
}

/** Requests wait for as long for a process that is being started again. */
const WAIT_MS = 5000

const UNAVAILABLE = refusal(503, 'The app is not running.', { 'Retry-After': '10' })
const UNANSWERED = refusal(502, 'The app did not answer.')
const LATE = refusal(504, 'The app did not answer in time.')

/** Passes requests on connections that stay with the host on to workers, over their private sockets. */
export class PassingOn {
  readonly #options: PassingOnOptions
  readonly #waiting = new Set<() => void>()

  constructor(options: PassingOnOptions) {
    this.#options = options
  }

  async handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const worker = this.#options.next() ?? (await this.#another())
    if (!worker) return sendReply(UNAVAILABLE, req, res)
    const done = worker.ask()
    try {
      await proxyRequest(worker.upstream, req, res)
    } catch (error) {
      this.#options.onError(error, 'passing a request on')
      if (!res.headersSent) sendReply(insteadOf(worker), req, res)
      else if (!res.writableEnded) res.destroy()
    } finally {
      done()
    }
  }

  async upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const worker = this.#options.next() ?? (await this.#another())
    if (!worker) return endWith(socket, UNAVAILABLE)
    const done = worker.ask()
    socket.once('close', done)
    await proxyUpgrade(worker.upstream, req, socket, head).catch((error) => {
      this.#options.onError(error, 'passing an upgrade on')
      endWith(socket, insteadOf(worker))
    })
  }

  /** A process runs again, or none will. */
  wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  /** Who runs in a moment. */
  async #another(): Promise<WorkerProcess | undefined> {
    if (!this.#options.mayWait()) return undefined
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, WAIT_MS)
      this.#waiting.add(() => {
        clearTimeout(timer)
        resolve()
      })
    })
    return this.#options.next()
  }
}

function insteadOf({ hangs }: WorkerProcess): Reply {
  return hangs ? LATE : UNANSWERED
}
