import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { accepts } from '../../helpers/free-port.ts'

export interface ServerProcess {
  readonly pid: number
  /** Everything it has written. */
  log(): string
  signal(name: NodeJS.Signals): void
  /** SIGTERM; SIGKILL to all that is left of it. Idempotent. */
  stop(): Promise<void>
}

export interface ProcessOptions {
  /** A port of 127.0.0.1 or a Unix socket that it must accept connections at. */
  readonly at: number | string
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** It is Zapp's: that it does not end by SIGTERM is an error, and not only told. */
  readonly own?: true
  /** Run as another user, where this one may do that. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
}

/** An app is unpacked and imported before; on a busy machine that takes a while. */
const START_MS = 90_000
/** Ours gives its requests ten seconds. Others take longer at times, or wait for ever for a worker that hangs. */
const END_MS = 30_000
/** For workers that outlive the process that was told to end. */
const LEFT_MS = 5_000

/**
 * Starts a server, and waits until it accepts connections. Rejects with its log where it ends before. It ends with the
 * test that has started it, if not earlier.
 */
export async function startProcess(argv: readonly string[], options: ProcessOptions): Promise<ServerProcess> {
  const { at, cwd, env = {}, own, user } = options
  const [program = '', ...args] = argv
  const child = spawn(program, args, {
    cwd,
    env: { PATH: process.env.PATH, LANG: 'C.UTF-8', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // In a group of its own, so that workers can be ended with it.
    detached: true,
    ...user,
  })
  const written: string[] = []
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => written.push(text))
  const closed = once(child, 'close')
  const ended = once(child, 'exit')
  // An error of spawn is told by `started`.
  for (const end of [closed, ended]) end.catch(() => {})
  const log = () => written.join('')
  await started(child, at, () => `${argv.join(' ')}: ${log()}`)
  const end = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    const inTime = await within(END_MS, ended)
    const whole = inTime && (await within(LEFT_MS, closed))
    killGroup(child)
    await within(LEFT_MS, closed)
    if (whole) return
    const said = `${argv.join(' ')} ${inTime ? 'left processes behind' : 'did not end by SIGTERM'}: ${log().slice(-3000)}`
    if (own) throw new Error(said)
    console.info(said)
  }
  let ending: Promise<void> | undefined
  const stop = () => {
    ending ??= end()
    return ending
  }
  onTestFinished(stop)
  return { pid: child.pid!, log, signal: (name) => child.kill(name), stop }
}

async function started(child: ChildProcess, at: number | string, about: () => string): Promise<void> {
  let failure: Error | undefined
  child.on('error', (error) => {
    failure = error
  })
  for (const end = Date.now() + START_MS; !(await accepts(at)); ) {
    if (failure) throw failure
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`ended before it listened: ${about()}`)
    if (Date.now() > end) {
      killGroup(child)
      throw new Error(`did not listen: ${about()}`)
    }
  }
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody is left.
  }
}

/** Whether it came in time. */
async function within(ms: number, event: Promise<unknown>): Promise<boolean> {
  const late = new AbortController()
  const timer = sleep(ms, false, { signal: late.signal }).catch(() => false)
  const won = await Promise.race([event.then(() => true), timer])
  late.abort()
  return won
}
