import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import { createMount, type Mount } from '../../src/mount/mount.ts'
import { makeArchive } from './helpers/make-archive.ts'
import { REQUEST_SITES, TREE } from './helpers/request-sites.ts'
import { sendLine, sendRaw, serveMount } from './helpers/server.ts'

/* The attacks of SECURITY: paths, as bytes on a connection: what node:http makes of them reaches the mount. */

interface Row {
  readonly name: string
  readonly request: { method: string; rawTarget: string | null; headers: Record<string, string>; mount?: string }
  readonly answer: {
    status?: number
    entry?: string
    scriptName?: string
    pathInfo?: string
    query?: string
    file?: string
  }
}

const FOLDER = join(import.meta.dirname, '../../fixtures/requests')
const rowsOf = (name: string): Row[] => JSON.parse(readFileSync(join(FOLDER, name), 'utf8')).rows
let sites: Record<'site' | 'app', Mount>
beforeAll(async () => {
  const mountOf = async (name: 'site' | 'app') => {
    const archive = await openArchive(makeArchive(REQUEST_SITES[name], TREE))
    return createMount(archive, { entries: archive.manifest.entries.keys() })
  }
  sites = { site: await mountOf('site'), app: await mountOf('app') }
})

describe.each([
  ['site', 'paths-static.json'],
  ['app', 'paths-entry.json'],
] as const)('%s, %s', (site, file) => {
  // HTTP/1.1 demands a Host, and CONNECT is not a request for node:http.
  const rows = rowsOf(file).filter(({ name, request }) => {
    return request.rawTarget !== null && request.method !== 'CONNECT' && name !== 'P11 without a Host'
  })
  test.each(rows)('$name', async ({ request, answer }) => {
    const { port } = await serveMount(sites[site], request.mount ?? '')
    const host = request.headers.host ?? 'shop.example'
    const { status, body } = await sendLine(port, `${request.method} ${request.rawTarget}`, { Host: host })
    if (answer.entry !== undefined) {
      const { entry, scriptName, pathInfo, query } = answer
      expect(body.toString()).toBe(`${entry} ${scriptName}|${pathInfo}|${query}`)
      return
    }
    expect(status).toBe(answer.status)
  })
})

test('bytes that are no URI never reach a file', async () => {
  const { port } = await serveMount(sites.site)
  for (const target of [
    '/ten.txt\x01',
    '/ten.txt\x7f',
    '/caf\xc3\xa9.txt',
    '/caf\xe9.txt',
    '/\xc0\xae\xc0\xae/zapp.json',
    '/a b',
  ]) {
    const { status } = await sendRaw(port, `GET ${target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n`)
    expect([target, status]).toEqual([target, 400])
  }
})

test('CONNECT ends without an answer from a file', async () => {
  const { port } = await serveMount(sites.site)
  const { body } = await sendLine(port, 'CONNECT shop.example:443')
  expect(body).toHaveLength(0)
})

test('requests on one connection are judged one by one', async () => {
  const { port } = await serveMount(sites.site)
  const line = (target: string, more = '') => `GET ${target} HTTP/1.1\r\nHost: shop.example\r\n${more}\r\n`
  const text =
    line('/ten.txt') +
    line('/../zapp.json') +
    line('/docs') +
    line('/zapp.json') +
    line('/ten.txt', 'Connection: close\r\n')
  const { body } = await sendRaw(port, text)
  // The helper cuts the first head off; the others are in the body.
  expect([...body.toString('latin1').matchAll(/HTTP\/1\.1 ([0-9]+)/g)].map(([, status]) => status)).toEqual([
    '400',
    '308',
    '404',
    '200',
  ])
})

test('the body of a refused upload is not taken for the next request', async () => {
  const { port } = await serveMount(sites.site)
  const smuggled = 'GET /logo.png HTTP/1.1\r\nHost: shop.example\r\n\r\n'
  const text =
    `PUT /ten.txt HTTP/1.1\r\nHost: shop.example\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}` +
    'GET /ten.txt HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n'
  const { status, body } = await sendRaw(port, text)
  expect(status).toBe(405)
  expect([...body.toString('latin1').matchAll(/HTTP\/1\.1 ([0-9]+)/g)].map(([, s]) => s)).toEqual(['200'])
  expect(body.toString('latin1')).toMatch(/0123456789$/)
})
