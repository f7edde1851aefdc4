import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { accepts } from './free-port.ts'

export interface ServerProcess {
  readonly pid: number
  /** Everything it has written. */
  log(): string
  signal(name: NodeJS.Signals): void
  /** SIGTERM; SIGKILL, with an error, where that ends nothing in ten seconds. */
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

/** Starts a server, and waits until it accepts connections. Rejects with its log where it ends before. */
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
  return {
    pid: child.pid!,
    log,
    signal: (name) => child.kill(name),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      const late = new AbortController()
      const timer = sleep(10_000, 'late', { signal: late.signal }).catch(() => 'in time')
      const won = await Promise.race([ended.then(() => 'ended'), timer])
      late.abort()
      if (won !== 'late') return
      child.kill('SIGKILL')
      await ended
      throw new Error(`${argv.join(' ')} did not end by SIGTERM: ${log()}`)
    },
  }
}

async function started(child: ChildProcess, at: number | string, about: () => string): Promise<void> {
  let failure: Error | undefined
  child.on('error', (error) => {
    failure = error
  })
  for (const end = Date.now() + 30_000; !(await accepts(at)); ) {
    if (failure) throw failure
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`ended before it listened: ${about()}`)
    if (Date.now() > end) {
      child.kill('SIGKILL')
      throw new Error(`did not listen: ${about()}`)
    }
  }
}
