import { availableParallelism } from 'node:os'
import type { RunTree } from '../cache/cache.ts'
import { fail, ZappError } from '../errors.ts'
import type { Entry, Manifest } from '../format/manifest-types.ts'
import type { ProcessWatch } from './entry-watch.ts'
import type { Variables } from './environment.ts'
import type { LogLine } from './log-lines.ts'
import type { ProcessLimits } from './process-limits.ts'
import { processEnvironment } from './program-spec.ts'
import { PythonPool } from './python-pool.ts'
import type { PythonWorkerSpec } from './python-worker.ts'
import type { RunningEntry } from './running-entry.ts'
import { proxyRequest } from './upstream/proxy-request.ts'
import { proxyUpgrade } from './upstream/proxy-upgrade.ts'

export type PythonEntry = Extract<Entry, { type: 'wsgi' | 'asgi' }>

export interface PythonContext {
  readonly manifest: Manifest
  /** Path of the archive, which stays there until the entry is closed. */
  readonly file: string
  readonly tree: RunTree
  readonly config: Variables
  /** The data root: HOME. Made where it is missing. */
  readonly home: string
  /** Path of the interpreter. */
  readonly python: string
  readonly limits: ProcessLimits
  readonly onError: (error: unknown) => void
  readonly onLog: (line: LogLine) => void
  readonly watch: ProcessWatch
}

/** How long a worker may take to import the app where the manifest has no health check with a time of its own. */
const START_MS = 30_000
/** So that one answers while the other is started again; each holds the app in memory, so no more than that. */
export const WSGI_PROCESSES = 2
/** As mod_wsgi and waitress have it, near enough: an app waits for its database more than it computes. */
export const THREADS = 4
/** An ASGI app has all its requests on one event loop, which is for its server to limit. */
const ASGI_CAPACITY = 1000

/**
 * Starts the worker processes of a `wsgi` or `asgi` entry and passes requests on to them.
 *
 * @throws ZappError ENTRY_LOAD, ENTRY_EXPORT and what else a worker reports
 */
export async function startPython(entry: PythonEntry, context: PythonContext): Promise<RunningEntry> {
  const { processes } = context.manifest.workers
  const worker = await workerSpec(entry, context)
  const isAsync = entry.type === 'asgi'
  const pool = await PythonPool.start({
    worker,
    // What an ASGI app keeps in memory, sockets of a chat say, is usually meant for all who are connected.
    processes: processes ?? (isAsync ? 1 : Math.min(WSGI_PROCESSES, availableParallelism())),
    capacity: isAsync ? ASGI_CAPACITY : worker.threads,
    onError: context.onError,
    watch: context.watch,
  })

  function unanswered(error: unknown): unknown {
    if (error instanceof ZappError) return error
    return fail('ENTRY_ANSWER', entry.name, { entry: entry.name, reason: (error as Error).message }, error)
  }

  return {
    async listener(req, res) {
      for (;;) {
        const lease = await pool.lease(res)
        if (lease === undefined) return
        try {
          await proxyRequest(lease.worker.upstream, req, res)
          if (res.headersSent) lease.worker.hanging.heard()
          return lease.release()
        } catch (error) {
          const refused = isRefused(error)
          if (refused) lease.worker.lose()
          if (isCutOff(error)) lease.broken()
          else lease.release()
          // A worker that refuses has ended a moment ago, and nothing was sent to it: another one answers.
          if (!refused) throw unanswered(error)
        }
      }
    },
    upgrade: () => async (req, socket, head) => {
      const lease = await pool.lease(socket)
      if (lease === undefined) return
      socket.once('close', () => lease.release())
      await proxyUpgrade(lease.worker.upstream, req, socket, head).catch((error) => {
        throw unanswered(error)
      })
    },
    late: () => pool.workers.forEach(({ hanging }) => void hanging.doubt()),
    close: () => pool.close(),
  }
}

async function workerSpec({ name, type, env }: PythonEntry, context: PythonContext): Promise<PythonWorkerSpec> {
  const { manifest, file, tree, config, home, python, limits, onLog, onError } = context
  const { threads = THREADS, server, maxRequests } = manifest.workers
  return {
    python,
    file,
    tree: tree.root,
    name,
    entry: name,
    threads,
    ...(maxRequests === undefined ? {} : { maxRequests }),
    ...(server !== undefined && (server === 'gunicorn') === (type === 'wsgi') ? { server } : {}),
    env: await processEnvironment(env, { manifest, tree, config, home }),
    ...limits,
    timeout: manifest.health?.timeout ?? START_MS,
    onLimit: onError,
    onLine: (stream, text) => onLog({ entry: name, stream, text }),
  }
}

/** There was a connection, and the worker ended it. */
function isCutOff(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ECONNRESET' || code === 'EPIPE'
}

/** There was no connection: not a byte of the request has left. */
function isRefused(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException
  return syscall === 'connect' && (code === 'ECONNREFUSED' || code === 'ENOENT')
}
