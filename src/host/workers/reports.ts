import { setTimeout as sleep } from 'node:timers/promises'
import { type AccessFormat, type AccessRecord, formatAccess } from '../access-log.ts'
import { Tally } from '../metrics.ts'
import { Lines } from './lines.ts'
import type { Report } from './messages.ts'

/** Requests are told of together: a message for each would cost more than the request. */
const REPORT_MS = 50
/** Bytes of lines that wait for a host that is busy. What comes on top is dropped: the memory is the app's. */
const MAX_WAITING = 4 * 1024 * 1024

/** Counts the requests of a worker, writes their lines, and reports both to the host now and then. */
export class Reports {
  /** How requests are logged. */
  format: AccessFormat | 'off' = 'off'
  readonly #send: (report: Report) => Promise<void>
  readonly #lines = new Lines(MAX_WAITING)
  #counts: Tally | undefined
  #sending: Promise<void> | undefined

  constructor(send: (report: Report) => Promise<void>) {
    this.#send = send
  }

  add(record: AccessRecord): void {
    this.#counts ??= new Tally()
    if (record.app !== '-') this.#counts.observe(record.aborted ? { ...record, status: 0 } : record)
    if (this.format !== 'off') this.#lines.add(formatAccess(record, this.format))
    this.#sending ??= this.#sendSoon()
  }

  /** Resolves when everything has been sent. */
  async end(): Promise<void> {
    await this.#sending
    await this.#sendNow()
  }

  async #sendSoon(): Promise<void> {
    do {
      await sleep(REPORT_MS)
      await this.#sendNow()
    } while (this.#counts)
    this.#sending = undefined
  }

  async #sendNow(): Promise<void> {
    const counts = this.#counts
    if (!counts) return
    this.#counts = undefined
    await this.#send({ counts, ...this.#lines.take() })
  }
}
