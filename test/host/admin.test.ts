import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { afterEach, describe, expect, test } from 'vitest'
import { SCHEMAS } from '../../src/host/admin/schemas.ts'
import { adminToken, hasToken } from '../../src/host/admin/token.ts'
import { startAdminHost } from '../helpers/admin-host.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { entry, says } from './helper.ts'
import { misfits } from './schema.ts'

const { dir, host, url, tokenFile } = await startAdminHost()
const token = (await readFile(tokenFile, 'utf8')).trim()
afterEach(async () => {
  for (const { id } of host.apps) await host.undeploy(id)
})

const get = (path: string) => fetch(new URL(path, host.address.url), { redirect: 'manual' })
const text = async (path: string) => (await get(path)).text()

function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { Authorization: `Bearer ${token}`, ...init.headers }
  return fetch(new URL(path, url), { redirect: 'manual', ...init, headers })
}

/** What the API answers: the shapes are the schemas', which a test below holds. */
// biome-ignore lint/suspicious/noExplicitAny: tests reach into it by name, and fail where there is nothing
type Json = any

async function bodyOf(answer: Response): Promise<Json> {
  return answer.json()
}

async function json(path: string, init?: RequestInit): Promise<Json> {
  return bodyOf(await ask(path, init))
}

async function archiveOf(version: string, text = version, manifest: object = {}): Promise<Buffer<ArrayBuffer>> {
  return readFile(await makeArchive(dir, { name: 'shop', version, ...entry, ...manifest }, says(text))) as Promise<
    Buffer<ArrayBuffer>
  >
}

async function deploy(version: string, text?: string, manifest?: object): Promise<Response> {
  return ask('api/apps', { method: 'POST', body: await archiveOf(version, text, manifest) })
}

