import type { Socket } from 'node:net'
import type { ZappError } from '../errors.ts'
import type { Launcher } from './launcher.ts'
import { MemoryLimit } from './memory-limit.ts'
import { closeFar, type NamedPipes } from './named-pipes.ts'
import { holdGroup, letGroupGo, signalGroup, signalYoungGroup } from './process-groups.ts'

export interface ScriptSpec {
  readonly file: string
  readonly cwd: string
  /** All that it gets. */
  readonly env: Readonly<Record<string, string>>
  readonly launcher: Launcher
  /** What messages call it. */
  readonly name: string
  /** Resident bytes above which it is for the caller to end it: {@link ScriptProcess.exceeded}. At twice as much it is killed. */
  readonly memory?: number | undefined
  readonly pipes: NamedPipes
  /** `pipe`: {@link ScriptProcess.input}. A number: an open file, read from its beginning. */
  readonly body: 'none' | 'pipe' | number
  /** Told every line that it prints on its standard error. */
  readonly onLine: (text: string) => void
}

/** How a script has ended; undefined: it has closed its output and goes on. */
export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null } | undefined

/** What a script has left behind may hold its output for as long; and so often it is looked whether anything still comes. */
const GRACE_MS = 200
/** After SIGTERM, before SIGKILL. */
const TERM_MS = 2000
const LAST_LINES = 3

/**
 * One run of a script, in a session of its own, so that it and what it starts can be ended together.
 *
 *     running ── exits ──▶ output at its end? ── yes ─────────────────────────────────▶ gone
 *        │                      └─ no, grace ──▶ SIGKILL to its group ── silent ──▶ pipes given up
 *        └── output ends, grace ──▶ whole, and runs on until it exits
 */
export class ScriptProcess {
  /** For the request's body, where it is a `pipe`. Errors are quiet: a script need not read. */
  readonly input: Socket | undefined
  /** To be read to its end, whatever becomes of the request. */
  readonly output: Socket
  /** Resolves when the output is complete. Rejects where the script could not be started. */
  readonly whole: Promise<Exit>
  /** Resolves when nothing of it is left, and its pipes can be used again. */
  readonly gone: Promise<void>
  /** Resolves when it holds more memory than it may: MEMORY_EXCEEDED. */
  readonly exceeded: Promise<ZappError>
  readonly #launcher: Launcher
  #pid: number | undefined
  readonly #last: string[] = []
  #exit: Exit
  #timer: NodeJS.Timeout | undefined
  #kill: NodeJS.Timeout | undefined
  #settle = (_: Exit) => {}
  #leave = () => {}
  #over = () => {}
  #givenUp = false

  /** @throws what keeps it from being started, where that shows at once */
  constructor({ file, cwd, env, launcher, name, memory, pipes, body, onLine }: ScriptSpec) {
    const { near, far } = pipes.open(body === 'pipe')
    let isFarOpen = true
    const hasStarted = () => {
      if (isFarOpen) closeFar(far)
      isFarOpen = false
    }
    this.input = near.input?.on('error', () => {})
    this.output = near.output.on('error', () => {})
    this.#launcher = launcher
    pipes.onLine = (text) => {
      this.#last.push(text)
      if (this.#last.length > LAST_LINES) this.#last.shift()
      onLine(text)
    }
    let refuse = (_: Error) => {}
    this.whole = new Promise((resolve, reject) => {
      this.#settle = resolve
      refuse = reject
    })
    this.gone = new Promise((resolve, reject) => {
      this.#leave = () => {
        const dirty = this.#givenUp || (body === 'pipe' && pipes.hasReader)
        if (dirty) pipes.replace().then(resolve, reject)
        else resolve()
      }
    })
    const ended = new Promise<void>((resolve) => {
      this.#over = resolve
    })
    let onExcess = (_: ZappError) => {}
    this.exceeded = new Promise((resolve) => {
      onExcess = resolve
    })
    this.output.once('close', () => this.#closed())
    const [input, ...outputs] = far
    const [path, ...others] = pipes.paths
    try {
      launcher.start(
        {
          ...{ file, cwd, env },
          stdio: [typeof body === 'number' ? body : input, ...outputs],
          paths: [
            typeof body === 'number' ? `/proc/${process.pid}/fd/${body}` : body === 'pipe' ? path : '/dev/null',
            ...others,
          ],
        },
        {
          started: (pid) => {
            hasStarted()
            this.#pid = pid
            holdGroup(pid)
            const limited = { pid, ended, stop: () => this.#signal('SIGKILL') }
            if (memory !== undefined) new MemoryLimit(limited, { limit: memory, name, fate: 'it is ended', onExcess })
            if (this.#kill !== undefined) this.#signal('SIGTERM')
          },
          exited: (code, signal) => {
            hasStarted()
            // What it has said before is in the pipe of its errors, and read in this turn of the event loop.
            setImmediate(() => this.#exited({ code, signal }))
          },
          failed: (error) => {
            hasStarted()
            refuse(error)
            this.#exited({ code: null, signal: null })
          },
        },
      )
    } catch (error) {
      hasStarted()
      for (const end of Object.values(near)) end?.destroy()
      throw error
    }
  }

  get pid(): number | undefined {
    return this.#pid
  }

  /** What it has printed last on its standard error, behind words. */
  withOutput(how: string): string {
    return [how, ...this.#last].join(' | ').slice(0, 1000)
  }

  /** SIGTERM, and SIGKILL where that does not help, to all of the group. Idempotent. */
  end(termMs = TERM_MS): void {
    if (this.#kill !== undefined) return
    if (termMs > 0) this.#signal('SIGTERM')
    this.#kill = setTimeout(() => this.#signal('SIGKILL'), termMs)
  }

  #exited(exit: Exit): void {
    this.#exit = exit
    this.#over()
    this.input?.destroy()
    clearTimeout(this.#kill)
    clearTimeout(this.#timer)
    if (this.output.closed) this.#gone(exit)
    else this.#timer = setTimeout(() => this.#look(-1), GRACE_MS)
  }

  #closed(): void {
    if (this.#exit) this.#gone(this.#exit)
    else this.#timer ??= setTimeout(() => this.#settle(undefined), GRACE_MS)
  }

  /** Who has left the group may still hold the output. What comes is sent on as long as it comes; a slow client is waited for. */
  #look(before: number): void {
    this.#signal('SIGKILL')
    const { bytesRead } = this.output
    const isWaiting = this.output.readableLength > 0
    if (isWaiting || bytesRead !== before) {
      this.#timer = setTimeout(() => this.#look(isWaiting ? -1 : bytesRead), GRACE_MS)
    } else {
      this.#givenUp = true
      this.output.destroy()
    }
  }

  #gone(exit: Exit): void {
    this.#settle(exit)
    clearTimeout(this.#timer)
    this.#signal('SIGKILL')
    if (this.pid !== undefined) {
      letGroupGo(this.pid)
      this.#launcher.forget(this.pid)
    }
    this.#leave()
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.pid === undefined) return
    if (this.#exit) signalGroup(this.pid, signal)
    else signalYoungGroup(this.pid, signal)
  }
}
