import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { fail, type ZappError } from '../errors.ts'
import type { Health, Manifest } from '../format/manifest-types.ts'
import type { App, LogLine } from '../runtimes/load.ts'
import { withDeadline } from './deadline.ts'
import { Deaths } from './deaths.ts'
import type { Deployment, Faltering } from './deployment.ts'
import { HOST_HONOURS } from './honours.ts'
import type { StoredApp } from './prepare.ts'
import type { AppLimits } from './settings/app-settings.ts'

export interface InProcessOptions {
  readonly mount: string
  /** Only names that the app declares. */
  readonly config: Readonly<Record<string, string>>
  readonly cache: string
  readonly data: string | undefined
  /** Instead of the manifest's. */
  readonly health?: Health | undefined
  /** Each key instead of the manifest's. */
  readonly workers?: Manifest['workers'] | undefined
  readonly limits?: AppLimits | undefined
  /** Archives of earlier versions, the newest first. */
  readonly earlier?: readonly string[]
  readonly onError: (error: unknown, where: string) => void
  readonly onLog: (line: LogLine) => void
  /** A program took the place of one that ended, or had to go. */
  readonly onRestart: () => void
}

/** Ample for connecting to a database; an app that waits for ever must not keep the others waiting. */
const START_MS = 30_000

/**
 * Answers for an app in the host's own process, where none of its code runs: a static site, or programs that have
 * processes of their own.
 */
export class InProcess implements Deployment {
  readonly manifest: Manifest
  readonly digest: string
  readonly died: Promise<ZappError | undefined>
  readonly faltered: Promise<Faltering>
  readonly pids: readonly number[] = []
  readonly #stored: StoredApp
  readonly #options: InProcessOptions
  #app: App | undefined
  readonly #deaths: Deaths
  #stopped: Promise<void> | undefined

  constructor(stored: StoredApp, options: InProcessOptions) {
    this.manifest = stored.manifest
    this.digest = stored.digest
    this.#stored = stored
    this.#options = options
    this.#deaths = new Deaths(stored.manifest.name, options.limits)
    this.died = this.#deaths.died
    this.faltered = this.#deaths.faltered
  }

  async start(signal?: AbortSignal): Promise<void> {
    const { mount, config, cache, data, workers, limits, earlier = [], onError, onLog } = this.#options
    const { loadHosted } = await import('../runtimes/load.ts')
    const loading = loadHosted(await this.#stored.archive(), {
      mount,
      config,
      cache,
      onError,
      onLog,
      honours: HOST_HONOURS,
      earlier,
      processLimits: limits,
      workers,
      watch: {
        ended: (how, isDown) => this.#app && this.#deaths.add(how, isDown),
        up: () => {
          this.#options.onRestart()
          this.#deaths.up()
        },
      },
      ...(data && { data }),
    })
    // Programs have a limit of their own within this one, and can say more about it.
    const limit = START_MS + (this.#health?.timeout ?? 0)
    this.#app = await inTime(loading, limit, signal)
    if (this.#app) return
    // Its code cannot be stopped in this process. Should it get there after all, nobody needs it any more.
    loading.then((app) => app.close({ graceMs: 0 })).catch(() => {})
    signal?.throwIfAborted()
    const reason = `it was not done after ${limit / 1000} seconds`
    throw fail('ENTRY_LOAD', this.manifest.name, { module: this.manifest.name, reason })
  }

  async health(signal: AbortSignal): Promise<void> {
    const health = this.#health
    if (!health) return
    const url = `http://${health.host ?? 'localhost'}${this.#options.mount}${health.path}`
    const got = await withDeadline(signal, health.timeout, (end) => answerOf(this.#started(), new Request(url), end))
    if (got === undefined) return
    throw fail('HEALTH_FAILED', this.manifest.name, { path: health.path, timeout: health.timeout, got })
  }

  handle(req: IncomingMessage, res: ServerResponse): void {
    this.#started().listener(req, res)
  }

  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#started().upgrade(req, socket, head)
  }

  async stop(graceMs: number): Promise<void> {
    const closed = this.#app?.close({ graceMs })
    this.#stopped ??= (async () => {
      await closed
      await this.#stored.release()
      this.#deaths.stopped()
    })()
    await this.#stopped
  }

  get #health(): Health | undefined {
    return this.#options.health ?? this.manifest.health
  }

  #started(): App {
    if (!this.#app) throw fail('INTERNAL', this.manifest.name, { reason: 'the app was used before it was started' })
    return this.#app
  }
}

/** undefined: it was not done in time, or is not wanted any more. */
function inTime<T>(work: Promise<T>, ms: number, signal: AbortSignal | undefined): Promise<T | undefined> {
  let giveUp = () => {}
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    giveUp = () => resolve(undefined)
    timer = setTimeout(giveUp, ms)
    signal?.addEventListener('abort', giveUp)
    if (signal?.aborted) giveUp()
  })
  return Promise.race([work, late]).finally(() => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', giveUp)
  })
}

/** undefined for 2xx, else what came in its place. */
async function answerOf(app: App, request: Request, signal: AbortSignal): Promise<string | number | undefined> {
  const late = new Promise<string>((resolve) => {
    signal.addEventListener('abort', () => resolve('no answer'), { once: true })
  })
  const answered = app.fetch(request).then(
    async (response) => {
      await response.body?.cancel()
      return response.ok ? undefined : response.status
    },
    (error: unknown) => String(error),
  )
  return Promise.race([answered, late])
}
