import type { Archive } from '../archive/archive.ts'
import type { Route } from '../format/manifest-types.ts'
import type { Match } from '../format/pattern.ts'
import type { Answer, MountRequest, ResponseAnswer } from './answer.ts'
import { Content } from './content.ts'
import { ErrorPages } from './error-pages.ts'
import { encodePath, type Header } from './headers.ts'
import { MemoryCache } from './memory-cache.ts'
import { countSegments, isSchemeRelative, judgeRequestPath, type RequestPath, skipSegments } from './request-path.ts'
import { type CompiledRoute, createRouter, type Router } from './router.ts'
import { serveFile } from './serve-file.ts'
import type { StaticFile } from './static-file.ts'

export interface MountOptions {
  /** Names of the entries that the container can run; a route to another one is refused. Default: none. */
  readonly entries?: Iterable<string>
  /** Told of every damaged or unreadable entry that was asked for; `where` is its path. The answer is a 500. */
  readonly onError?: (error: unknown, where: string) => void
  /** Where small files are kept; give one to several mounts to bound them together. Default: 32 MiB of its own. */
  readonly memory?: MemoryCache
  /** Earlier versions of the app, the newest first: what a route with `cache: "immutable"` lacks is looked up there. */
  readonly earlier?: readonly Pick<Mount, 'immutable'>[]
}

export interface Mount {
  /** Never rejects: what goes wrong is an answer of status 400, 404, 405, 500 … */
  answer(request: MountRequest): Promise<Answer> | Answer
  /** The file that a route with `cache: "immutable"` has for a GET or HEAD; undefined for everything else. */
  immutable(request: MountRequest): Promise<ResponseAnswer> | undefined
  /** The app's error page for an answer that the container itself makes (502, 503, 504 …), else a line of text. */
  error(
    status: number,
    request: Pick<MountRequest, 'method' | 'headers'>,
    headers?: readonly Header[],
  ): Promise<ResponseAnswer>
}

const ALLOW: readonly Header[] = [['Allow', 'GET, HEAD']]

/**
 * An open archive answers requests. What does not depend on the request is done once: routes are compiled and public
 * files put into tables here, their headers and tags made when a file is first asked for.
 *
 * @throws ZappError ENTRY_RUNTIME for a route to an entry that is not in `options.entries`.
 */
export async function createMount(archive: Archive, options: MountOptions = {}): Promise<Mount> {
  return new ArchiveMount(archive, await createRouter(archive, new Set(options.entries)), options)
}

class ArchiveMount implements Mount {
  readonly #route: Router
  readonly #content: Content
  readonly #pages: ErrorPages
  readonly #onError: (error: unknown, where: string) => void
  readonly #earlier: NonNullable<MountOptions['earlier']>

  constructor(archive: Archive, route: Router, options: MountOptions) {
    this.#route = route
    this.#onError = options.onError ?? (() => {})
    this.#earlier = options.earlier ?? []
    this.#content = new Content(archive, options.memory ?? new MemoryCache())
    this.#pages = new ErrorPages(archive, this.#content, this.#onError)
  }

  error(
    status: number,
    request: Pick<MountRequest, 'method' | 'headers'>,
    headers?: readonly Header[],
  ): Promise<ResponseAnswer> {
    return this.#pages.answer(status, request, headers)
  }

  answer(request: MountRequest): Promise<Answer> | Answer {
    const path = judgeRequestPath(request)
    if (typeof path === 'number') return this.error(path, request, path === 405 ? ALLOW : [])
    // Patterns know no empty path: the mount without its slash belongs to whoever has "/".
    const match = this.#route(path.decoded === '' ? '/' : path.decoded)
    if (match === undefined) return this.error(404, request)
    const route = match.value
    switch (route.kind) {
      case 'entry':
        return this.#toEntry(route.entry, route.route, route.route.strip ? match.matched : '', path, request)
      case 'redirect':
        return redirect(route.status, inMount(route.to, request.mount), route.headers)
      case 'static':
        return this.#static(route, match, path, request)
    }
  }

  immutable(request: MountRequest): Promise<ResponseAnswer> | undefined {
    const path = judgeRequestPath(request)
    if (typeof path === 'number' || !path.plain) return undefined
    const match = this.#route(path.decoded)
    if (match?.value.kind !== 'static' || match.value.route.cache !== 'immutable') return undefined
    const hit = match.value.table.get(match.rest)
    return hit?.kind === 'file' ? this.#file(hit, match.value.route, request) : undefined
  }

  #static(
    { route, table, otherwise }: CompiledRoute & { kind: 'static' },
    match: Match<unknown>,
    path: RequestPath,
    request: MountRequest,
  ): Promise<Answer> | Answer {
    const reads = request.method === 'GET' || request.method === 'HEAD'
    const hit = reads && path.plain ? table.get(path.decoded === '' ? '' : match.rest) : undefined
    if (hit?.kind === 'file') return this.#file(hit, route, request)
    if (hit?.kind === 'redirect') {
      return redirect(308, inMount(hit.location, request.mount) + path.query, hit.headers)
    }
    // The entry judges for itself what the table was not asked: an encoded slash may well be one of its ids.
    if (otherwise && 'entry' in otherwise) return this.#toEntry(otherwise.entry, route, '', path, request)
    if (!path.plain) return this.error(400, request, route.headers)
    if (!reads) return this.error(405, request, [...ALLOW, ...route.headers])
    if (otherwise) return this.#file(otherwise.file, route, request)
    return this.#inEarlier(route, request) ?? this.error(404, request, route.headers)
  }

  /** A page that was open before a deploy asks for files of its own version (FORMAT.md §Routing). */
  #inEarlier(route: Route, request: MountRequest): Promise<ResponseAnswer> | undefined {
    if (route.cache !== 'immutable') return undefined
    for (const mount of this.#earlier) {
      const answer = mount.immutable(request)
      if (answer) return answer
    }
    return undefined
  }

  async #file(file: StaticFile, { headers }: Route, request: MountRequest): Promise<ResponseAnswer> {
    try {
      const answer = await serveFile(file, request, this.#content)
      if (answer.kind === 'response') return answer
      return this.error(answer.status, request, [...answer.headers, ...headers])
    } catch (error) {
      this.#onError(error, file.entry.path)
      return this.error(500, request, headers)
    }
  }

  /** @param prefix decoded, what the route's `strip` moves into the script name. */
  #toEntry(
    entry: string,
    route: Route,
    prefix: string,
    path: RequestPath,
    request: MountRequest,
  ): Answer | Promise<Answer> {
    const pathInfo = prefix === '' ? path.raw : skipSegments(path.raw, countSegments(prefix))
    if (isSchemeRelative(pathInfo)) return this.error(400, request)
    const scriptName = inMount(prefix === '' ? '' : encodePath(prefix), request.mount)
    return { kind: 'entry', entry, scriptName, pathInfo, query: path.query, route }
  }
}

/** A path of the app's as URL text, with the mount in front; an address elsewhere (`https://…`) stays as it is. */
function inMount(to: string, mount: string): string {
  if (to !== '' && !to.startsWith('/')) return to
  if (mount === '') return to
  return mount.replace(/[^\x21-\x7e]+/g, encodeURIComponent) + to
}

function redirect(status: number, location: string, headers: readonly Header[]): ResponseAnswer {
  return {
    kind: 'response',
    status,
    headers: [['Location', location], ['Content-Length', '0'], ...headers],
    body: null,
  }
}
