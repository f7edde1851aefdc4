import type { Agent } from 'node:http'

/** Where a process listens: what `http.request` and `net.connect` take. */
export type Target = { readonly socketPath: string } | { readonly host: string; readonly port: number }

/** A process that answers requests over connections of ours. */
export interface Upstream {
  readonly target: Target
  /** Its connections are used again. */
  readonly agent: Agent
  /** For requests that must not be sent twice: nothing of theirs may be lost with a connection that was idle. */
  readonly freshAgent: Agent
}

/** Shorter than any usual server keeps an idle connection, so that it is never it who closes first. */
export const IDLE_MS = 1000
