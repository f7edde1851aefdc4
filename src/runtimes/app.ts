import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { fail, ZappError } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import type { Answer, EntryAnswer, ResponseAnswer } from '../mount/answer.ts'
import { fetchRequest } from '../mount/fetch-request.ts'
import { toResponse } from '../mount/fetch-response.ts'
import type { Header } from '../mount/headers.ts'
import type { Mount } from '../mount/mount.ts'
import { nodeRequest } from '../mount/node-request.ts'
import { sendAnswer } from '../mount/node-response.ts'
import { judgeRequestPath } from '../mount/request-path.ts'
import { answerInstead } from './answer-instead.ts'
import { createBridge } from './fetch-bridge.ts'
import { callFetch } from './fetch-call.ts'
import { clientRedirect, redirectLocally } from './local-redirect.ts'
import { type MountedRequest, type Place, placeOf } from './place.ts'
import { limitRequestTime } from './request-time.ts'
import { Running } from './running.ts'
import type { Outcome, RunningEntry } from './running-entry.ts'
import { refuseUpgrade, takesUpgrade, upgradeRefusal } from './upgrade.ts'

export interface CloseOptions {
  /** How long running requests may take to end before their connections are destroyed. Default 10,000 ms. */
  readonly graceMs?: number
}

/** A loaded app. Every function may be used detached: `http.createServer(app.listener)`. */
export interface App {
  readonly manifest: Manifest
  readonly mount: string
  /**
   * For `node:http`; also middleware of Express and Connect, which may have cut off the mount already. Below its mount
   * the app answers everything, errors and misses too; a path outside goes to `next`, or is 404 where there is none.
   */
  readonly listener: (req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void) => void
  /** Rejects where the app breaks off before it has begun to answer, or the request's signal aborts. */
  readonly fetch: (request: Request) => Promise<Response>
  /** For the `upgrade` event of `http.Server`. An upgrade that the app does not take is refused and closed. */
  readonly upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void
  /**
   * Takes no more requests (503), waits for those that run, lets go of archive, environment and run tree. Idempotent;
   * a later call can only shorten the wait.
   */
  readonly close: (options?: CloseOptions) => Promise<void>
}

export interface AppParts {
  readonly manifest: Manifest
  readonly mount: string
  readonly answers: Mount
  readonly entries: ReadonlyMap<string, RunningEntry>
  /** ms for an entry to answer; undefined: as long as it takes. Scripts of CGI have their own time. */
  readonly requestTime: number | undefined
  /** The caller knows which requests run, and closes the app when none does: they are not counted a second time. */
  readonly closesIdle: boolean
  readonly onError: (error: unknown, where: string) => void
  /** Lets go of everything, once. */
  dispose(): Promise<void>
}

const GRACE_MS = 10_000
/** Of scripts that send a request on within the app: more is a loop. */
const MAX_REDIRECTS = 5
/** Seconds until a place in the queue is likely. */
const RETRY_AFTER = '1'
const TAKEN_DOWN = 'This app has been taken down.\n'

