import { describe } from '../errors.ts'
import { errorLines } from './app-error.ts'
import type { StateChange } from './app-view.ts'
import type { LogEntry } from './host.ts'
import type { HostEvent } from './host-event.ts'
import { Journal } from './journal.ts'
import { Counters } from './metrics.ts'

type Listener = (event: HostEvent) => void

/** Takes everything that happens: tells those who listen, keeps each app's lines, and counts its requests. */
export class Events {
  readonly journal = new Journal()
  /** By id. */
  readonly counters = new Map<string, Counters>()
  readonly #listeners = new Set<Listener>()

  /** @returns ends that */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  readonly emit = (event: HostEvent): void => {
    this.#keep(event)
    for (const listener of this.#listeners) listener(event)
  }

  countersOf(app: string): Counters {
    const counters = this.counters.get(app) ?? new Counters()
    this.counters.set(app, counters)
    return counters
  }

  /** An app is gone, and its last process has ended. */
  forget(app: string): void {
    this.counters.delete(app)
    this.journal.forget(app)
  }

  #keep(event: HostEvent): void {
    switch (event.type) {
      case 'log': {
        const { app, version, line } = event
        this.journal.add(app, { time: new Date(), version, ...line })
        break
      }
      case 'state':
        this.#note(event.change.app, event.change.version, textOf(event.change), event.change.time)
        break
      case 'error':
        for (const line of errorLines(event.where, event.error)) this.#note(event.app, '', line)
        break
      case 'warned':
        this.#note(event.app, '', describe(event.finding).message)
    }
  }

  #note(app: string, version: string, text: string, time = new Date()): void {
    const entry: LogEntry = { time, version, stream: 'host', entry: '', text }
    if (app !== '') this.journal.add(app, entry)
  }
}

function textOf({ from, to, cause }: StateChange): string {
  return `${from === '' ? to : `${from} → ${to}`}: ${cause}`
}
