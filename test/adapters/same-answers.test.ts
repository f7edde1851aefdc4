import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { serve } from '../../src/host/serve.ts'
import { pack } from '../../src/pack/pack.ts'
import { loadApp } from '../../src/runtimes/load.ts'
import { type Answer, ask, askFetch } from '../helpers/ask.ts'
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
const first: Answer[] = []
const table = new Map<string, boolean[]>()

describe.each(WAYS)('%s', (name, open) => {
  const passed: boolean[] = []
  let running: Running | undefined
  afterAll(() => running?.close())
  table.set(name, passed)

  it.each(REQUESTS.map((row) => [titleOf(row), row] as const))('%s', async (_, row) => {
    const index = passed.push(false) - 1
    running ??= await open()
    const seen = await asks(running, row)
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

function asks({ port, fetch }: Running, [method, path, , init]: Row): Promise<Answer> {
  const asked = { method, path, ...init }
  return port === 0 ? askFetch(fetch, '/shop', asked) : ask(port, '/shop', asked)
}
