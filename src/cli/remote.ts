import { createReadStream } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ERRORS, type ErrorCode, type Finding, fail, ZappError } from '../errors.ts'

/** Where a host listens to its administrators, and how to prove being one. */
export interface RemoteTarget {
  /** `http://127.0.0.1:8081/`, `https://…`, or `unix:/run/zapp/admin.sock`. */
  readonly url: string
  readonly token: string
  readonly signal: AbortSignal
}

export interface RemoteCall {
  readonly json?: unknown
  /** An archive, sent as it is read. */
  readonly file?: { readonly path: string; readonly bytes: number }
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly onProgress?: (bytes: number) => void
}

/** The admin API of a host. What it refuses is thrown as the ZappError that it was there. */
export class Remote {
  readonly #target: RemoteTarget

  constructor(target: RemoteTarget) {
    this.#target = target
  }

  /** @throws ZappError ADMIN_UNREACHABLE, ADMIN_ANSWER; what the host refuses with */
  async call<T>(method: string, path: string, call: RemoteCall = {}): Promise<T> {
    const answer = await this.#ask(method, path, call)
    const text = await readAll(answer)
    if (text === '') return undefined as T
    try {
      return JSON.parse(text) as T
    } catch (error) {
      throw fail('ADMIN_ANSWER', '', { url: this.#target.url, got: answer.statusCode ?? 0 }, error)
    }
  }

  /**
   * JSON, a line each, as it comes; ends with the host or the signal.
   * @throws ZappError as {@link call}; ADMIN_UNREACHABLE where the connection breaks
   */
  async *lines<T>(path: string, query: RemoteCall['query']): AsyncGenerator<T> {
    const { url, signal } = this.#target
    const answer = await this.#ask('GET', path, { ...(query && { query }) })
    let rest = ''
    try {
      for await (const chunk of answer.setEncoding('utf8')) {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) if (line !== '') yield JSON.parse(line) as T
      }
    } catch (error) {
      signal.throwIfAborted()
      throw fail(
        'ADMIN_UNREACHABLE',
        '',
        { url, reason: 'the connection broke: the host has ended, or the way to it' },
        error,
      )
    }
  }

  async #ask(method: string, path: string, { json, file, query = {}, onProgress }: RemoteCall) {
    const { url, token, signal } = this.#target
    const text = json === undefined ? undefined : JSON.stringify(json)
    const known = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined)
    const search = new URLSearchParams(known).toString()
    const where = addressOf(url, `${path}${search && `?${search}`}`)
    const request = where.secure ? httpsRequest : httpRequest
    const client = request({
      ...where.options,
      method,
      signal,
      headers: {
        Authorization: `Bearer ${token}`,
        ...(text !== undefined && { 'Content-Type': 'application/json' }),
        ...(file && { 'Content-Type': 'application/vnd.zapp+zip', 'Content-Length': file.bytes }),
      },
    })
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      client.once('response', resolve)
      client.once('error', reject)
    })
    // Who refuses an upload halfway answers, and then closes: the answer counts, not the broken pipe.
    const source = file ? createReadStream(file.path) : Readable.from(text === undefined ? [] : [text])
    let sent = 0
    source.on('data', (chunk: string | Buffer) => {
      sent += chunk.length
      onProgress?.(sent)
    })
    pipeline(source, client).catch(() => {})
    const answer = await answered.catch((error: Error) => {
      signal.throwIfAborted()
      throw fail('ADMIN_UNREACHABLE', '', { url, reason: error.message }, error)
    })
    const status = answer.statusCode ?? 0
    if (status < 300) return answer
    throw refusalOf(await readAll(answer), status, url)
  }
}

function addressOf(url: string, path: string) {
  if (url.startsWith('unix:')) {
    return { secure: false, options: { socketPath: url.slice('unix:'.length), path, host: 'localhost' } }
  }
  const { protocol, hostname, port, pathname } = new URL(url)
  const secure = protocol === 'https:'
  const options = { host: hostname.replace(/^\[|\]$/g, ''), port: port || (secure ? 443 : 80) }
  return { secure, options: { ...options, path: `${pathname.replace(/\/$/, '')}${path}` } }
}

async function readAll(answer: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of answer.setEncoding('utf8')) text += chunk
  return text
}

/** The host's own findings, where it is of a version that knows the same codes. */
function refusalOf(text: string, status: number, url: string): ZappError {
  const findings = findingsOf(text).filter(({ code }) => Object.hasOwn(ERRORS, code))
  if (findings[0]) return new ZappError(findings[0], findings)
  return fail('ADMIN_ANSWER', '', { url, got: status })
}

function findingsOf(text: string): Finding[] {
  try {
    const { error } = JSON.parse(text) as { error: { findings: (Finding & { code: ErrorCode })[] } }
    return error.findings.map(({ code, path, args }) => ({ code, severity: 'error', path, args: args ?? {} }))
  } catch {
    return []
  }
}