describe('who may ask', () => {
  test.each([
    ['nobody', {}],
    ['another token', { Authorization: 'Bearer AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }],
    ['an empty one', { Authorization: 'Bearer ' }],
    ['a longer one', () => ({ Authorization: `Bearer ${token}x` })],
  ])('%s is refused with 401 and the code', async (_, headers) => {
    const answer = await fetch(new URL('api/apps', url), {
      headers: typeof headers === 'function' ? headers() : headers,
    })
    expect(answer.status).toBe(401)
    expect((await bodyOf(answer)).error.code).toBe('ADMIN_TOKEN')
  })

  test('the password of Basic is the token too, whoever the user is', () => {
    const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`
    expect(hasToken(basic('admin:secret:with:colons'), 'secret:with:colons')).toBe(true)
    expect(hasToken(basic('secret'), 'secret:no')).toBe(false)
  })

  test('a page of another site is refused, even with the token', async () => {
    const answer = await ask('manager/text/list', { headers: { 'Sec-Fetch-Site': 'cross-site' } })
    expect(answer.status).toBe(403)
  })

  test('the token is made once, and only its user can read it', async () => {
    const file = join(dir, 'new', 'token')
    const [first, second] = [await adminToken(file), await adminToken(file)]
    expect(second).toBe(first)
    expect(first).toMatch(/^[\w-]{43}$/)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    await chmod(file, 0o644)
    await expect(adminToken(file)).rejects.toMatchObject({ code: 'IO', message: expect.stringContaining('0600') })
  })

  test('the socket in the state folder is for its user alone', async () => {
    expect((await stat(join(dir, 'state', 'admin.sock'))).mode & 0o777).toBe(0o600)
  })
})

describe('deploy, roll back, undeploy', () => {
  test('an upload goes live, a second one takes its place, and back', async () => {
    expect((await deploy('1.0.0', 'one')).status).toBe(201)
    expect(await text('/shop/')).toContain('one')
    const second = await json('api/apps', { method: 'POST', body: await archiveOf('1.1.0', 'two') })
    expect(second).toMatchObject({
      unchanged: false,
      previous: { version: '1.0.0' },
      app: { id: '/shop', state: 'live' },
    })
    expect(await text('/shop/')).toContain('two')
    const back = await json('api/apps/shop/rollback', { method: 'POST' })
    expect(back).toMatchObject({ version: '1.0.0', versions: expect.any(Array) })
    expect(await text('/shop/')).toContain('one')
    expect((await ask('api/apps/%2Fshop', { method: 'DELETE' })).status).toBe(204)
    expect((await get('/shop/')).status).toBe(404)
    expect(await json('api/apps')).toEqual([])
  })

  test('the same bytes again are told from new ones', async () => {
    const archive = await archiveOf('1.0.0')
    expect((await ask('api/apps', { method: 'POST', body: archive })).status).toBe(201)
    const again = await ask('api/apps', { method: 'POST', body: archive })
    expect([again.status, (await bodyOf(again)).unchanged]).toEqual([200, true])
  })

  test('one that does not start is refused with its reason; the old one answers on', async () => {
    await deploy('1.0.0', 'good')
    const archive = await readFile(
      await makeArchive(
        dir,
        { name: 'shop', version: '2.0.0', ...entry },
        { 'app.cjs': 'throw new Error("no such table")' },
      ),
    )
    const answer = await ask('api/apps', { method: 'POST', body: archive as Buffer<ArrayBuffer> })
    expect(answer.status).toBeGreaterThanOrEqual(400)
    const { error } = await bodyOf(answer)
    expect(error).toMatchObject({ code: 'ENTRY_LOAD', message: expect.stringContaining('no such table') })
    expect(await text('/shop/')).toContain('good')
  })

  test('bytes that are no archive are refused with the finding', async () => {
    const answer = await ask('api/apps', { method: 'POST', body: 'this is no zip, but long enough for one' })
    expect(answer.status).toBe(422)
    expect((await bodyOf(answer)).error).toMatchObject({ code: 'EOCD_NOT_AT_END', findings: [{ args: {} }] })
  })

  test('an upload that breaks off changes nothing', async () => {
    const archive = await archiveOf('1.0.0')
    const broken = request(new URL('api/apps', url), {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Length': archive.length },
    })
    const closed = new Promise((resolve) => broken.once('close', resolve))
    broken.on('error', () => {})
    await new Promise((resolve) => broken.write(archive.subarray(0, 100), resolve))
    broken.destroy()
    await closed
    expect((await deploy('1.0.1')).status).toBe(201)
    expect(await json('api/apps')).toMatchObject([{ version: '1.0.1', versions: [{ current: true }] }])
  })

  test('a plan says what would change, deploys nothing, and can be deployed by its digest', async () => {
    await deploy('1.0.0', 'one')
    const plan = await json('api/plan?name=shop.zapp', { method: 'POST', body: await archiveOf('1.1.0', 'two') })
    expect(plan).toMatchObject({ id: '/shop', version: '1.1.0', live: { version: '1.0.0' }, findings: [] })
    expect(plan.diff.files.changed.map(({ path }: Json) => path)).toContain('app.cjs')
    expect(await text('/shop/')).toContain('one')
    const body = JSON.stringify({ digest: plan.digest, name: 'shop.zapp' })
    const done = await ask('api/apps', { method: 'POST', body, headers: { 'Content-Type': 'application/json' } })
    expect(done.status).toBe(201)
    expect(await text('/shop/')).toContain('two')
  })

  test.each([
    ['path=../access', 'MOUNT_PATH'],
    ['path=store', 'MOUNT_PATH'],
    ['path=/a/../b', 'MOUNT_PATH'],
    ['name=a%23..%23b.zapp', 'MOUNT_PATH'],
    ['host=../evil', 'HOST_NAME'],
    ['host=..', 'HOST_NAME'],
    ['version=x%20y', 'ADMIN_REQUEST'],
    ['version=', 'ADMIN_REQUEST'],
    ['version=7%0A2026-01-01T00:00:00Z%209.9%20main%20stdout%20FORGED', 'ADMIN_REQUEST'],
    ['name=a%23%237%1b[2J.zapp', 'ADMIN_REQUEST'],
  ])('%s is refused before there is an app, or a log of it: %s', async (query, code) => {
    const told: string[] = []
    // Of the app of the test before something may still be told.
    const stop = host.subscribe((event) => {
      if (event.type === 'state' && event.change.app !== '/shop') told.push(event.change.app)
    })
    for (const path of ['api/apps', 'api/plan']) {
      const answer = await ask(`${path}?${query}`, { method: 'POST', body: await archiveOf('1.0.0') })
      expect([answer.status, (await bodyOf(answer)).error.code]).toEqual([400, code])
    }
    stop()
    expect([host.apps, told]).toEqual([[], []])
  })

  test('the same bytes have one version', async () => {
    const archive = await archiveOf('1.0.0')
    const as = (version: string) => ask(`api/apps?version=${version}`, { method: 'POST', body: archive })
    expect([(await as('7')).status, (await as('7')).status]).toEqual([201, 200])
    const other = await as('8')
    expect([other.status, (await bodyOf(other)).error.code]).toEqual([400, 'ADMIN_REQUEST'])
    expect(host.apps).toMatchObject([{ version: '7' }])
  })

  test('a plan tells what is missing', async () => {
    const config = { DATABASE_URL: { type: 'url', required: true } }
    const plan = await json('api/plan', { method: 'POST', body: await archiveOf('1.0.0', '', { config }) })
    expect(plan.findings).toMatchObject([{ code: 'NEED_CONFIG' }])
  })

  test('stop and start', async () => {
    await deploy('1.0.0', 'one')
    expect(await json('api/apps/shop/stop', { method: 'POST' })).toMatchObject({ state: 'stopped' })
    expect((await get('/shop/')).status).toBe(503)
    expect(await json('api/apps/shop/start', { method: 'POST' })).toMatchObject({ state: 'live' })
    expect((await get('/shop/')).status).toBe(200)
  })
})

describe('what it tells', () => {
  test('every answer fits the shape of the OpenAPI document, and the document fits the table', async () => {
    await deploy('1.0.0')
    await deploy('1.1.0')
    const document = await json('api/openapi.json')
    expect(document.openapi).toBe('3.1.0')
    const { parameters } = document.paths['/api/apps'].post
    const { pattern } = parameters.find(({ name }: Json) => name === 'version').schema
    expect(['7', '1.0.0-rc.1+a', 'x y', '7\n8', ''].filter((one) => new RegExp(pattern).test(one))).toHaveLength(2)
    const check = (schema: string, value: unknown) => expect(misfits(SCHEMAS, schema, value)).toEqual([])
    check('Host', await json('api/host'))
    check('AppList', await json('api/apps'))
    check('App', await json('api/apps/shop'))
    check('Metrics', await json('api/metrics'))
    check('DeployPlan', await json('api/plan', { method: 'POST', body: await archiveOf('1.2.0') }))
    check('DeployResult', await json('api/apps', { method: 'POST', body: await archiveOf('1.3.0') }))
    check('Error', await json('api/apps/nobody'))
    const referred = [...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name!)
    for (const name of referred) expect(Object.keys(document.components.schemas)).toContain(name)
  })

  test('requests are counted, for programs and for Prometheus', async () => {
    await deploy('1.0.0', '', { name: 'counted' })
    for (let i = 0; i < 3; i++) await get('/counted/')
    const answered = async () => (await json('api/metrics'))['/counted'].requests['1.0.0']['2xx']
    await expect.poll(answered).toBe(3)
    const text = await (await ask('metrics')).text()
    expect(text).toContain('zapp_requests_total{app="/counted",name="counted",version="1.0.0",status="2xx"} 3\n')
    expect(text).toContain('zapp_up{app="/counted",name="counted"} 1\n')
    expect(text).toMatch(/zapp_request_duration_seconds_bucket\{app="\/counted",name="counted",le="\+Inf"\} 3\n/)
  })

  test('logs are followed as they come', async () => {
    await deploy('1.0.0')
    const stop = new AbortController()
    const answer = await ask('api/apps/shop/logs?follow=true&lines=1', { signal: stop.signal })
    const lines = createInterface({ input: Readable.fromWeb(answer.body as Json) })[Symbol.asyncIterator]()
    await lines.next()
    await deploy('1.1.0')
    expect(JSON.parse((await lines.next()).value as string)).toMatchObject({ version: '1.1.0', stream: 'host' })
    stop.abort()
    await lines.next().catch(() => {})
  })

  test.each([
    ['GET', 'api/nothing', 404, 'ADMIN_UNKNOWN'],
    ['PUT', 'api/apps', 405, 'ADMIN_REQUEST'],
    ['GET', 'api/apps/nobody', 404, 'APP_UNKNOWN'],
    ['GET', 'api/apps/%ff', 400, 'ADMIN_REQUEST'],
    ['POST', 'api/apps?mount=/x', 400, 'ADMIN_REQUEST'],
    ['DELETE', 'api/apps/shop?data=all', 400, 'ADMIN_REQUEST'],
  ])('%s %s: %i %s', async (method, path, status, code) => {
    const answer = await ask(path, { method })
    expect([answer.status, (await bodyOf(answer)).error.code]).toEqual([status, code])
  })

  test('the console may load what its own listener serves, and nothing else', async () => {
    const page = await fetch(url)
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'")
    const html = await page.text()
    for (const [, path] of html.matchAll(/(?:src|href)="([^"#]+)"/g)) {
      expect((await fetch(new URL(path!, url))).status).toBe(200)
    }
    expect((await fetch(new URL('console.js/', url))).status).toBe(401)
  })

  test('/healthz says whether the host is ready, and for how long', async () => {
    expect((await fetch(new URL('healthz', url))).status).toBe(200)
  })
})

describe("Tomcat's text verbs", () => {
  const tomcat = async (path: string, init?: RequestInit) => (await ask(`manager/text/${path}`, init)).text()

  test('what curl and the Maven plugins send', async () => {
    const put = async (path: string, version: string) => tomcat(path, { method: 'PUT', body: await archiveOf(version) })
    expect(await put('deploy?path=/shop', '1.0.0')).toBe('OK - Deployed application at context path [/shop]\n')
    expect(await put('deploy?path=/shop', '1.1.0')).toBe('FAIL - Application already exists at path [/shop]\n')
    expect(await put('deploy?path=/shop&update=true', '1.1.0')).toMatch(/^OK - /)
    expect(await tomcat('list')).toBe(
      'OK - Listed applications for virtual host [localhost]\n/shop:running:0:shop##1.1.0\n',
    )
    expect(await tomcat('reload?path=/shop')).toBe('OK - Reloaded application at context path [/shop]\n')
    expect(await tomcat('undeploy?path=/shop')).toBe('OK - Undeployed application at context path [/shop]\n')
    expect(await tomcat('undeploy?path=/shop')).toBe('FAIL - No context exists named [/shop]\n')
  })

  test('a file of the host, by its URL', async () => {
    const file = join(dir, 'local.zapp')
    await writeFile(file, await archiveOf('1.0.0', 'local'))
    expect(await tomcat(`deploy?path=/a/b&war=file:${file}`)).toMatch(/^OK - /)
    expect(await text('/a/b/')).toContain('local')
  })

  test.each([
    ['nothing', /^FAIL - Unknown command \[nothing\]/],
    ['deploy?path=shop', /^FAIL - Invalid context path \[shop\]/],
    ['deploy?path=/x&war=http://other/x.war', /^FAIL - Invalid parameters/],
    ['reload', /^FAIL - Invalid context path \[null\]/],
    ['deploy?path=/x&version=7%0AOK&war=file:/nowhere.zapp', /^FAIL - ADMIN_REQUEST: .*got "7\\nOK"\n$/],
  ])('%s', async (path, answer) => {
    expect(await tomcat(path)).toMatch(answer)
  })
})
