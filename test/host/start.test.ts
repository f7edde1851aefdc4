import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { pack } from '../../src/pack/pack.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { type Served, start } from './helper.ts'

const APPS = join(import.meta.dirname, '../../fixtures/apps')
const names = ['hello', 'notes', 'shop', 'site', 'tools']
let packed = ''

beforeAll(async () => {
  packed = await tmpDir()
  for (const name of names) await pack(join(APPS, name), { out: join(packed, `${name}.zapp`) })
})

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

/** Follows every link and picture from a page on; gives the addresses, each of which was answered 200 or 304. */
async function crawl({ host, get }: Served, from: string): Promise<string[]> {
  const seen = new Set([from])
  for (const path of seen) {
    const response = await get(path)
    expect([path, response.status]).toEqual([path, 200])
    if (!response.headers.get('content-type')?.startsWith('text/html')) continue
    for (const [, link] of (await response.text()).matchAll(/(?:href|src)="([^"#]+)"/g)) {
      const url = new URL(link?.replaceAll('&amp;', '&') ?? '', new URL(path, host.address.url))
      // Nothing is asked of any other host.
      expect(url.protocol === 'data:' || url.origin === new URL(host.address.url).origin).toBe(true)
      if (url.protocol !== 'data:') seen.add(url.pathname + url.search)
    }
  }
  return [...seen]
}

const form = (fields: Record<string, string>) => ({ method: 'POST', body: new URLSearchParams(fields) })

async function buyAndShow(served: Served, mount: string): Promise<void> {
  const { get } = served
  const found = await crawl(served, `${mount}/`)
  expect(found.filter((path) => path.startsWith(`${mount}/products/`))).toHaveLength(9)
  expect(found.filter((path) => /\/assets\/[a-z]+\.[0-9a-f]{8}\.(svg|css)$/.test(path))).toHaveLength(10)
  expect(found.every((path) => path.startsWith(`${mount}/`))).toBe(true)

  const added = await get(`${mount}/cart/mug`, form({ quantity: '2' }))
  expect([added.status, added.headers.get('location')]).toEqual([303, `${mount}/cart`])
  const cookie = added.headers.get('set-cookie') ?? ''
  expect(cookie).toContain(`Path=${mount || '/'};`)
  const cart = await (await get(`${mount}/cart`, { headers: { cookie: cookie.split(';')[0] ?? '' } })).text()
  expect(cart).toContain('€28.00')
  expect(cart).toContain(`action="${mount}/order"`)

  const json = { 'content-type': 'application/json' }
  const api = await get(`${mount}/cart/lamp`, { method: 'POST', body: '{"quantity":3}', headers: json })
  expect(await api.json()).toEqual({ items: 3 })
  expect(await (await get(`${mount}/api/products/mug`)).json()).toMatchObject({ id: 'mug', cents: 1400 })

  const photo = new FormData()
  photo.set('photo', new Blob([PNG]), 'me.png')
  expect((await get(`${mount}/photos`, { method: 'POST', body: photo })).headers.get('location')).toBe(
    `${mount}/photos`,
  )
  const [, source = ''] =
    /<img src="([^"]*\/photos\/[^"]+\.png)"/.exec(await (await get(`${mount}/photos`)).text()) ?? []
  expect(Buffer.from(await (await get(source)).arrayBuffer())).toEqual(PNG)

  expect((await get(`${mount}/healthz`)).status).toBe(200)
  for (const path of ['/app.js', '/zapp.json', '/package.json', '/uploads/', '/assets/none.css', '/products/none']) {
    expect([path, (await get(mount + path)).status]).toEqual([path, 404])
  }
}

describe('the example apps, packed', () => {
  it('all beside each other: the shop under /shop', async () => {
    const served = await start(packed)
    expect(served.host.apps.map(({ mount, state }) => [mount, state])).toEqual(
      names.map((name) => [`/${name}`, 'live']),
    )
    await buyAndShow(served, '/shop')

    const hello = await (await served.get('/hello?name=%3Cb%3EAda')).text()
    expect(hello).toContain('Hello, &#60;b&#62;Ada')

    const kept = await served.get('/notes/notes', form({ text: 'Buy <milk>', author: 'Me' }))
    expect([kept.status, kept.headers.get('location')]).toEqual([303, '/notes/'])
    expect(kept.headers.get('set-cookie')).toContain('path=/notes/')
    const page = await (await served.get('/notes')).text()
    expect(page).toContain('Buy &lt;milk&gt;')
    expect(page).toContain('action="/notes/notes"')
    await served.get('/notes/remove', form({ id: /name="id" value="([^"]+)"/.exec(page)?.[1] ?? '' }))
    expect(await served.text('/notes/')).toContain('Nothing noted yet')

    expect(await crawl(served, '/site/')).toHaveLength(5)
    expect((await served.get('/site/caching')).headers.get('location')).toBe('/site/caching/')
    expect((await served.get('/site/cache/x')).headers.get('location')).toBe('/site/caching/')
    const missing = await served.get('/site/none')
    expect([missing.status, await missing.text()]).toEqual([404, expect.stringContaining('No page has this address')])

    const found = await crawl(served, '/tools/')
    expect(found).toContain('/tools/cgi-bin/environment/any/path?a=query')
    expect(await served.text('/tools/cgi-bin/environment/x')).toContain('<th>PATH_INFO</th><td>/x</td>')
    const signed = await served.get('/tools/cgi-bin/guests', form({ name: 'José', text: 'a <b> & "c"' }))
    expect([signed.status, signed.headers.get('location')]).toEqual([303, '/tools/cgi-bin/guests'])
    expect(await served.text('/tools/cgi-bin/guests')).toContain('<p>a &lt;b&gt; &amp; "c"</p><cite>José</cite>')
    const sent = await served.get('/tools/cgi-bin/upload', { method: 'POST', body: 'x'.repeat(3_000_000) })
    expect(await sent.json()).toEqual({ bytes: 3_000_000, cksum: expect.any(Number) })

    const landing = await served.text('/')
    for (const name of names) expect(landing).toContain(`href="/${name}/"`)
  })

  it('the shop alone, under /', async () => {
    await buyAndShow(await start(join(packed, 'shop.zapp')), '')
  })
})

describe('what is committed of them', () => {
  const assets = (app: string) => join(APPS, app)

  it('hashed names are the hash of the content', () => {
    for (const folder of [assets('shop/public/assets'), assets('site/pages/assets')]) {
      const hashed = readdirSync(folder).filter((name) => /\.(css|svg)$/.test(name))
      expect(hashed.length).toBeGreaterThan(0)
      for (const name of hashed) {
        const hash = createHash('sha256')
          .update(readFileSync(join(folder, name)))
          .digest('hex')
        expect([name, name.split('.')[1]]).toEqual([name, hash.slice(0, 8)])
      }
    }
  })

  it('brotli siblings hold what they stand beside', () => {
    const folder = assets('site/pages/assets')
    const [name = ''] = readdirSync(folder).filter((file) => file.endsWith('.br'))
    expect(brotliDecompressSync(readFileSync(join(folder, name)))).toEqual(
      readFileSync(join(folder, name.slice(0, -3))),
    )
  })
})
