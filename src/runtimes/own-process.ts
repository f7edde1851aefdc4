import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { guardChannel } from './guard-channel.ts'
import { readLines } from './log-lines.ts'
import { holdGroup, letGroupGo, signalGroup } from './process-groups.ts'

/** How a process is started. */
export interface OwnProcessSpec {
  /** Program and arguments. */
  readonly argv: readonly [string, ...string[]]
  readonly cwd: string
  /** All of it. */
  readonly env: Readonly<Record<string, string>>
  /** Whose process it is. Default: ours. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  /** What the process gets as file descriptor 3. */
  readonly third?: 'pipe' | 'ipc'
  readonly onLine: (stream: 'stdout' | 'stderr', text: string) => void
}

/** After SIGTERM, before SIGKILL. */
const TERM_MS = 5000
/** For what a process printed last. Longer only where something it started has left its group and keeps the pipe. */
const OUTPUT_MS = 1000
const LAST_LINES = 3

/**
 * A process that leads a session of its own, so that it and all that it starts can be ended together: by {@link stop},
 * when it ends itself, and when this process exits. What it prints is read line by line.
 */
export class OwnProcess {
  readonly child: ChildProcess
  /** Resolves when it has ended, for whatever reason, with that in words; its output is complete then. */
  readonly ended: Promise<string>
  readonly #onLine: OwnProcessSpec['onLine']
  readonly #last: string[] = []
  #running = true

  constructor({ argv: [file, ...args], cwd, env, user, third, onLine }: OwnProcessSpec) {
    this.#onLine = onLine
    const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', ...(third ? [third] : [])]
    this.child = spawn(file, args, { cwd, env, detached: true, stdio, ...(user && { uid: user.uid, gid: user.gid }) })
    const output = (['stdout', 'stderr'] as const).map((name) => {
      const stream = this.child[name]!
      readLines(stream, (text) => this.#line(name, text))
      return { stream, closed: new Promise((resolve) => stream.once('close', resolve)) }
    })
    if (third === 'ipc') guardChannel(this.child, () => this.signal('SIGKILL'))
    const { pid } = this.child
    if (pid !== undefined) holdGroup(pid)
    this.ended = new Promise((resolve) => {
      const gone = (how: string) => {
        this.#running = false
        if (pid !== undefined) letGroupGo(pid)
        resolve(how)
      }
      this.child.once('error', (error) => gone(error.message))
      // Not `close`: that waits for a channel too, whose end is not told where a process was killed inside a message.
      this.child.once('exit', async (code, sign) => {
        this.signal('SIGKILL')
        const cut = setTimeout(() => output.forEach(({ stream }) => void stream.destroy()), OUTPUT_MS)
        await Promise.all(output.map(({ closed }) => closed))
        clearTimeout(cut)
        gone(this.withOutput(sign ? `it was ended by ${sign}` : `it ended with exit code ${code}`))
      })
    })
  }

  get pid(): number | undefined {
    return this.child.pid
  }

  /** To all of its group. */
  signal(signal: NodeJS.Signals): void {
    if (this.pid !== undefined) signalGroup(this.pid, signal)
  }

  /** Idempotent. Resolves when it is gone. */
  async stop(termMs = TERM_MS): Promise<void> {
    if (!this.#running) return
    if (termMs > 0) this.signal('SIGTERM')
    const kill = setTimeout(() => this.signal('SIGKILL'), termMs)
    await this.ended
    clearTimeout(kill)
  }

  /** A sentence about its end, and what it printed last. */
  withOutput(how: string): string {
    return [how, ...this.#last].join(' | ').slice(0, 1000)
  }

  #line(stream: 'stdout' | 'stderr', text: string): void {
    if (stream === 'stderr' && !NOISE.test(text)) this.#last.push(text.trim())
    if (this.#last.length > LAST_LINES) this.#last.shift()
    this.#onLine(stream, text)
  }
}

/** Frames of a stack and what Node and Python print around them say nothing without the rest. */
const NOISE =
  /^\s*(?:at .*|[\^~]+|Node\.js v.*|node:internal.*|File ".*", line .*|Traceback \(most recent call last\):)?$/
