import type { IncomingMessage, ServerResponse } from 'node:http'
import { asZappError, type Finding, fail, type ZappError } from '../../errors.ts'
import { describeForShell } from '../describe-for-shell.ts'

/** One request to the admin listener, its target taken apart. */
export interface Call {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly query: URLSearchParams
  /** What stands for the `{…}` of the operation's path, decoded. */
  readonly params: Readonly<Record<string, string>>
  /** Aborted when the client is gone or the listener closes. */
  readonly signal: AbortSignal
}

/** A JSON body is the name of something: more is a mistake. */
const MAX_JSON = 64 * 1024

export function sendJson(res: ServerResponse, status: number, value: unknown): void {
  sendText(res, status, 'application/json', `${JSON.stringify(value)}\n`)
}

export function sendText(res: ServerResponse, status: number, type: string, text: string): void {
  res.writeHead(status, { 'Content-Type': `${type}; charset=utf-8`, 'Content-Length': Buffer.byteLength(text) })
  res.end(res.req.method === 'HEAD' ? undefined : text)
}

/** A line of JSON for each value, as they come; waits while the client does not take them. */
export async function sendLines(res: ServerResponse, values: AsyncIterable<unknown>): Promise<void> {
  res.writeHead(200, { 'Content-Type': 'application/x-ndjson; charset=utf-8' })
  res.flushHeaders()
  for await (const value of values) {
    if (res.destroyed) return
    if (!res.write(`${JSON.stringify(value)}\n`)) await new Promise((go) => res.once('drain', go).once('close', go))
  }
  res.end()
}

/** The first finding, and all of them. An upload that is refused halfway is not read to its end: the connection closes. */
export function sendError({ req, res }: Pick<Call, 'req' | 'res'>, thrown: unknown): void {
  if (res.headersSent) return void res.destroy()
  const error = asZappError(thrown)
  if (!req.complete) res.setHeader('Connection', 'close')
  sendJson(res, error.status, { error: { ...errorView(error), findings: error.findings.map(findingView) } })
}

export function errorView(error: ZappError) {
  const { code, message } = error
  return { code, message, fix: describeForShell(error).fix }
}

export function findingView(found: Finding) {
  const { code, severity, path, line, column, args } = found
  return { code, severity, path, ...(line && { line }), ...(column && { column }), args, ...describeForShell(found) }
}

/** @throws ZappError ADMIN_REQUEST */
export async function readJson(req: IncomingMessage): Promise<Record<string, unknown>> {
  let text = ''
  for await (const chunk of req.setEncoding('utf8')) {
    text += chunk
    if (text.length > MAX_JSON) throw badRequest('the body must be at most 64 KiB of JSON')
  }
  if (text === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // Said below.
  }
  throw badRequest('the body must be a JSON object')
}

export function badRequest(problem: string): ZappError {
  return fail('ADMIN_REQUEST', '', { problem })
}
