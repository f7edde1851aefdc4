import { setTimeout as sleep } from 'node:timers/promises'
import { fail } from '../errors.ts'
import { Program, type ProgramSpec } from './program.ts'
import { proxyRequest, proxyUpgrade } from './proxy.ts'
import type { RunningEntry } from './running-entry.ts'

/** Before a program that has ended is started again: doubled each time, up to the second. */
const FIRST_DELAY_MS = 100
const LAST_DELAY_MS = 30_000
/** A program that ran for as long is taken to be well: the next delay is the first one again. */
const WELL_MS = 60_000

/**
 * Starts the program of a `server` entry and passes requests on to it. A program that ends by itself is started again;
 * meanwhile requests are ENTRY_ANSWER.
 *
 *     starting ── accepts a connection ──▶ running ── ends ──▶ waiting ── delay ──▶ starting again
 *        │                                                        ▲                      │
 *        └─ the first time: ENTRY_START                           └── does not come up ──┘
 *
 * @param onError told when a program ends, or does not come up again
 * @throws ZappError ENTRY_START, SERVER_EXPOSED
 */
export async function startServer(spec: ProgramSpec, onError: (error: unknown) => void): Promise<RunningEntry> {
  const { entry } = spec
  const closing = new AbortController()
  let program: Program | undefined = await Program.start(spec, closing.signal)
  const kept = keep(program)

  async function keep(first: Program): Promise<void> {
    let [last, since, delay] = [first, performance.now(), FIRST_DELAY_MS]
    for (;;) {
      const how = await last.ended
      program = undefined
      if (closing.signal.aborted) return
      onError(unanswered(`${how}; it is started again`))
      if (performance.now() - since > WELL_MS) delay = FIRST_DELAY_MS
      for (; program === undefined; delay = Math.min(2 * delay, LAST_DELAY_MS)) {
        await sleep(delay, undefined, { signal: closing.signal }).catch(() => {})
        if (closing.signal.aborted) return
        program = await Program.start(spec, closing.signal).catch((error: unknown) => {
          if (!closing.signal.aborted) onError(error)
          return undefined
        })
      }
      last = program
      since = performance.now()
      if (closing.signal.aborted) return last.stop()
    }
  }

  function unanswered(reason: string, cause?: unknown) {
    return fail('ENTRY_ANSWER', entry, { entry, reason }, cause)
  }

  async function withProgram(work: (program: Program) => Promise<void>): Promise<void> {
    if (program === undefined) throw unanswered('it is not running')
    await work(program).catch((error: Error) => {
      throw unanswered(error.message, error)
    })
  }

  return {
    listener: (req, res) => withProgram((running) => proxyRequest(running, req, res)),
    upgrade: () => (req, socket, head) => withProgram((running) => proxyUpgrade(running, req, socket, head)),
    async close() {
      closing.abort()
      await program?.stop()
      await kept
    },
  }
}
