import { setTimeout as sleep } from 'node:timers/promises'
import { fail, type ZappError } from '../../errors.ts'
import type { Manifest, Process } from '../../format/manifest-types.ts'
import { withDeathSignal } from '../../runtimes/death-signal.ts'
import type { LogLine } from '../../runtimes/load.ts'
import { MemoryLimit } from '../../runtimes/memory-limit.ts'
import { OwnProcess } from '../../runtimes/own-process.ts'
import type { PreparedCommand } from '../../runtimes/prepare-command.ts'
import type { ProcessLimits } from '../../runtimes/process-limits.ts'
import { Supervisor } from '../../runtimes/supervisor.ts'
import { workerPlace } from '../../runtimes/worker-environment.ts'
import { withDeadline } from '../deadline.ts'
import type { StoredApp } from '../prepare.ts'
import type { SystemUser } from '../users/system-user.ts'
import type { CommandMessage } from '../workers/messages.ts'
import { WORKER } from '../workers/worker-program.ts'
import type { Commands } from './generation.ts'

export interface CommandsOptions {
  readonly config: Readonly<Record<string, string>>
  readonly cache: string
  readonly data: string | undefined
  /** Whose processes they are. Default: the host's own user. */
  readonly user?: SystemUser | undefined
  /** Of background processes. A migration may need what it needs: to end it half-way would be worse. */
  readonly limits?: ProcessLimits | undefined
  readonly onLog: (line: LogLine) => void
  readonly onError: (error: unknown, where: string) => void
}

/** The commands of an app that is not released before they are stopped: FORMAT.md §Commands. */
export function storedCommands(stored: StoredApp, options: CommandsOptions): Commands {
  const { manifest } = stored
  return manifest.migrate || manifest.processes.size > 0 ? new StoredCommands(stored, options) : NONE
}

const NONE: Commands = { migrate: async () => {}, start: () => {}, stop: async () => {}, pids: [] }

/** What prepared commands are started as. */
type Start = (name: string, command: Ready) => Promise<OwnProcess>

interface Ready extends PreparedCommand {
  /** For a process of ours that runs it as another user. */
  readonly message?: CommandMessage
}

class StoredCommands implements Commands {
  readonly #stored: StoredApp
  readonly #options: CommandsOptions
  readonly #stopping = new AbortController()
  readonly #running = new Set<OwnProcess>()
  #started: Promise<unknown> = Promise.resolve()

  constructor(stored: StoredApp, options: CommandsOptions) {
    this.#stored = stored
    this.#options = options
  }

  get #manifest(): Manifest {
    return this.#stored.manifest
  }

  get pids(): readonly number[] {
    return [...this.#running].flatMap(({ pid }) => pid ?? [])
  }

  async migrate(signal: AbortSignal): Promise<void> {
    const { migrate } = this.#manifest
    if (!migrate) return
    const command = await this.#prepare(migrate.run)
    try {
      const process = await this.#start('migrate', command)
      await withDeadline(signal, migrate.timeout, async (late) => {
        const stop = () => void process.stop()
        late.addEventListener('abort', stop, { once: true })
        if (late.aborted) stop()
        const how = await process.ended
        if (process.child.exitCode === 0 && !late.aborted) return
        const reason = late.aborted ? `it was not done after ${migrate.timeout / 1000} seconds` : how
        throw fail('MIGRATE_FAILED', this.#manifest.name, { reason })
      })
    } finally {
      await command.release()
    }
  }

  start(): void {
    const { processes } = this.#manifest
    this.#started = Promise.all(
      [...processes.values()].map((one) =>
        this.#keep(one).catch((error) => this.#options.onError(error, `process ${one.name}`)),
      ),
    )
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all([...this.#running].map((process) => process.stop()))
    await this.#started
  }

  /** Resolves when it was stopped. */
  async #keep(one: Process): Promise<void> {
    const command = await this.#prepare(one.run, this.#options.limits)
    const start: Start = (name, prepared) => this.#startLimited(name, prepared)
    try {
      const { signal } = this.#stopping
      if (one.every !== undefined) return await this.#everySoOften(one, one.every, command)
      const supervisors = Array.from({ length: one.count }, () => this.#supervise(one.name, command, start))
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      await Promise.all(supervisors.map((supervisor) => supervisor.close()))
    } finally {
      await command.release()
    }
  }

  #supervise(name: string, command: Ready, start: Start): Supervisor<OwnProcess> {
    const { onError } = this.#options
    const where = `process ${name}`
    return new Supervisor({
      start: () => start(name, command),
      onEnded: (how) => onError(new Error(`${how}; it is started again`), where),
      onFailed: (error) => onError(error, where),
    })
  }

  /** From start to start; a run that is not over by then is waited for. */
  async #everySoOften({ name }: Process, every: number, command: Ready): Promise<void> {
    const { signal } = this.#stopping
    for (let next = performance.now() + every; ; next = Math.max(next + every, performance.now())) {
      await sleep(next - performance.now(), undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      const process = await this.#startLimited(name, command)
      const how = await process.ended
      if (!signal.aborted && process.child.exitCode !== 0) this.#options.onError(new Error(how), `process ${name}`)
    }
  }

  async #prepare(run: readonly string[], processLimits?: ProcessLimits): Promise<Ready> {
    const { config, cache, data, user } = this.#options
    if (user) return this.#prepareAs(user, run, processLimits)
    const { prepareCommand } = await import('../../runtimes/prepare-command.ts')
    const place = { config, cache, ...(data === undefined ? {} : { data }) }
    return prepareCommand(await this.#stored.archive(), run, { ...place, processLimits })
  }

  async #prepareAs(user: SystemUser, run: readonly string[], processLimits?: ProcessLimits): Promise<Ready> {
    const { manifest, file } = this.#stored
    const { config } = this.#options
    const { userPlace } = await import('../users/user-place.ts')
    const { release, ...place } = await userPlace(user, { ...this.#options, name: manifest.name, file })
    const { env } = await workerPlace(manifest, config, place.data)
    const found = { file: place.file, cache: place.cache, data: place.data }
    const message = { type: 'command', run, config, processLimits, ...found } as const
    return { argv: [process.execPath, WORKER], cwd: '/', env, message, release }
  }

  /** Two of a kind at once might do the same work twice: it ends before the next one starts. */
  async #startLimited(name: string, command: Ready): Promise<OwnProcess> {
    const started = await this.#start(name, command)
    const { limits: { memory } = {}, onError } = this.#options
    if (memory === undefined) return started
    const onExcess = (error: ZappError) => onError(error, `process ${name}`)
    const limit = new MemoryLimit(started, { limit: memory, name, fate: 'it is ended', onExcess })
    void limit.worn.then(() => started.stop())
    return started
  }

  async #start(name: string, { argv, cwd, env, message }: Ready): Promise<OwnProcess> {
    const [program = '', ...args] = argv
    const command = await withDeathSignal([program, ...args])
    const onLine = (stream: LogLine['stream'], text: string) => this.#options.onLog({ entry: name, stream, text })
    const third = message && ({ third: 'ipc' } as const)
    const started = new OwnProcess({ argv: command, cwd, env, onLine, user: this.#options.user, ...third })
    // One that could not be started is told by its end.
    if (message) started.child.once('error', () => {}).send(message, () => {})
    this.#running.add(started)
    void started.ended.then(() => this.#running.delete(started))
    if (this.#stopping.signal.aborted) await started.stop()
    return started
  }
}
