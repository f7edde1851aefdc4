import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { fail, ZappError } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import type { EntryAnswer, ResponseAnswer } from '../mount/answer.ts'
import { fetchRequest } from '../mount/fetch-request.ts'
import { toResponse } from '../mount/fetch-response.ts'
import type { Header } from '../mount/headers.ts'
import type { Mount } from '../mount/mount.ts'
import { nodeRequest } from '../mount/node-request.ts'
import { sendAnswer } from '../mount/node-response.ts'
import { judgeRequestPath } from '../mount/request-path.ts'
import { createBridge } from './fetch-bridge.ts'
import { callFetch } from './fetch-call.ts'
import { clientRedirect, redirectLocally } from './local-redirect.ts'
import { type MountedRequest, type Place, placeOf } from './place.ts'
import { Running } from './running.ts'
import type { Outcome, RunningEntry } from './running-entry.ts'
import { refuseUpgrade } from './upgrade.ts'

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
export function createApp({ manifest, mount, answers, entries, onError, dispose }: AppParts): App {
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
      running.add(res)
      void respond(req, res, place)
    }
  }

  async function respond(req: IncomingMessage, res: ServerResponse, place: Place): Promise<void> {
    let where = 'the answer'
    try {
      for (let redirects = 0; ; redirects++) {
        const answer = await answers.answer(nodeRequest(req, place.mount, place.target))
        if (answer.kind === 'response') return await sendAnswer(answer, req, res)
        where = `entry ${answer.entry}`
        const outcome = await callEntry(answer, place, req, res)
        if (!outcome) return
        for (const [name] of answer.route.headers) res.removeHeader(name)
        if ('status' in outcome) {
          const { status, headers } = outcome
          return await sendAnswer(await answers.error(status, nodeRequest(req, place.mount), headers), req, res)
        }
        if (redirects === MAX_REDIRECTS) throw tooManyRedirects(answer.entry)
        const { mount } = place
        place = { mount, target: outcome.location }
        if (!redirectLocally(req, place)) return void res.writeHead(302, clientRedirect(outcome.location)).end()
      }
    } catch (error) {
      onError(error, where)
      await recover(req, res, error)
    }
  }

  async function callEntry(
    answer: EntryAnswer,
    place: Place,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<Outcome> {
    for (const [name, value] of answer.route.headers) res.setHeader(name, value)
    aim(req, answer, place)
    const entry = entries.get(answer.entry)!
    if ('answer' in entry) return entry.answer(req, res)
    await entry.listener(req, res)
  }

  /** An answer where nothing was sent yet; else the client must see that what it has is not whole. */
  async function recover(req: IncomingMessage, res: ServerResponse, error: unknown): Promise<void> {
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
    if (answer.kind === 'response' || !(answer.route.websocket || manifest.entries.get(answer.entry)?.websocket)) {
      const status = answer.kind === 'response' && answer.status >= 400 ? answer.status : 400
      return refuseUpgrade(socket, status, 'No WebSocket upgrade is possible at this path.\n')
    }
    const take = entries.get(answer.entry)?.upgrade()
    if (!take) return refuseUpgrade(socket, 501, 'The app declares WebSockets, but exports nothing that takes them.\n')
    aim(req, answer, place)
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

function tooManyRedirects(entry: string): ZappError {
  return fail('ENTRY_ANSWER', entry, { entry, reason: `more than ${MAX_REDIRECTS} local redirects in a row` })
}

/** A program of its own gave no answer; code in this process is at fault itself. */
function isUnanswered(error: unknown): error is ZappError {
  return error instanceof ZappError && UNANSWERED.has(error.code)
}

const UNANSWERED: ReadonlySet<string> = new Set(['ENTRY_ANSWER', 'ENTRY_TIMEOUT', 'ENTRY_BUSY'])

/** How a request ends that failed, where it can still be answered. */
function failureOf(error: unknown): { status: number; headers: readonly Header[] } {
  if (!isUnanswered(error)) return { status: 500, headers: [] }
  return { status: error.status, headers: error.status === 503 ? [['Retry-After', RETRY_AFTER]] : [] }
}

/** Lets the entry see its own part of the URL in `url`, and the rest where Express and Connect have it. */
function aim(req: MountedRequest, { scriptName, pathInfo, query }: EntryAnswer, place: Place): void {
  if (scriptName !== '') {
    req.originalUrl = place.target
    req.baseUrl = scriptName
  }
  req.url = (pathInfo || '/') + query
}
