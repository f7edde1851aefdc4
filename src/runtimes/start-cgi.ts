import { rm } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { ArchiveEntry } from '../archive/archive.ts'
import type { RunTree } from '../cache/cache.ts'
import { fail, ZappError } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { BadAnswer } from './bad-answer.ts'
import { metaVariables } from './cgi-environment.ts'
import { type CgiEntry, createScriptTable, type ScriptMatch } from './cgi-scripts.ts'
import { createLauncher } from './launcher.ts'
import { NamedPipes } from './named-pipes.ts'
import type { MountedRequest } from './place.ts'
import { privateFolder } from './private-folder.ts'
import type { ProcessLimits } from './process-limits.ts'
import { relayAnswer } from './relay-answer.ts'
import { hasBody, isHostField } from './request-head.ts'
import type { Outcome, RunningEntry } from './running-entry.ts'
import { ScriptProcess } from './script-process.ts'
import { type Spooled, spoolBody } from './spool-body.ts'
import { Turns } from './turns.ts'

export interface CgiContext {
  readonly manifest: Manifest
  readonly files: ReadonlyMap<string, ArchiveEntry>
  readonly tree: RunTree
  /** What every process of the app sees: FORMAT.md §Needs. */
  readonly env: Readonly<Record<string, string>>
  readonly limits: ProcessLimits
  /** Told every line that a script prints on its standard error. */
  readonly onLine: (text: string) => void
}

/** Requests that may wait for each script that may run: each holds a connection and little else. */
const WAITING_PER_SCRIPT = 32
/**
 * Up to here a body lies in a file before its script starts. So a slow client keeps no other from its turn, and a script can
 * open `/dev/stdin`: a pipe whose writer has finished would let it wait for another one. Longer bodies flow through a pipe
 * and do not finish, as no pipe holds so much, before the script reads.
 */
const MAX_SMALL = 2 ** 20
/** Of chunked bodies, which lie on disk until the script has read them. As Apache's LimitRequestBody. */
const MAX_SPOOLED = 2 ** 30

/**
 * Readies the scripts of a `cgi` entry: CGI/1.1, RFC 3875, and FORMAT.md §CGI. A process for each request, a few at once.
 *
 * @throws ZappError ENTRY_LOAD where the system gives no pipes
 */
