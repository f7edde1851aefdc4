import type { Socket } from 'node:net'
import type { OwnProcess } from '../../runtimes/own-process.ts'
import type { FromWorker, ToWorker } from './messages.ts'
import { readFromWorker } from './read-message.ts'

export interface WorkerChannelOptions {
  readonly onMessage: (message: FromWorker, handle: Socket | undefined) => void
  /** It said what no worker of ours says, and is killed: the app in it has the same channel. */
  readonly onNonsense: (error: unknown) => void
}

/** The host's end of the channel to a worker. */
export class WorkerChannel {
  readonly #process: OwnProcess
  readonly #options: WorkerChannelOptions
  /** Told what it says, and at its end undefined. */
  readonly #listeners = new Set<(message: FromWorker | undefined) => void>()
  #isGone = false

  constructor(process: OwnProcess, options: WorkerChannelOptions) {
    this.#process = process
    this.#options = options
    process.child.on('message', (message, handle) => this.#hear(message, handle as Socket | undefined))
    // A message that could not be sent any more. That it is gone is told by what follows.
    process.child.on('error', () => {})
  }

  say(message: ToWorker): void {
    const { child } = this.#process
    if (child.connected) child.send(message, () => {})
  }

  /** Resolves when it has said so, or is gone. */
  async said(type: FromWorker['type']): Promise<void> {
    await this.answer(type)
  }

  /** The next message of a type; undefined where it is gone before. */
  answer<T extends FromWorker['type']>(type: T): Promise<(FromWorker & { readonly type: T }) | undefined> {
    if (this.#isGone) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const look = (message: FromWorker | undefined) => {
        if (message && message.type !== type) return
        this.#listeners.delete(look)
        resolve(message as (FromWorker & { readonly type: T }) | undefined)
      }
      this.#listeners.add(look)
    })
  }

  /** The process has ended: nothing that is waited for comes any more. */
  gone(): void {
    this.#isGone = true
    for (const listener of [...this.#listeners]) listener(undefined)
  }

  #hear(message: unknown, handle: Socket | undefined): void {
    try {
      const said = readFromWorker(message)
      this.#options.onMessage(said, handle)
      for (const listener of [...this.#listeners]) listener(said)
    } catch (error) {
      this.#options.onNonsense(error)
      handle?.destroy()
      this.#process.signal('SIGKILL')
    }
  }
}
