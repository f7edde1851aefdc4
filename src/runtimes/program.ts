import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { fail, type ZappError } from '../errors.ts'
import { findListening } from './listening.ts'
import { readLines } from './log-lines.ts'

/** How a program is started. */
export interface ProgramSpec {
  /** Name of the entry. */
  readonly entry: string
  /** Program and arguments. */
  readonly argv: readonly [string, ...string[]]
  /** It is Node itself that runs: argv[0] is its path. */
  readonly isNode: boolean
  readonly cwd: string
  /** All of it, but for PORT and HOST. */
  readonly env: Readonly<Record<string, string>>
  /** ms until it has to accept connections. */
  readonly timeout: number
  readonly onLine: (stream: 'stdout' | 'stderr', text: string) => void
}

/** Where it listens: what `http.request` and `net.connect` take. */
export type Target = { readonly socketPath: string } | { readonly host: string; readonly port: number }

const HOST = '127.0.0.1'
/** Of 108 bytes that Linux has for the path of a socket, and 104 of macOS, both with a NUL. */
const MAX_SOCKET_PATH = 100
/** After SIGTERM, before SIGKILL. */
const TERM_MS = 5000
/** How often the list of listeners is looked through while nothing accepts yet. */
const LOOK_MS = 500
const LAST_LINES = 3
/** Shorter than any usual server keeps an idle connection, so that it is never it who closes first. */
const IDLE_MS = 1000

/** Groups that must not outlive this process, by the id of their leader. */
const groups = new Set<number>()

/**
 * A program of a `server` entry while it runs. It leads a session of its own, so that it and all that it starts can be
 * ended together: by {@link stop}, when this process exits, and, as far as the system helps, when it is killed.
 */
export class Program {
  /** Resolves when it has ended, for whatever reason, with that in words. */
  readonly ended: Promise<string>
  /** Its connections are used again. */
  readonly agent = new Agent({ keepAlive: true, timeout: IDLE_MS })
  /**
   * Makes one connection for each request, and tells the program to keep it: a program that closed it as soon as it has
   * answered could do so while the end of the request is still being written, and the answer would be lost.
   */
  readonly freshAgent = Object.assign(new Agent({ keepAlive: true }), { maxFreeSockets: 0 })
  readonly #spec: ProgramSpec
  readonly #child: ChildProcess
  readonly #targets: readonly Target[]
  readonly #last: string[] = []
  #target: Target | undefined
  #running = true

  /**
   * Starts a program and waits until it accepts a connection.
   *
   * @throws ZappError ENTRY_START, SERVER_EXPOSED; nothing of it is left then
   */
  static async start(spec: ProgramSpec, signal: AbortSignal): Promise<Program> {
    const folder = spec.isNode && process.platform !== 'win32' ? await privateFolder() : undefined
    const port = await freePort()
    const program = new Program(spec, await withSignals(spec), port, folder)
    try {
      await program.#accepts(signal)
      return program
    } catch (error) {
      await program.stop(0)
      throw error
    }
  }

