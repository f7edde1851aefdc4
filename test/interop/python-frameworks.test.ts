import { afterAll, describe, expect, test } from 'vitest'
import { needApache } from './helpers/apache.ts'
import { needPrograms } from './helpers/apt.ts'
import { Browser } from './helpers/browser.ts'
import { ADMIN, packFramework, prepared } from './helpers/framework-apps.ts'
import { PACKAGES, type Prepare, pythonServers, type Running } from './helpers/python-servers.ts'
import { DEBIAN_PYTHON, venv } from './helpers/venv.ts'

/*
 * Unmodified apps of Python's frameworks keep their powers, at the root and under a mount: sessions, forms, redirects,
 * absolute URLs, uploads, downloads, static files, and Django's own pages for administrators.
 */

await needApache()
await needPrograms({ gunicorn: 'gunicorn', uwsgi: 'uwsgi-core', nginx: 'nginx-light' })
await needPrograms({ '/usr/lib/python3/dist-packages/django': 'python3-django' })
const python = await venv(...PACKAGES)
const servers = await pythonServers(python)
const rows: string[] = []
afterAll(() => console.log(rows.join('\n')))

const DJANGO = ['zapp serve, Python', 'gunicorn gthread', 'uWSGI 2.0.21', 'mod_wsgi 4 daemon']

async function running(server: string, archive: string, mount: string, prepare: Prepare, work: Work): Promise<void> {
  const started = await servers.find(({ name }) => name === server)!.start(archive, mount, prepare)
  try {
    await work(new Browser(started.port), mount, started)
    rows.push(`${expect.getState().currentTestName}: yes`)
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${started.log().slice(-3000)}`, {
      cause: error,
    })
  } finally {
    await started.stop()
  }
}

type Work = (browser: Browser, mount: string, running: Running) => Promise<void>

const both = (names: readonly string[]) => names.flatMap((name) => ['', '/shop'].map((mount) => [name, mount] as const))

describe('Django 5', async () => {
  const tool = await venv('django>=5,<6')
  const archive = await packFramework('django', 'django>=5,<6', tool)
  const prepare = prepared(archive, DEBIAN_PYTHON, true)
  test.each(both(DJANGO))('in %s at "%s"', (server, mount) => running(server, archive, mount, prepare, useDjango))
})

describe("Django 3.2, Debian's", async () => {
  const archive = await packFramework('django', '', DEBIAN_PYTHON)
  const prepare = prepared(archive, DEBIAN_PYTHON, true)
  const list = ['gunicorn 20 gthread', 'mod_wsgi 4 embedded']
  test.each(list)('in %s at "/shop"', (server) => running(server, archive, '/shop', prepare, useDjango))
})

describe('Flask 3', async () => {
  const archive = await packFramework('flask', 'flask>=3,<4', python)
  const prepare = prepared(archive, DEBIAN_PYTHON, false)
  test.each(both(DJANGO))('in %s at "%s"', (server, mount) => running(server, archive, mount, prepare, useFlask))
})

test('Bottle in gunicorn', async () => {
  const archive = await packFramework('bottle', 'bottle', python)
  await running(
    'gunicorn 20 sync',
    archive,
    '/shop',
    async () => [],
    async (browser, mount) => {
      expect((await browser.post(`${mount}/add`, { step: '3' })).headers.get('location')).toMatch(/\/shop\/$/)
      expect(await text(browser.get(`${mount}/`))).toBe(`<p>3 ${mount}/add</p>`)
      expect((await browser.get(`${mount}/source`)).headers.get('content-disposition')).toContain('app.py')
    },
  )
})

test('FastAPI in uvicorn', async () => {
  const archive = await packFramework('fastapi', 'fastapi\npython-multipart', python)
  await running(
    'uvicorn',
    archive,
    '/shop',
    async () => [],
    async (browser, mount, { port }) => {
      const url = `http://127.0.0.1:${port}${mount}`
      expect(await (await browser.get(`${mount}/`)).json()).toEqual({
        started: true,
        url: `${url}/upload`,
        root: mount,
      })
      const file = new Blob(['x'.repeat(300_000)])
      expect(await (await browser.post(`${mount}/upload`, { file })).json()).toEqual({ name: 'blob', size: 300_000 })
      const away = await browser.get(`${mount}/away`)
      expect([away.status, away.headers.get('location')]).toEqual([303, `${url}/`])
      expect((await text(browser.get(`${mount}/stream`))).split('\n').length).toBe(1001)
      expect(await text(browser.get(`${mount}/docs`))).toContain(`url: '${mount}/openapi.json'`)
    },
  )
})

