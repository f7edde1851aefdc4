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
  /** SIGTERM; SIGKILL, with an error, where that ends nothing. Idempotent. */
  stop(): Promise<void>
}

export interface ProcessOptions {
  /** A port of 127.0.0.1 or a Unix socket that it must accept connections at. */
  readonly at: number | string
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** Run as another user, where this one may do that. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
}

/** An app is unpacked and imported before; on a busy machine that takes a while. */
const START_MS = 90_000
/** uWSGI gives a minute to a worker that is loading its app. */
const GRACE = 75_000

/**
 * Starts a server, and waits until it accepts connections. Rejects with its log where it ends before. It ends with the
 * test that has started it, if not earlier.
 */
export async function startProcess(argv: readonly string[], options: ProcessOptions): Promise<ServerProcess> {
  const { at, cwd, env = {}, user } = options
  const [program = '', ...args] = argv
  const child = spawn(program, args, {
    cwd,
    env: { PATH: process.env.PATH, LANG: 'C.UTF-8', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...user,
  })
  const written: string[] = []
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => written.push(text))
  const ended = once(child, 'close')
  // An error of spawn is told by `started`.
  ended.catch(() => {})
  const log = () => written.join('')
  await started(child, at, () => `${argv.join(' ')}: ${log()}`)
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    const late = new AbortController()
    const timer = sleep(GRACE, 'late', { signal: late.signal }).catch(() => 'in time')
    const won = await Promise.race([ended.then(() => 'ended'), timer])
    late.abort()
    if (won !== 'late') return
    child.kill('SIGKILL')
    await ended
    throw new Error(`${argv.join(' ')} did not end by SIGTERM: ${log()}`)
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
      child.kill('SIGKILL')
      throw new Error(`did not listen: ${about()}`)
    }
  }
}
