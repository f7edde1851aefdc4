import type { ServerResponse } from 'node:http'
import type { Listener, UpgradeListener } from './listener-shapes.ts'
import type { MountedRequest } from './place.ts'

/** Code that answers requests: by itself, or by saying how. */
export type RunningEntry = Common & (Listening | Answering)

interface Listening {
  /** May throw or reject: the request is then answered 500, or with the status of an error about its program. */
  readonly listener: Listener
}

interface Answering {
  /** Throws or rejects as a listener. */
  readonly answer: (req: MountedRequest, res: ServerResponse) => Promise<Outcome>
}

/**
 * What became of a request. Nothing: it was answered, or nobody is there any more. A status: the app's answer for that is to
 * be sent. A location: what the app has at that path is to be sent.
 */
export type Outcome =
  | undefined
  | { readonly status: number; readonly headers?: readonly (readonly [name: string, value: string])[] }
  | { readonly location: string }

interface Common {
  /** What takes upgrades, where something does. Asked anew each time: servers get their listeners late. */
  upgrade(): UpgradeListener | undefined
  /** For code that is called with a `Request` anyhow. Its URL has been aimed already. */
  readonly fetch?: FetchHandler
  /** A request was not answered in time: another answer has taken its place. */
  late?(): void
  /** Of one whose processes are started again when they end: whether one runs now. */
  readonly isUp?: () => boolean
  /** Ends what the entry has started. */
  close?(): Promise<void>
}

/** @returns a Response or a promise of one, if the app keeps its word */
export type FetchHandler = (request: Request) => unknown
