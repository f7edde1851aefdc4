import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { listen } from './load.ts'

export interface Hit {
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly status: number
  /** Of the body. */
  readonly bytes: number
}

export interface FileServer {
  readonly url: string
  /** In order; a test may empty it. */
  readonly hits: Hit[]
  /** What is served: may be exchanged between requests. */
  file: { bytes: Buffer; headers?: Record<string, string> }
  /** Answers instead of the server, by returning true. */
  before: (req: IncomingMessage, res: ServerResponse, index: number) => boolean
}

/** Serves one file by ranges at every path, and counts what it sends; until the test ends. */
export async function serveFile(bytes: Buffer): Promise<FileServer> {
  const hits: Hit[] = []
  const server = createServer((req, res) => {
    const index = hits.length
    const hit = { url: req.url ?? '', headers: req.headers, status: 0, bytes: 0 }
    hits.push(hit)
    if (served.before(req, res, index)) return
    const { bytes, headers = { ETag: '"1"' } } = served.file
    const match = /^bytes=(\d*)-(\d*)$/.exec(req.headers.range ?? '')
    const changed = req.headers['if-match'] !== undefined && req.headers['if-match'] !== headers.ETag
    if (changed) {
      hit.status = 412
      res.writeHead(412).end()
      return
    }
    if (match && bytes.length === 0) {
      res.writeHead(416, { 'Content-Range': 'bytes */0' }).end()
      return
    }
    const start = match?.[1] ? Number(match[1]) : Math.max(0, bytes.length - Number(match?.[2]))
    const end = match?.[1] ? Number(match[2]) + 1 : bytes.length
    const part = match ? bytes.subarray(start, end) : bytes
    Object.assign(hit, { status: match ? 206 : 200, bytes: part.length })
    res.writeHead(hit.status, {
      ...headers,
      'Content-Length': part.length,
      ...(match ? { 'Content-Range': `bytes ${start}-${end - 1}/${bytes.length}` } : {}),
    })
    res.end(part)
  })
  const served: FileServer = { url: '', hits, file: { bytes }, before: () => false }
  return Object.assign(served, { url: `${await listen(server)}/shop.zapp` })
}
