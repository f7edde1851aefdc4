import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import { createMount } from '../../src/mount/mount.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { contentOf, makeArchive } from '../mount/helpers/make-archive.ts'
import { REQUEST_SITES, TREE } from '../mount/helpers/request-sites.ts'
import { type RawResponse, sendLine, serveMount } from '../mount/helpers/server.ts'
import { needPrograms } from './helpers/apt.ts'
import { startNginx } from './helpers/nginx.ts'
import { compare, type Difference } from './helpers/nginx-compare.ts'
import { DIFFERENCES, REQUESTS } from './helpers/nginx-table.ts'

/* The same tree, the same requests as bytes, nginx and Zapp: every difference is in helpers/nginx-table.ts, and is meant. */

const CONFIG = (root: string) => `
  root ${root}/public; index index.html index.htm; charset utf-8; charset_types text/css application/javascript text/plain;
  etag on; gzip on; gzip_static on; gzip_vary on; gzip_min_length 20; gzip_types text/css application/javascript text/plain;
  absolute_redirect off;
  error_page 404 /errors/404.html;
  location = /errors/404.html { internal; root ${root}; }
  location /assets/ { add_header Cache-Control "public, max-age=31536000, immutable"; }
  location /hour/ { alias ${root}/public/; add_header Cache-Control "public, max-age=3600"; add_header X-Frame-Options DENY; add_header Vary Origin; }
  location /spa/ { root ${root}; add_header Cache-Control "public, max-age=31536000, immutable"; try_files $uri /spa/index.html; }
  location = /old { return 308 /docs/; }
  location = /away { return 302 https://other.example/x?y; }
  location = /hello { alias ${root}/public/ten.txt; default_type "text/plain"; }
`

let nginx: { port: number; stop(): Promise<void> }
let folder: string

await needPrograms({ nginx: 'nginx-light' })

beforeAll(async () => {
  folder = await tmpDir()
  for (const [path, spec] of Object.entries(TREE)) {
    const file = join(folder, 'tree', path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, contentOf(spec))
  }
  nginx = await startNginx(folder, CONFIG(join(folder, 'tree')))
})
afterAll(() => nginx?.stop())

test(`${REQUESTS.length} requests: nothing differs but what is meant to`, async () => {
  expect(REQUESTS.length).toBeGreaterThanOrEqual(60)
  const archive = await openArchive(makeArchive(REQUEST_SITES.site, TREE))
  const { port } = await serveMount(await createMount(archive))
  const found = new Map<string, Difference & { requests: number }>()
  for (const [line, headers = {}] of REQUESTS) {
    const [theirs, ours] = await Promise.all([ask(nginx.port, line, headers), ask(port, line, headers)])
    const at = [line, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)].join(' | ')
    for (const difference of compare(at, theirs, ours)) {
      const key = keyOf(difference)
      found.set(key, { ...difference, requests: (found.get(key)?.requests ?? 0) + 1 })
    }
  }
  const why = new Map(DIFFERENCES.map((row) => [keyOf(row), row.why]))
  console.table([...found].map(([key, row]) => ({ ...row, why: why.get(key) ?? 'NOT MEANT' })))
  const meant = DIFFERENCES.map((row) => `${keyOf(row)} × ${row.requests ?? 1}`)
  expect([...found.values()].map((row) => `${keyOf(row)} × ${row.requests}`).sort()).toEqual(meant.sort())
  await archive.close()
})

function keyOf({ field, nginx, zapp, at }: Difference): string {
  return [field, nginx, zapp, at ?? ''].join(' → ')
}

async function ask(port: number, line: string, headers: Record<string, string>): Promise<RawResponse> {
  if (!Object.values(headers).some((value) => value.includes('{etag}'))) return sendLine(port, line, headers)
  const { 'Accept-Encoding': coding } = headers
  const plain = await sendLine(port, line, coding === undefined ? {} : { 'Accept-Encoding': coding })
  const etag = plain.headers.get('etag') ?? ''
  const filled = Object.entries(headers).map(([name, value]) => [name, value.replace('{etag}', etag)])
  return sendLine(port, line, Object.fromEntries(filled))
}
