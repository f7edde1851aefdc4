import { STATUS_CODES } from 'node:http'
import type { Archive } from '../archive/archive.ts'
import type { MountRequest, ResponseAnswer } from './answer.ts'
import type { Content } from './content.ts'
import { cacheControl, type Header, NOSNIFF } from './headers.ts'
import { StaticFile } from './static-file.ts'

/** A refusal belongs to this moment: the next deploy may well have the page. */
const CACHE = cacheControl('no-store')

/** Fields of a page that would make the error look like the page itself: it cannot be asked for again or in parts. */
const OF_THE_FILE: ReadonlySet<string> = new Set(['ETag', 'Accept-Ranges'])

/** The manifest's `errors`, for the answers that Zapp itself makes. */
export class ErrorPages {
  readonly #pages = new Map<string, StaticFile>()
  readonly #content: Content
  readonly #onError: (error: unknown, where: string) => void

  constructor(archive: Archive, content: Content, onError: (error: unknown, where: string) => void) {
    this.#content = content
    this.#onError = onError
    for (const [status, path] of archive.manifest.errors) {
      this.#pages.set(status, new StaticFile(archive, archive.entries.get(path)!, { cache: CACHE, headers: [] }))
    }
  }

  /**
   * The page for the status ("404"), else for its class ("4xx"), else a line of text. Always with the semantics of
   * GET (or HEAD), whatever was asked, and without conditions and ranges: it is not the resource that they are about.
   *
   * @param extra fields to add where the page has none of that name
   */
  async answer(
    status: number,
    request: Pick<MountRequest, 'method' | 'headers'>,
    extra: readonly Header[] = [],
  ): Promise<ResponseAnswer> {
    const answer = await this.#answer(status, request)
    // The page describes itself: a route's Content-Type is that of its files.
    const taken = new Set(answer.headers.map(([name]) => name.toLowerCase()))
    return { ...answer, headers: [...answer.headers, ...extra.filter(([name]) => !taken.has(name.toLowerCase()))] }
  }

  async #answer(status: number, request: Pick<MountRequest, 'method' | 'headers'>): Promise<ResponseAnswer> {
    const head = request.method === 'HEAD'
    const page = this.#pages.get(String(status)) ?? this.#pages.get(`${String(status)[0]}xx`)
    if (page !== undefined) {
      const chosen = page.choose(request.headers)
      const headers = chosen.headers.filter(([name]) => !OF_THE_FILE.has(name))
      try {
        return { kind: 'response', status, headers, body: head ? null : await this.#content.open(chosen) }
      } catch (error) {
        this.#onError(error, chosen.entry.path)
      }
    }
    return textAnswer(status, head)
  }
}

function textAnswer(status: number, head: boolean): ResponseAnswer {
  const bytes = Buffer.from(`${status} ${STATUS_CODES[status] ?? 'Error'}\n`)
  const headers: Header[] = [
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Content-Length', String(bytes.length)],
    CACHE,
    NOSNIFF,
  ]
  return { kind: 'response', status, headers, body: head ? null : { length: bytes.length, bytes } }
}