export async function startCgi(entry: CgiEntry, context: CgiContext): Promise<RunningEntry> {
  const { manifest, files, tree, env, onLine } = context
  const { memory } = context.limits
  const { name, timeout, concurrency } = entry
  const find = createScriptTable(entry, files)
  const place = { root: tree.root, documentRoot: join(tree.root, publicFolder(manifest)) }
  const folder = await privateFolder(tmpdir())
  const pipes = await NamedPipes.make(folder, concurrency).catch(async (error: Error) => {
    await rm(folder, { recursive: true, force: true })
    throw fail('ENTRY_LOAD', name, { module: name, reason: `no pipes for its scripts: ${error.message}` }, error)
  })
  const turns = new Turns(pipes, WAITING_PER_SCRIPT * concurrency)
  const launcher = await createLauncher()
  const running = new Set<ScriptProcess>()

  async function answer(req: MountedRequest, res: ServerResponse): Promise<Outcome> {
    if (!isHostField(req.headers.host ?? 'localhost')) return { status: 400 }
    const script = find(pathInfoOf(req))
    if (!script) return { status: 404 }
    if (!hasBody(req) || Number(req.headers['content-length']) > MAX_SMALL) return run(script, req, res)
    const spooled = await spoolBody(req, folder, MAX_SPOOLED)
    if (spooled === 'aborted') return undefined
    // What is left of the body is not waited for.
    if (spooled === 'too long') return { status: 413, headers: [['Connection', 'close']] }
    try {
      return await run(script, req, res, spooled)
    } finally {
      await spooled.file.close()
    }
  }

  async function run(script: ScriptMatch, req: MountedRequest, res: ServerResponse, body?: Spooled): Promise<Outcome> {
    const meta = metaVariables(req, script, place, body?.length)
    if (!meta) return { status: 400 }
    const slot = await takeTurn(res)
    if (!slot) return undefined
    const file = join(tree.root, script.path)
    let process: ScriptProcess
    try {
      const kind = body ? body.file.fd : hasBody(req) ? 'pipe' : 'none'
      process = new ScriptProcess({
        ...{ file, cwd: dirname(file), env: { ...env, ...meta }, launcher, pipes: slot, body: kind, onLine },
        ...{ name: script.path, memory },
      })
    } catch (error) {
      turns.give(slot)
      throw unanswered(script, reasonOf(error as NodeJS.ErrnoException), error)
    }
    follow(process, slot)
    if (process.input) req.pipe(process.input)
    return supervise(process, script, req, res)
  }

  /** undefined: the client has gone. @throws ZappError ENTRY_BUSY */
  async function takeTurn(res: ServerResponse): Promise<NamedPipes | undefined> {
    if (!turns.hasRoom) throw busy()
    let timer: NodeJS.Timeout | undefined
    let late = false
    let left = () => {}
    const slot = await turns.take((leave) => {
      left = leave
      res.once('close', left)
      timer = setTimeout(() => {
        late = true
        leave()
      }, timeout)
    })
    clearTimeout(timer)
    res.off('close', left)
    if (late) throw busy()
    if (slot && res.destroyed) {
      turns.give(slot)
      return undefined
    }
    return slot
  }

  function follow(process: ScriptProcess, slot: NamedPipes): void {
    running.add(process)
    process.gone
      // Pipes that could not be made anew: the slot is lost, the others remain.
      .then(
        () => turns.give(slot),
        (error: Error) => onLine(`a script fewer can run at once: ${error.message}`),
      )
      .finally(() => running.delete(process))
  }

  async function supervise(
    process: ScriptProcess,
    script: ScriptMatch,
    req: MountedRequest,
    res: ServerResponse,
  ): Promise<Outcome> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        process.end()
        reject(fail('ENTRY_TIMEOUT', script.path, { entry: name, timeout }))
      }, timeout)
    })
    const exceeded = process.exceeded.then((error) => {
      process.end()
      throw error
    })
    process.gone.finally(() => clearTimeout(timer)).catch(() => {})
    late.catch(() => {})
    exceeded.catch(() => {})
    const left = () => {
      if (!res.writableFinished) process.end()
    }
    res.once('close', left)
    try {
      const head = await Promise.race([relayAnswer(process, res), late, exceeded])
      return head?.local === undefined ? undefined : { location: head.local }
    } catch (error) {
      if (error instanceof ZappError) throw error
      process.end(error instanceof BadAnswer ? 0 : undefined)
      throw unanswered(script, reasonOf(error as NodeJS.ErrnoException), error)
    } finally {
      res.off('close', left)
      if (process.input) req.unpipe(process.input)
    }
  }

  function unanswered(script: ScriptMatch, reason: string, cause: unknown) {
    return fail('ENTRY_ANSWER', script.path, { entry: name, reason }, cause)
  }

  function busy() {
    return fail('ENTRY_BUSY', name, { entry: name, limit: WAITING_PER_SCRIPT * concurrency })
  }

  return {
    answer,
    upgrade: () => undefined,
    async close() {
      for (const process of running) process.end()
      await Promise.all([...running].map((process) => process.gone.catch(() => {})))
      await launcher.close()
      for (const slot of pipes) slot.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** What of the path is the entry's. Where it is empty, `url` had to be made one. */
function pathInfoOf({ url = '/', originalUrl, baseUrl = '' }: MountedRequest): string {
  const path = withoutQuery(url)
  const isMadeUp = path === '/' && baseUrl !== '' && !withoutQuery(originalUrl ?? '').endsWith('/')
  return isMadeUp ? '' : path
}

function withoutQuery(url: string): string {
  const mark = url.indexOf('?')
  return mark === -1 ? url : url.slice(0, mark)
}

/** The folder of the app's files at `/`, where code can read them; else the whole tree. */
function publicFolder({ routes }: Manifest): string {
  const root = routes.find(
    ({ pattern, target, unpack }) => pattern.kind === 'default' && target.kind === 'static' && unpack,
  )
  return root?.target.kind === 'static' ? root.target.path : ''
}

function reasonOf({ code, syscall, message }: NodeJS.ErrnoException): string {
  if (!syscall?.startsWith('spawn')) return message
  const why = (code !== undefined && NOT_STARTED[code]) || message
  return `it could not be started: ${why}`
}

const NOT_STARTED: Readonly<Record<string, string>> = {
  ENOENT: 'the program that its first line names is not there',
  EACCES: 'it, or the program that its first line names, may not be run',
  ENOEXEC: 'it does not begin with "#!", and is no program of this system',
}
