import { fail } from '../errors.ts'
import type { ProcessWatch } from './entry-watch.ts'
import { Program, type ProgramSpec } from './program.ts'
import type { RunningEntry } from './running-entry.ts'
import { Supervisor } from './supervisor.ts'
import { proxyRequest } from './upstream/proxy-request.ts'
import { proxyUpgrade } from './upstream/proxy-upgrade.ts'

/**
 * Starts the program of a `server` entry and passes requests on to it. A program that ends by itself is started again;
 * meanwhile requests are ENTRY_ANSWER.
 *
 * @param onError told when a program ends, or does not come up again
 * @param watch told the same, and when one runs again
 * @throws ZappError ENTRY_START, SERVER_EXPOSED
 */
export async function startServer(
  spec: ProgramSpec,
  onError: (error: unknown) => void,
  watch: ProcessWatch,
): Promise<RunningEntry> {
  const { entry } = spec
  const start = (signal?: AbortSignal) => Program.start(spec, signal)
  const programs = new Supervisor<Program>(
    {
      start,
      onUp: watch.up,
      onEnded(how) {
        onError(unanswered(`${how}; it is started again`))
        watch.ended(how)
      },
      onFailed(error) {
        onError(error)
        watch.ended((error as Error).message)
      },
    },
    await start(),
  )

  function unanswered(reason: string, cause?: unknown) {
    return fail('ENTRY_ANSWER', entry, { entry, reason }, cause)
  }

  async function withProgram(work: (program: Program) => Promise<void>): Promise<void> {
    const { current } = programs
    if (current === undefined) throw unanswered('it is not running')
    const letGo = current.hold()
    try {
      await work(current)
    } catch (error) {
      throw unanswered((error as Error).message, error)
    } finally {
      letGo()
    }
  }

  return {
    listener: (req, res) =>
      withProgram(async (running) => {
        await proxyRequest(running.upstream, req, res)
        if (res.headersSent) running.hanging.heard()
      }),
    upgrade: () => (req, socket, head) => withProgram((running) => proxyUpgrade(running.upstream, req, socket, head)),
    late: () => programs.current?.hanging.doubt(),
    isUp: () => programs.current !== undefined,
    close: () => programs.close(),
  }
}
