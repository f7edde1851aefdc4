import type { ChildProcess, SendHandle } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ERRORS, type Finding, fail, ZappError } from '../errors.ts'
import { MemoryLimit } from './memory-limit.ts'
import { OwnProcess } from './own-process.ts'
import { privateFolder } from './private-folder.ts'
import type { Supervised } from './supervisor.ts'
import { IDLE_MS, type Target, type Upstream } from './upstream.ts'

/** How a worker is started. */
export interface PythonWorkerSpec {
  /** Path of the interpreter. */
  readonly python: string
  /** Path of the archive, which has to stay there while the worker runs. */
  readonly file: string
  /** The archive's run tree. */
  readonly tree: string
  /** What messages call it: an entry point, or the app. */
  readonly name: string
  /** The one entry point that every request is for; without it the worker serves the whole app. */
  readonly entry?: string
  /** Of the whole app. */
  readonly mount?: string
  readonly threads: number
  /** How many requests it answers before it asks to be replaced. Without it: no matter how many. */
  readonly maxRequests?: number
  /** ms until a request must have its answer, on its own server. */
  readonly requestTime?: number
  /** File in which workers that accept from one listener tell each other how many connections they have. */
  readonly balance?: string
  /** The server that it is to run instead of its own. */
  readonly server?: string
  /** What the app shall see, and nothing else. */
  readonly env: Readonly<Record<string, string>>
  /** ms until it has to be ready. */
  readonly timeout: number
  /** Resident bytes above which it is replaced. */
  readonly memory?: number
  /** Told when it is. */
  readonly onExcess: (error: ZappError) => void
  readonly onLine: (stream: 'stdout' | 'stderr', text: string) => void
}

/** How long requests may take that run when it is stopped. */
const DRAIN_MS = 30_000
/** Between a worker's word that it failed and its end: to print why. */
const FAILED_MS = 2000

/**
 * A Python process that answers requests for one app, on a private socket and on connections that are handed to it.
 *
 *     starting ── "ready" ──▶ ready ── stop() ──▶ draining ──▶ ended
 *        └── "failed", no answer in time ───────────────────────▲
 *
 * It and we talk over Node's IPC channel, a JSON object a message. To us: `ready`, `failed` with findings, `retire` when
 * it has answered its number of requests. From us: `drain`. When the channel ends, because this process is gone, so does
 * the worker.
 */
export class PythonWorker implements Supervised, Upstream {
  readonly ended: Promise<string>
  /** Resolves when it has answered its number of requests, or costs more than it may. */
  readonly worn: Promise<void>
  readonly target: Target
  /** Idle connections are ours to close: the worker does so only when it drains, and then none is in use. */
  readonly agent = new Agent({ keepAlive: true, timeout: IDLE_MS })
  readonly freshAgent = this.agent
  state: 'starting' | 'ready' | 'draining' | 'ended' = 'starting'
  readonly #spec: PythonWorkerSpec
  readonly #process: OwnProcess
  readonly #memory: MemoryLimit | undefined
  #running = 0
  #onIdle = () => {}

  /**
   * Starts a worker and waits until it has imported the app and listens.
   *
   * @throws ZappError what the worker reports, with its code: mostly ENTRY_LOAD, ENTRY_EXPORT; ENTRY_LOAD too where it
   * ends or is not done in time. Nothing of it is left then
   */
  static async start(spec: PythonWorkerSpec, signal?: AbortSignal): Promise<PythonWorker> {
    const worker = new PythonWorker(spec, await privateFolder())
    try {
      await worker.#ready(signal)
      return worker
    } catch (error) {
      await worker.#process.stop(0)
      throw error
    }
  }

