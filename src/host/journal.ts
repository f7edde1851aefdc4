import type { LogEntry, LogOptions } from './host.ts'

/** Lines of one app that are kept; a page of a console shows fewer. */
const KEPT = 1000
/** A reader that is this many lines behind loses the oldest: the memory is the host's. */
const BEHIND = 10_000

/** The last lines of every app, and those to come. */
export class Journal {
  readonly #lines = new Map<string, LogEntry[]>()
  readonly #readers = new Set<(app: string, entry: LogEntry | undefined) => void>()

  add(app: string, entry: LogEntry): void {
    const lines = this.#lines.get(app) ?? []
    this.#lines.set(app, lines)
    lines.push(entry)
    if (lines.length > KEPT) lines.shift()
    for (const tell of this.#readers) tell(app, entry)
  }

  /** Of an app that is gone. */
  forget(app: string): void {
    this.#lines.delete(app)
  }

  /** Tells of every line of every app from now on. */
  listen(tell: (app: string, entry: LogEntry) => void): void {
    this.#readers.add((app, entry) => entry && tell(app, entry))
  }

  /** Ends everyone who follows. */
  close(): void {
    for (const tell of this.#readers) tell('', undefined)
  }

  async *read(app: string, { lines = KEPT, follow = false, signal }: LogOptions = {}): AsyncGenerator<LogEntry> {
    const queue = lines > 0 ? (this.#lines.get(app) ?? []).slice(-lines) : []
    if (!follow) return yield* queue
    let wake = () => {}
    let isOver = signal?.aborted ?? false
    const tell = (of: string, entry: LogEntry | undefined) => {
      if (entry === undefined) isOver = true
      else if (of !== app) return
      else queue.push(entry)
      if (queue.length > BEHIND) queue.shift()
      wake()
    }
    const end = () => tell('', undefined)
    this.#readers.add(tell)
    signal?.addEventListener('abort', end, { once: true })
    try {
      for (;;) {
        for (let entry = queue.shift(); entry; entry = queue.shift()) yield entry
        if (isOver) return
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    } finally {
      this.#readers.delete(tell)
      signal?.removeEventListener('abort', end)
    }
  }
}