/** Puts a mount and its running entries behind the interfaces of Node and the web. */
export function createApp(parts: AppParts): App {
  const { manifest, mount, answers, entries, requestTime, closesIdle, onError, dispose } = parts
  const running = new Running(dispose)
  const bridge = createBridge(listener)

  function listener(req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void): void {
    const place = placeOf(req, mount)
    if (next && judgeRequestPath(nodeRequest(req, place.mount, place.target)) === 404) {
      next()
    } else if (running.closing) {
      res.writeHead(503, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' }).end(TAKEN_DOWN)
    } else if (!res.closed) {
      // Else the client left while a middleware was at work: the app would wait for an end that has been.
      if (!closesIdle) running.add(res)
      answer(req, res, place)
    }
  }

  /** Calls an entry at once where the answer is one: a promise for each request would cost more than all the rest here. */
  function answer(req: IncomingMessage, res: ServerResponse, place: Place): void {
    const found = answers.answer(nodeRequest(req, place.mount, place.target))
    if (found instanceof Promise || found.kind === 'response') return void respond(req, res, place, found)
    const entry = entries.get(found.entry)!
    if ('answer' in entry) return void respond(req, res, place, found)
    const failed = (error: unknown) => void recover(req, res, error, `entry ${found.entry}`)
    try {
      aim(req, res, found, place)
      limit(found.entry, req, res)
      const done = entry.listener(req, res)
      if (isThenable(done)) done.then(undefined, failed)
    } catch (error) {
      failed(error)
    }
  }

  async function respond(
    req: IncomingMessage,
    res: ServerResponse,
    place: Place,
    first: Answer | Promise<Answer>,
  ): Promise<void> {
    let where = 'the answer'
    try {
      let found = await first
      for (let redirects = 0; ; redirects++) {
        if (found.kind === 'response') return await sendAnswer(found, req, res)
        where = `entry ${found.entry}`
        const outcome = await callEntry(found, place, req, res)
        if (!outcome) return
        for (const [name] of found.route.headers) res.removeHeader(name)
        if ('status' in outcome) {
          const { status, headers } = outcome
          return await sendAnswer(await answers.error(status, nodeRequest(req, place.mount), headers), req, res)
        }
        if (redirects === MAX_REDIRECTS) throw tooManyRedirects(found.entry)
        const { mount } = place
        place = { mount, target: outcome.location }
        if (!redirectLocally(req, place)) return void res.writeHead(302, clientRedirect(outcome.location)).end()
        found = await answers.answer(nodeRequest(req, place.mount, place.target))
      }
    } catch (error) {
      await recover(req, res, error, where)
    }
  }

  async function callEntry(
    found: EntryAnswer,
    place: Place,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<Outcome> {
    aim(req, res, found, place)
    const entry = entries.get(found.entry)!
    if ('answer' in entry) return entry.answer(req, res)
    limit(found.entry, req, res)
    await entry.listener(req, res)
  }

  function limit(entry: string, req: IncomingMessage, res: ServerResponse): void {
    if (requestTime !== undefined) limitRequestTime(req, res, requestTime, () => void late(entry, req, res))
  }

  /** The app has not answered in time: whatever it does now, the client has an end. */
  async function late(entry: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
    onError(fail('ENTRY_TIMEOUT', entry, { entry, timeout: requestTime ?? 0 }), `entry ${entry}`)
    entries.get(entry)?.late?.()
    const instead = answerInstead(req, res)
    if (instead) await sendAnswer(await answers.error(504, nodeRequest(req, mount)), req, instead).catch(() => {})
    else req.socket.destroy()
  }

  /** An answer where nothing was sent yet; else the client must see that what it has is not whole. */
  async function recover(req: IncomingMessage, res: ServerResponse, error: unknown, where: string): Promise<void> {
    onError(error, where)
    if (res.headersSent) {
      if (!res.writableEnded) res.destroy()
      return
    }
    for (const name of res.getHeaderNames()) res.removeHeader(name)
    const { status, headers } = failureOf(error)
    await sendAnswer(await answers.error(status, nodeRequest(req, mount), headers), req, res).catch(() => res.destroy())
  }

  async function fetch(request: Request): Promise<Response> {
    if (running.closing) return new Response(TAKEN_DOWN, { status: 503 })
    const answer = await answers.answer(fetchRequest(request, mount))
    if (answer.kind === 'response') return toResponse(tracked(answer))
    const handler = entries.get(answer.entry)!.fetch
    if (!handler) return bridge(request)
    try {
      return await callFetch(handler, request, answer, running)
    } catch (error) {
      request.signal.throwIfAborted()
      onError(error, `entry ${answer.entry}`)
      return toResponse(await answers.error(500, fetchRequest(request, mount)))
    }
  }

  /** Keeps the archive open while a body is read from it. */
  function tracked(answer: ResponseAnswer): ResponseAnswer {
    const { body } = answer
    if (!body?.stream) return answer
    const { length } = body
    return { ...answer, body: { length, stream: () => running.add(body.stream!()) } }
  }

  async function upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // Until the app has it, nobody else listens: an error of an idle socket must not end the process.
    const ignore = () => {}
    socket.on('error', ignore)
    if (running.closing) return refuseUpgrade(socket, 503, TAKEN_DOWN)
    if (req.headers.upgrade?.toLowerCase() !== 'websocket') {
      return refuseUpgrade(socket, 400, 'Only upgrades to websocket are possible here.\n')
    }
    const place = placeOf(req, mount)
    const answer = await answers.answer(nodeRequest(req, place.mount, place.target))
    if (!takesUpgrade(answer, manifest)) {
      return refuseUpgrade(socket, upgradeRefusal(answer), 'No WebSocket upgrade is possible at this path.\n')
    }
    const take = entries.get(answer.entry)?.upgrade()
    if (!take) return refuseUpgrade(socket, 501, 'The app declares WebSockets, but exports nothing that takes them.\n')
    aim(req, undefined, answer, place)
    running.add(socket)
    socket.off('error', ignore)
    try {
      await take(req, socket, head)
    } catch (error) {
      onError(error, `entry ${answer.entry}`)
      if (isUnanswered(error) && socket.writable) refuseUpgrade(socket, 502, 'The app did not answer.\n')
      else socket.destroy()
    }
  }

  return {
    manifest,
    mount,
    listener,
    fetch,
    upgrade: (req, socket, head) => void upgrade(req, socket, head),
    close: ({ graceMs = GRACE_MS } = {}) => running.close(graceMs),
  }
}

/** Many a listener returns what `res.end()` returned. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

function tooManyRedirects(entry: string): ZappError {
  return fail('ENTRY_ANSWER', entry, { entry, reason: `more than ${MAX_REDIRECTS} local redirects in a row` })
}

/** A program of its own gave no answer; code in this process is at fault itself. */
function isUnanswered(error: unknown): error is ZappError {
  return error instanceof ZappError && UNANSWERED.has(error.code)
}

const UNANSWERED: ReadonlySet<string> = new Set(['ENTRY_ANSWER', 'ENTRY_TIMEOUT', 'ENTRY_BUSY', 'MEMORY_EXCEEDED'])

/** How a request ends that failed, where it can still be answered. */
function failureOf(error: unknown): { status: number; headers: readonly Header[] } {
  if (!isUnanswered(error)) return { status: 500, headers: [] }
  return { status: error.status, headers: error.status === 503 ? [['Retry-After', RETRY_AFTER]] : [] }
}

/**
 * Lets the entry see its own part of the URL in `url`, and the rest where Express and Connect have it; gives the response
 * the fields of the route.
 */
function aim(
  req: MountedRequest,
  res: ServerResponse | undefined,
  { scriptName, pathInfo, query, route }: EntryAnswer,
  place: Place,
): void {
  if (res) for (const [name, value] of route.headers) res.setHeader(name, value)
  if (scriptName !== '') {
    req.originalUrl = place.target
    req.baseUrl = scriptName
  }
  req.url = (pathInfo || '/') + query
}