async function useDjango(browser: Browser, mount: string, { port }: Running): Promise<void> {
  await useForms(browser, mount, port, 'csrfmiddlewaretoken')
  // What is not for everybody leads to the login, and back.
  const login = `${mount}/admin/login/?next=${mount}/private`
  expect((await browser.get(`${mount}/private`)).headers.get('location')).toBe(login)
  const page = await text(browser.get(login))
  expect((await browser.post(login, { ...ADMIN })).status).toBe(403)
  const csrfmiddlewaretoken = Browser.field(page, 'csrfmiddlewaretoken')
  const entered = await browser.post(login, { ...ADMIN, csrfmiddlewaretoken, next: `${mount}/private` })
  expect([entered.status, entered.headers.get('location')]).toEqual([302, `${mount}/private`])
  expect(await text(browser.get(`${mount}/private`))).toBe(`Hello ${ADMIN.username}`)
  // The pages for administrators, with all that they load.
  const admin = await text(browser.get(`${mount}/admin/notes/note/add/`))
  const assets = browser.assets(admin, `${mount}/admin/notes/note/add/`)
  expect(assets.length).toBeGreaterThan(5)
  for (const asset of assets) {
    expect(asset.startsWith(`${mount}/static/admin/`)).toBe(true)
    expect([asset, (await browser.get(asset)).status]).toEqual([asset, 200])
  }
  const token = Browser.field(admin, 'csrfmiddlewaretoken')
  const added = await browser.post(`${mount}/admin/notes/note/add/`, { text: 'by hand', csrfmiddlewaretoken: token })
  expect([added.status, added.headers.get('location')]).toEqual([302, `${mount}/admin/notes/note/`])
  expect(await text(browser.get(`${mount}/`))).toContain('by hand')
}

function useFlask(browser: Browser, mount: string, { port }: Running): Promise<void> {
  return useForms(browser, mount, port, 'token')
}

/** A page with a form that takes a file: what both apps have. */
async function useForms(browser: Browser, mount: string, port: number, tokenName: string): Promise<void> {
  const here = `http://127.0.0.1:${port}${mount}/`
  const first = await text(browser.get(`${mount}/`))
  expect(first).toContain(`Visits: 1. Here: ${here}`)
  for (const asset of browser.assets(first, `${mount}/`)) {
    expect(await text(browser.get(asset))).toContain('color: teal')
  }
  expect(browser.assets(first, `${mount}/`)).toHaveLength(1)
  expect((await browser.post(`${mount}/add`, { text: 'note.bin' })).status).toBe(403)
  const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 31) % 251))
  const file = new Blob([content])
  const added = await browser.post(`${mount}/add`, {
    text: 'note.bin',
    file,
    [tokenName]: Browser.field(first, tokenName),
  })
  expect([added.status, added.headers.get('location')]).toEqual([302, `${mount}/`])
  const second = await text(browser.get(`${mount}/`))
  expect(second).toContain('Visits: 2.')
  const link = /<a href="(?<link>[^"]+)">file/.exec(second)?.groups?.link ?? ''
  expect(link.startsWith(`${mount}/file/`)).toBe(true)
  const download = await browser.get(link)
  expect(download.headers.get('content-disposition')).toMatch(/^attachment/)
  expect(Buffer.from(await download.arrayBuffer()).equals(content)).toBe(true)
  expect((await browser.get(`${mount}/none`)).status).toBe(404)
}

async function text(answer: Promise<Response>): Promise<string> {
  const response = await answer
  const body = await response.text()
  if (response.status !== 200) throw new Error(`${response.url}: ${response.status} ${body.slice(0, 1000)}`)
  return body
}
