import { createHash } from 'node:crypto'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { serve } from '../../src/host/serve.ts'
import { pack } from '../../src/pack/pack.ts'
import { loadApp } from '../../src/runtimes/load.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { CONTAINERS, type Running } from './containers.ts'

/*
 * One archive, one table of requests, every container: status, the fields that mean something to a client, and the
 * bytes of the body are the same everywhere.
 */

type Row = readonly [method: string, path: string, status: number, init?: { headers?: Headers; body?: string | Buffer }]
type Headers = Record<string, string>

const ASSET = '/assets/shop.9728e115.css'
const gzip = { 'Accept-Encoding': 'gzip' }
const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
const json = { 'Content-Type': 'application/json' }
const multipart = { 'Content-Type': 'multipart/form-data; boundary=x' }
const photo = (bytes: string) =>
  Buffer.from(`--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n${bytes}\r\n--x--\r\n`, 'latin1')

const REQUESTS: readonly Row[] = [
  ['GET', '', 301],
  ['GET', '/', 200],
  ['HEAD', '/', 200],
  ['GET', '/?q=blue&page=2', 200],
  ['GET', '/?q=%C3%A4%26%zz', 200],
  ['GET', '/?q[a]=lamp', 200],
  ['GET', '/products/mug', 200],
  ['GET', '/products/%6Dug', 200],
  ['GET', '/products/none', 404],
  ['GET', '/products/a%2Fb', 404],
  ['GET', '/cart', 200, { headers: { Cookie: 'a=b; cart=mug.2-lamp.1' } }],
  ['POST', '/cart/mug', 303, { headers: form, body: 'quantity=2' }],
  ['POST', '/cart/lamp', 200, { headers: json, body: '{"quantity":3}' }],
  ['POST', '/cart/lamp', 400, { headers: json, body: '{"quantity":' }],
  ['POST', '/cart/lamp', 413, { headers: json, body: `{"a":"${'x'.repeat(200_000)}"}` }],
  ['POST', '/cart/none', 404],
  ['POST', '/order', 303],
  ['POST', '/order', 200, { headers: { Cookie: 'cart=mug.2' } }],
  ['POST', '/photos', 303, { headers: multipart, body: photo('\x89PNG\r\n\x1a\n') }],
  ['POST', '/photos', 303, { headers: multipart, body: photo(`\xff\xd8\xff${'y'.repeat(3_000_000)}`) }],
  ['POST', '/photos', 415, { headers: multipart, body: photo('plain text') }],
  ['POST', '/photos', 400, { headers: multipart, body: '--x--\r\n' }],
  ['POST', '/photos', 415, { headers: { 'Content-Type': 'text/plain' }, body: 'no form' }],
  ['GET', '/api/products', 200],
  ['GET', '/api/products', 200, { headers: gzip }],
  ['GET', '/api/products', 304, { headers: { 'If-None-Match': '*' } }],
  ['OPTIONS', '/api/products', 404],
  ['PUT', '/api/products', 404, { headers: json, body: '{}' }],
  ['DELETE', '/api/products/mug', 404],
  ['PROPFIND', '/api/products', 404],
  ['GET', '/healthz', 200],
  ['GET', '/none', 404],
  ['GET', '/a//b;c=d/%20e', 404],
  ['GET', ASSET, 200],
  ['GET', ASSET, 200, { headers: gzip }],
  ['HEAD', ASSET, 200, { headers: gzip }],
  ['GET', ASSET, 206, { headers: { Range: 'bytes=10-19' } }],
  ['GET', ASSET, 416, { headers: { Range: 'bytes=9999999-' } }],
  ['GET', ASSET, 304, { headers: { 'If-None-Match': '*' } }],
  ['POST', ASSET, 405, { headers: form, body: 'a=b' }],
  ['GET', '/assets/none.css', 404],
  ['GET', '/assets', 404],
]

const FIELDS = [
  'accept-ranges',
  'allow',
  'cache-control',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'etag',
  'location',
  'set-cookie',
  'vary',
]

interface Seen {
  readonly status: number
  readonly fields: Headers
  readonly body: string
}

