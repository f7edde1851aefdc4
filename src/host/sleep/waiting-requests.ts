import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Deployment } from '../deployment.ts'
import { endWith, type Reply, refusal, sendReply } from '../reply.ts'
import type { ArchiveAnswers } from './archive-answers.ts'

export interface WaitingOptions {
  /** What needs no code. */
  readonly answers: ArchiveAnswers
  /** Resolves with who answers, or undefined: nobody can. */
  readonly wake: () => Promise<Pick<Deployment, 'handle' | 'upgrade'> | undefined>
  /** What is said then. */
  readonly unavailable: () => Reply
  readonly onError: (error: unknown, where: string) => void
}

const NO_UPGRADE = 'No WebSocket upgrade is possible at this path.'

/** Requests that find an app asleep: answered from its archive, or passed on once it is awake. Their bodies wait unread. */
export class WaitingRequests {
  readonly #options: WaitingOptions
  readonly #waiting = new Set<ServerResponse | Duplex>()
  #onPassed = () => {}

  constructor(options: WaitingOptions) {
    this.#options = options
  }

  handle(req: IncomingMessage, res: ServerResponse): void {
    void this.#wait(res, async () => {
      const { answers, wake, unavailable } = this.#options
      if (await answers.answer(req, res)) return
      const awake = await wake()
      if (res.closed) return
      if (awake) awake.handle(req, res)
      else sendReply(unavailable(), req, res)
    })
  }

  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    void this.#wait(socket, async () => {
      const { answers, wake, unavailable } = this.#options
      const refused = await answers.refusal(req)
      if (refused !== undefined) return endWith(socket, refusal(refused, NO_UPGRADE))
      const awake = await wake()
      if (socket.destroyed) return
      if (awake) awake.upgrade(req, socket, head)
      else endWith(socket, unavailable())
    })
  }

  /** Resolves when nobody waits any more. */
  passed(): Promise<void> {
    return new Promise((resolve) => {
      this.#onPassed = resolve
      if (this.#waiting.size === 0) resolve()
    })
  }

  /** Ends what is still here. */
  cut(): void {
    for (const one of this.#waiting) one.destroy()
  }

  async #wait(one: ServerResponse | Duplex, work: () => Promise<void>): Promise<void> {
    this.#waiting.add(one)
    try {
      await work()
    } catch (error) {
      this.#options.onError(error, 'answering from the archive')
      if ('writeHead' in one && !one.headersSent) one.writeHead(500, { 'Content-Length': 0 }).end()
      else one.destroy()
    }
    this.#waiting.delete(one)
    if (this.#waiting.size === 0) this.#onPassed()
  }
}
