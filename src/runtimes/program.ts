import { rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { fail, type ZappError } from '../errors.ts'
import { withDeathSignal } from './death-signal.ts'
import { HangWatch } from './hang-watch.ts'
import { heapFlags } from './heap-flags.ts'
import { Holds } from './holds.ts'
import { findListening } from './listening.ts'
import { MemoryLimit } from './memory-limit.ts'
import { OwnProcess } from './own-process.ts'
import { privateFolder } from './private-folder.ts'
import type { ProcessLimits } from './process-limits.ts'
import type { Supervised } from './supervisor.ts'
import { type Target, Upstream } from './upstream/upstream.ts'

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
  readonly limits: ProcessLimits
  /** Told which limit it is over, and what becomes of it. */
  readonly onLimit: (error: ZappError) => void
  readonly onLine: (stream: 'stdout' | 'stderr', text: string) => void
}

const HOST = '127.0.0.1'
/** How long requests may take that run when it is replaced: as long as those of a version that is. */
const DRAIN_MS = 30_000
/** How often the list of listeners is looked through while nothing accepts yet. */
const LOOK_MS = 500

/**
 * A program of a `server` entry while it runs. It and all that it starts are ended together: by {@link stop}, when this
 * process exits, and, as far as the system helps, when it is killed.
 */
export class Program implements Supervised {
  /** Resolves when it has ended, for whatever reason, with that in words. */
  readonly ended: Promise<string>
  /** Resolves when it holds more memory than it may. */
  readonly worn: Promise<void>
  readonly hanging: HangWatch
  readonly #spec: ProgramSpec
  readonly #process: OwnProcess
  readonly #targets: readonly Target[]
  readonly #memory: MemoryLimit | undefined
  #upstream: Upstream | undefined
  readonly #holds = new Holds()

  /**
   * Starts a program and waits until it accepts a connection.
   *
   * @throws ZappError ENTRY_START, SERVER_EXPOSED; nothing of it is left then
   */
  static async start(spec: ProgramSpec, signal?: AbortSignal): Promise<Program> {
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
    argv: readonly [string, ...string[]],
    port: number,
    folder: string | undefined,
  ) {
    const socketPath = folder && join(folder, 's')
    this.#spec = spec
    this.#targets = [...(socketPath ? [{ socketPath }] : []), { host: HOST, port }]
    this.#process = new OwnProcess({
      argv,
      cwd: spec.cwd,
      env: { ...spec.env, PORT: String(port), HOST, ...(socketPath && { ZAPP_LISTEN: socketPath }) },
      ...(socketPath && { third: 'pipe' }),
      onLine: spec.onLine,
    })
    const { entry: name, limits, onLimit } = spec
    const { memory: limit, requestTime } = limits
    this.#memory = limit === undefined ? undefined : new MemoryLimit(this.#process, { limit, name, onExcess: onLimit })
    const target = () => this.upstream.target
    this.hanging = new HangWatch({ process: this.#process, name, target, requestTime, onHang: onLimit })
    this.worn = this.#memory?.worn ?? new Promise(() => {})
    this.ended = this.#process.ended.then(async (how) => {
      this.#upstream?.destroy()
      if (folder !== undefined) await rm(folder, { recursive: true, force: true }).catch(() => {})
      return how
    })
  }

  /** Where it accepts connections. */
  get upstream(): Upstream {
    return this.#upstream!
  }

  /** Counts a piece of work, so that it is not told to end before that is done. @returns to be called once */
  hold(): () => void {
    return this.#holds.take()
  }

  /** Waits for what is held, but not for ever; then ends it. Idempotent. Resolves when it is gone. */
  async stop(termMs?: number): Promise<void> {
    const late = new AbortController()
    await Promise.race([
      this.#holds.none(),
      this.ended,
      sleep(DRAIN_MS, undefined, { signal: late.signal }).catch(() => {}),
    ])
    late.abort()
    if (this.#holds.count > 0) this.#memory?.drained()
    await this.#process.stop(termMs)
    await this.ended
  }

  async #accepts(signal: AbortSignal | undefined): Promise<void> {
    const { timeout } = this.#spec
    const start = performance.now()
    let look = LOOK_MS
    for (let wait = 5; ; wait = Math.min(wait * 2, 100)) {
      for (const target of this.#targets) {
        if (!(await connects(target))) continue
        await this.#checkExposed()
        this.#upstream = new Upstream(target, true)
        return
      }
      const how = await Promise.race([this.ended, sleep(wait)])
      if (how !== undefined) throw this.#startError(how)
      signal?.throwIfAborted()
      const ms = performance.now() - start
      if (ms > timeout) throw this.#startError(this.#process.withOutput(await this.#notListening()))
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
    const { pid } = this.#process
    return pid === undefined ? [] : findListening(pid)
  }

  #startError(reason: string): ZappError {
    const { entry, argv } = this.#spec
    return fail('ENTRY_START', entry, { program: argv.join(' '), reason })
  }
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

/** What makes a program end with this process: Node gets {@link file://./listen-preload.cjs}, others ask the kernel. */
async function withSignals({ argv, isNode, limits }: ProgramSpec): Promise<readonly [string, ...string[]]> {
  const [file, ...args] = argv
  return isNode ? [file, ...heapFlags(limits), '--require', PRELOAD, ...args] : withDeathSignal(argv)
}

const PRELOAD = fileURLToPath(new URL('./listen-preload.cjs', import.meta.url))