const dir = await tmpDir()
const options = { cache: join(dir, 'cache'), data: join(dir, 'data', 'shop') }
const { file } = await pack(join(import.meta.dirname, '../../fixtures/apps/shop'), { out: join(dir, 'shop.zapp') })

type Ways = readonly (readonly [name: string, open: () => Promise<Running>])[]
const WAYS: Ways = [
  ['zapp serve', openServe],
  ...CONTAINERS.map(({ name, mount, start }) => {
    const open = async () => {
      const app = await loadApp(file, { mount, ...options })
      const running = await start(app)
      const close = async () => {
        await running.close()
        await app.close({ graceMs: 0 })
      }
      return { ...running, close }
    }
    return [name, open] as const
  }),
]

async function openServe(): Promise<Running> {
  const { cache } = options
  const host = await serve({ apps: [{ path: file, mount: '/shop' }], port: 0, cache, data: join(dir, 'data') })
  return { port: host.address.port, fetch, close: () => host.close({ drainMs: 0 }) }
}

/** What the first way saw, by request: the others must see it too. */
const first: Seen[] = []
const table = new Map<string, boolean[]>()

describe.each(WAYS)('%s', (name, open) => {
  const passed: boolean[] = []
  let running: Running | undefined
  afterAll(() => running?.close())
  table.set(name, passed)

  it.each(REQUESTS.map((row) => [titleOf(row), row] as const))('%s', async (_, row) => {
    const index = passed.push(false) - 1
    running ??= await open()
    const seen = await ask(running, row)
    first[index] ??= seen
    expect(seen).toEqual(first[index])
    expect(seen.status).toBe(row[2])
    passed[index] = true
  })
})

afterAll(() => {
  const names = [...table.keys()]
  const lines = REQUESTS.map((row, i) => {
    const marks = names.map((name) => (table.get(name)![i] ? ' yes' : '  NO'))
    return `${marks.join('')}  ${titleOf(row)}`
  })
  const head = names.map((name, i) => `${String(i + 1).padStart(4)}  ${name}`)
  const total = `${names.length} containers × ${REQUESTS.length} requests`
  console.log([...head, names.map((_, i) => String(i + 1).padStart(4)).join(''), ...lines, total].join('\n'))
})

function titleOf([method, path, status, { headers = {}, body } = {}]: Row): string {
  const fields = Object.entries(headers).map(([name, value]) => `, ${name}: ${value}`)
  const length = body === undefined ? '' : `, ${Buffer.byteLength(body)} bytes`
  return `${method} /shop${path}${fields.join('')}${length} → ${status}`
}

async function ask({ port, fetch }: Running, [method, path, , init = {}]: Row): Promise<Seen> {
  // The fields that fetch() would add by itself are said, so that every container is asked the same.
  const headers = { Host: 'shop.example', 'Accept-Encoding': 'identity', ...init.headers }
  if (port !== 0) return askSocket(port, method, `/shop${path}`, headers, init.body)
  const length = init.body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(init.body)) }
  const answer = await fetch(`/shop${path}`, { method, headers: { ...headers, ...length }, ...bodyOf(init.body) })
  const fields = [...answer.headers.keys()].map((name) => [name, answer.headers.get(name) ?? undefined])
  return look(answer.status, Object.fromEntries(fields), Buffer.from(await answer.arrayBuffer()))
}

function askSocket(port: number, method: string, path: string, headers: Headers, body?: string | Buffer) {
  return new Promise<Seen>((resolve, reject) => {
    const req = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, async (res) => {
      const chunks: Buffer[] = []
      for await (const chunk of res) chunks.push(chunk)
      resolve(look(res.statusCode ?? 0, res.headers, Buffer.concat(chunks)))
    })
    req.on('error', reject).end(body)
  })
}

function look(status: number, headers: IncomingHttpHeaders, body: Buffer): Seen {
  const fields = FIELDS.flatMap((name) => (headers[name] === undefined ? [] : [[name, String(headers[name])]]))
  return { status, fields: Object.fromEntries(fields), body: createHash('sha256').update(body).digest('hex') }
}

const bodyOf = (body: string | Buffer | undefined) =>
  body === undefined ? {} : { body: new Uint8Array(Buffer.from(body)) }