  private constructor(
    spec: ProgramSpec,
    [file, ...args]: readonly [string, ...string[]],
    port: number,
    folder: string | undefined,
  ) {
    const socketPath = folder && join(folder, 's')
    this.#spec = spec
    this.#targets = [...(socketPath ? [{ socketPath }] : []), { host: HOST, port }]
    this.#child = spawn(file, args, {
      cwd: spec.cwd,
      env: { ...spec.env, PORT: String(port), HOST, ...(socketPath && { ZAPP_LISTEN: socketPath }) },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', ...(socketPath ? ['pipe' as const] : [])],
    })
    for (const stream of ['stdout', 'stderr'] as const) {
      readLines(this.#child[stream]!, (text) => this.#line(stream, text))
    }
    const { pid } = this.#child
    if (pid !== undefined) hold(pid)
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => this.#gone(folder, error.message).then(resolve))
      this.#child.once('exit', (code, sign) => {
        // Whatever it has started goes with it; then its output ends, and is complete.
        this.#signal('SIGKILL')
        const how = sign ? `it was ended by ${sign}` : `it ended with exit code ${code}`
        this.#child.once('close', () => this.#gone(folder, this.#withOutput(how)).then(resolve))
      })
    })
  }

  /** Where it accepts connections. */
  get target(): Target {
    return this.#target!
  }

  /** Idempotent. Resolves when it is gone. */
  async stop(termMs = TERM_MS): Promise<void> {
    if (!this.#running) return
    if (termMs > 0) this.#signal('SIGTERM')
    const kill = setTimeout(() => this.#signal('SIGKILL'), termMs)
    await this.ended
    clearTimeout(kill)
  }

  async #gone(folder: string | undefined, how: string): Promise<string> {
    this.#running = false
    const { pid } = this.#child
    if (pid !== undefined) groups.delete(pid)
    this.agent.destroy()
    this.freshAgent.destroy()
    if (folder !== undefined) await rm(folder, { recursive: true, force: true }).catch(() => {})
    return how
  }

  async #accepts(signal: AbortSignal): Promise<void> {
    const { timeout } = this.#spec
    const start = performance.now()
    let look = LOOK_MS
    for (let wait = 5; ; wait = Math.min(wait * 2, 100)) {
      for (const target of this.#targets) {
        if (!(await connects(target))) continue
        await this.#checkExposed()
        this.#target = target
        return
      }
      const how = await Promise.race([this.ended, sleep(wait)])
      if (how !== undefined) throw this.#startError(how)
      signal.throwIfAborted()
      const ms = performance.now() - start
      if (ms > timeout) throw this.#startError(this.#withOutput(await this.#notListening()))
      if (ms < look) continue
      look += LOOK_MS
      await this.#checkExposed()
    }
  }

  /** @throws ZappError SERVER_EXPOSED */
  async #checkExposed(): Promise<void> {
    const exposed = (await this.#listening()).find(({ loopback }) => !loopback)
    if (!exposed) return
    const { entry } = this.#spec
    throw fail('SERVER_EXPOSED', entry, { entry, expected: HOST, got: `${exposed.address}:${exposed.port}` })
  }

  async #notListening(): Promise<string> {
    const [elsewhere] = await this.#listening()
    const instead = elsewhere ? `, it listens on ${elsewhere.address}:${elsewhere.port} and not on PORT` : ''
    return `it accepted no connection within ${this.#spec.timeout} ms${instead}`
  }

  async #listening() {
    const { pid } = this.#child
    return pid === undefined ? [] : findListening(pid)
  }

  #startError(reason: string): ZappError {
    const { entry, argv } = this.#spec
    return fail('ENTRY_START', entry, { program: argv.join(' '), reason })
  }

  #line(stream: 'stdout' | 'stderr', text: string): void {
    if (stream === 'stderr' && !NOISE.test(text)) this.#last.push(text.trim())
    if (this.#last.length > LAST_LINES) this.#last.shift()
    this.#spec.onLine(stream, text)
  }

  #withOutput(how: string): string {
    return [how, ...this.#last].join(' | ').slice(0, 1000)
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child.pid !== undefined) signalGroup(this.#child.pid, signal)
  }
}

/** Frames of a stack and what Node prints around them say nothing without the rest. */
const NOISE = /^\s*(?:at .*|\^+|Node\.js v.*|node:internal.*)?$/

/** In a folder that only this user can enter, whatever the socket's own mode is. */
async function privateFolder(): Promise<string> {
  const parent = Buffer.byteLength(join(tmpdir(), 'zapp-XXXXXX', 's')) <= MAX_SOCKET_PATH ? tmpdir() : '/tmp'
  return mkdtemp(join(parent, 'zapp-'))
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject)
    probe.listen(0, HOST, () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })
}

function connects(target: Target): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect('socketPath' in target ? { path: target.socketPath } : target)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

/**
 * What makes a program end with this process: Node gets {@link file://./listen-preload.cjs}; others are started through
 * `setpriv` of util-linux, where there is one, which asks the kernel for it and then becomes the program.
 */
async function withSignals({ argv, isNode }: ProgramSpec): Promise<readonly [string, ...string[]]> {
  const [file, ...args] = argv
  if (isNode) return [file, '--require', PRELOAD, ...args]
  deathSignal ??= promisify(execFile)('setpriv', [...DEATH_SIGNAL, 'true']).then(
    () => true,
    () => false,
  )
  return (await deathSignal) ? ['setpriv', ...DEATH_SIGNAL, ...argv] : argv
}

const PRELOAD = fileURLToPath(new URL('./listen-preload.cjs', import.meta.url))
const DEATH_SIGNAL = ['--pdeathsig', 'TERM', '--']
let deathSignal: Promise<boolean> | undefined

function hold(pid: number): void {
  if (!heldAtExit) process.once('exit', () => groups.forEach((leader) => void signalGroup(leader, 'SIGKILL')))
  heldAtExit = true
  groups.add(pid)
}

let heldAtExit = false

function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(process.platform === 'win32' ? leader : -leader, signal)
  } catch {
    // Nobody is left in it.
  }
}
