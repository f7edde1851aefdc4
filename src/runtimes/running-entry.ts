import type { Listener, UpgradeListener } from './listener-shapes.ts'

/** Code that answers requests. */
export interface RunningEntry {
  /** May throw or reject: the request is then answered 500, or 502 for ENTRY_ANSWER. */
  readonly listener: Listener
  /** What takes upgrades, where something does. Asked anew each time: servers get their listeners late. */
  upgrade(): UpgradeListener | undefined
  /** For code that is called with a `Request` anyhow. Its URL has been aimed already. */
  readonly fetch?: FetchHandler
  /** Ends what the entry has started. */
  close?(): Promise<void>
}

/** @returns a Response or a promise of one, if the app keeps its word */
export type FetchHandler = (request: Request) => unknown