  private constructor(spec: PythonWorkerSpec, folder: string) {
    this.#spec = spec
    const socketPath = join(folder, 's')
    this.target = { socketPath }
    this.#process = new OwnProcess({
      argv: pythonArgv(spec, socketPath),
      cwd: spec.tree,
      env: { ...spec.env, PYTHONPATH: PYTHON_LOADER },
      third: 'ipc',
      onLine: spec.onLine,
    })
    const { name, memory: limit, onExcess } = spec
    this.#memory = limit === undefined ? undefined : new MemoryLimit(this.#process, { limit, name, onExcess })
    this.worn = new Promise((resolve) => {
      this.child.on('message', (message) => {
        if (typeOf(message) === 'retire') resolve()
      })
      void this.#memory?.worn.then(resolve)
    })
    // Its output may be read for longer; nothing can be asked of it any more.
    this.child.once('exit', () => this.lose())
    // A message that could not be sent any more: that it is gone is told by `ended`.
    this.child.on('error', () => {})
    this.ended = this.#process.ended.then(async (how) => {
      this.lose()
      await rm(folder, { recursive: true, force: true }).catch(() => {})
      return how
    })
  }

  /** For messages beyond those of this class. */
  get child(): ChildProcess {
    return this.#process.child
  }

  /** How many pieces of work have it. */
  get running(): number {
    return this.#running
  }

  /** Counts a piece of work, so that the worker is not drained before it is done. @returns to be called once */
  hold(): () => void {
    this.#running++
    return () => {
      if (--this.#running === 0) this.#onIdle()
    }
  }

  /** @returns whether it could be sent */
  send(message: object, handle?: SendHandle): boolean {
    if (!this.child.connected) return false
    this.child.send(message, handle, { keepOpen: true }, () => {})
    return true
  }

  /** It takes no connections any more: its process has ended, or is about to. */
  lose(): void {
    this.state = 'ended'
    this.agent.destroy()
  }

  /** Waits for what is held, then lets the worker end; kills it where that takes longer. Idempotent. */
  async stop(graceMs = DRAIN_MS): Promise<void> {
    if (this.state !== 'ended') this.state = 'draining'
    const end = performance.now() + graceMs
    // What is on its way to the worker is not on its socket yet: a worker that stopped to accept now would lose it.
    await Promise.race([this.#idle(), this.ended, afterMs(graceMs)])
    const left = Math.max(0, Math.round(end - performance.now()))
    if (this.send({ type: 'drain', graceMs: left })) await Promise.race([this.ended, afterMs(left + DRAINED_MS)])
    if (this.child.exitCode === null && this.child.signalCode === null) this.#memory?.drained()
    await this.#process.stop(0)
    await this.ended
  }

  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve
      if (this.#running === 0) resolve()
    })
  }

  async #ready(signal: AbortSignal | undefined): Promise<void> {
    const { timeout } = this.#spec
    const told = new Promise<unknown>((resolve) => {
      this.child.on('message', (message) => {
        if (typeOf(message) === 'ready' || typeOf(message) === 'failed') resolve(message)
      })
      if (signal?.aborted) resolve(undefined)
      signal?.addEventListener('abort', () => resolve(undefined), { once: true })
    })
    const late = `it was not done after ${timeout / 1000} seconds`
    const how = await Promise.race([told.then(() => undefined), this.#process.ended, afterMs(timeout, late)])
    if (how !== undefined) throw this.#loadError(how === late ? this.#process.withOutput(how) : how)
    signal?.throwIfAborted()
    const message = await told
    if (typeOf(message) === 'ready') {
      this.state = 'ready'
      return
    }
    await Promise.race([this.#process.ended, afterMs(FAILED_MS)])
    const findings = findingsOf(message)
    if (findings[0]) throw new ZappError(findings[0], findings)
    throw this.#loadError('it gave no reason')
  }

  #loadError(reason: string): ZappError {
    const { name } = this.#spec
    return fail('ENTRY_LOAD', name, { module: name, reason })
  }
}

/** For a worker to end after the grace that it was given. */
const DRAINED_MS = 2000

/** The folder that holds the Python package `zapp`, in the sources and in the package that is published. */
export const PYTHON_LOADER = fileURLToPath(new URL('../../python', import.meta.url))

/**
 * As `python -m zapp` would, but without the working folder on the module path: that is the app's, and a file of its own
 * with the name of a standard module must not be what the worker imports.
 */
const MAIN = 'import sys; del sys.path[0]; from zapp.__main__ import main; sys.exit(main())'

/** How a worker is called that listens on a Unix socket; PYTHONPATH has to be {@link PYTHON_LOADER}. */
export function pythonArgv(
  spec: Omit<PythonWorkerSpec, 'env' | 'timeout' | 'onLine' | 'name' | 'memory' | 'onExcess'>,
  socketPath: string,
): [string, ...string[]] {
  const { python, file, tree, entry, mount, threads, maxRequests, requestTime, balance, server } = spec
  return [
    python,
    // What is printed arrives at once, as it would on a terminal.
    ...['-u', '-c', MAIN, 'worker', file, '--tree', tree, '--socket', socketPath, '--threads', String(threads)],
    ...(entry === undefined ? [] : ['--entry', entry]),
    ...(mount ? ['--mount', mount] : []),
    ...(maxRequests === undefined ? [] : ['--max-requests', String(maxRequests)]),
    ...(requestTime === undefined ? [] : ['--request-time', String(requestTime / 1000)]),
    ...(balance === undefined ? [] : ['--balance', balance]),
    ...(server === undefined ? [] : ['--server', server]),
  ]
}

function typeOf(message: unknown): unknown {
  return (Object(message) as { type?: unknown }).type
}

/** Of a message `failed`: what is no finding of ours is left out. */
function findingsOf(message: unknown): Finding[] {
  const { findings } = Object(message) as { findings?: unknown }
  if (!Array.isArray(findings)) return []
  return findings.flatMap((found: unknown): Finding[] => {
    const { code, path, args } = Object(found) as { [K in keyof Finding]?: unknown }
    if (typeof code !== 'string' || !Object.hasOwn(ERRORS, code)) return []
    return [
      {
        code: code as Finding['code'],
        severity: 'error',
        path: typeof path === 'string' ? path : '',
        args: Object(args) as Finding['args'],
      },
    ]
  })
}

/** Does not keep this process alive. */
export function afterMs<T>(ms: number, value?: T): Promise<T | undefined> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(value), ms).unref()
  })
}
