import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { Agent, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { SCHEMAS } from '../../src/host/admin/schemas.ts'
import type { ServeOptions } from '../../src/host/serve.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { isRunning } from '../helpers/processes.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { entry, folderOf, rejection, type Served, start } from './helper.ts'
import { misfits } from './schema.ts'

type Files = Record<string, string>
type App = readonly [manifest: Record<string, unknown>, files: Files]

/** Answers with its process, and whether the connection is the client's own. */
const SHOWS = `JSON.stringify({ pid: process.pid, held: req.socket.remotePort !== undefined, url: req.url })`
const shows: App = [entry, { 'app.cjs': `module.exports = (req, res) => res.end(${SHOWS})` }]
/** Answers with a text; hashed files and a redirect need none of its code. */
const site = (version: string): App => [
  {
    ...entry,
    name: 'site',
    version,
    routes: {
      '/assets/*': { static: 'assets', cache: 'immutable' },
      '/old': { redirect: { to: '/new', status: 308 } },
      '/': { entry: 'main' },
    },
  },
  {
    'app.cjs': `module.exports = (req, res) => res.end('version ${version}')`,
    [`assets/${version}.js`]: `the file of ${version}`,
  },
]

interface Shown {
  readonly pid: number
  readonly held: boolean
}

interface Idle extends Served {
  /** The settings. */
  readonly file: string
  /** Resolves when an app sleeps, and has no process. */
  readonly sleeps: (app: string) => Promise<void>
  readonly show: (path: string) => Promise<Shown>
}

/** A host whose apps sleep soon. */
async function startIdle(
  apps: Record<string, App>,
  { options = {}, settings = { idle: '250ms' } }: { options?: Partial<ServeOptions>; settings?: object } = {},
): Promise<Idle> {
  const file = join(await tmpDir(), 'zapp.host.json')
  await writeFile(file, JSON.stringify(settings))
  const named = Object.entries(apps).map(([name, [manifest, files]]) => [
    `${name}.zapp`,
    [{ name, ...manifest }, files],
  ])
  const served = await start(await folderOf(Object.fromEntries(named)), { settings: file, ...options })
  const sleeps = (app: string) =>
    expect.poll(() => served.host.app(app), { timeout: 10_000 }).toMatchObject({ state: 'sleeping', pids: [] })
  return { ...served, sleeps, file, show: async (path) => (await (await served.get(path)).json()) as Shown }
}

/** How often an app woke. */
const wakes = ({ events }: Served, app: string) =>
  events.filter(
    (e) => e.type === 'state' && e.change.app === app && e.change.from === 'sleeping' && e.change.to === 'live',
  ).length

/** One request on a connection of an agent. */
async function ask({ host }: Served, agent: Agent, path: string): Promise<{ shown: Shown; reused: boolean }> {
  const asked = request(new URL(path, host.address.url), { agent })
  asked.end()
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return { shown: JSON.parse(await text(answer)), reused: asked.reusedSocket }
}

describe('an app that sleeps while nobody asks for it', () => {
  it('starts asleep in a folder, wakes for a request, sleeps again; asleep it has no process', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `app${i}`)
    const served = await startIdle(Object.fromEntries(names.map((name) => [name, shows])))
    expect(served.host.apps.map(({ state, pids }) => [state, pids])).toEqual(names.map(() => ['sleeping', []]))
    const first = await served.show('/app7/')
    expect(served.host.app('app7')).toMatchObject({ state: 'live', pids: [first.pid] })
    expect(served.host.apps.filter(({ pids }) => pids.length > 0)).toHaveLength(1)
    await served.sleeps('app7')
    expect(isRunning(first.pid)).toBe(false)
    const again = await served.show('/app7/')
    expect(again.pid).not.toBe(first.pid)
    expect(isRunning(again.pid)).toBe(true)
    const changes = served.events.flatMap((e) => (e.type === 'state' && e.change.app === '/app7' ? [e.change] : []))
    expect(changes.slice(1, 6).map(({ from, to }) => `${from} ${to}`)).toEqual([
      'checked starting',
      'starting sleeping',
      'sleeping live',
      'live sleeping',
      'sleeping live',
    ])
  })

  it('wakes once for 50 requests at once, and answers all', async () => {
    const served = await startIdle({ shop: shows, other: shows })
    const all = await Promise.all(Array.from({ length: 50 }, () => served.show('/shop/')))
    expect(new Set(all.map(({ pid }) => pid)).size).toBe(1)
    expect(wakes(served, '/shop')).toBe(1)
    expect(served.host.app('other').state).toBe('sleeping')
  })

  it('gets the whole body of the request that wakes it', async () => {
    const digests = `module.exports = (req, res) => {
      const hash = require('node:crypto').createHash('sha256')
      req.on('data', (chunk) => hash.update(chunk)).on('end', () => res.end(hash.digest('hex')))
    }`
    const served = await startIdle({ shop: [entry, { 'app.cjs': digests }], other: shows })
    const body = randomBytes(5_000_000)
    const got = await Promise.all(
      [1, 2, 3].map(async () => (await served.get('/shop/', { method: 'POST', body })).text()),
    )
    expect(new Set(got)).toEqual(new Set([createHash('sha256').update(body).digest('hex')]))
  })

  it('takes idle connections back and does not close them; the request after waking goes to the process itself', async () => {
    const served = await startIdle({ shop: shows, other: shows })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const first = await ask(served, agent, '/shop/')
    const second = await ask(served, agent, '/shop/')
    expect([first.shown.held, second.shown.held, second.reused]).toEqual([false, true, true])
    await served.sleeps('shop')
    const third = await ask(served, agent, '/shop/')
    expect(third.reused).toBe(true)
    expect(third.shown.pid).not.toBe(first.shown.pid)
    agent.destroy()
  })

  it('stays awake for an open WebSocket and for an answer that goes on', async () => {
    const module = `module.exports = (req, res) => {
      if (req.url !== '/stream') return res.end(${SHOWS})
      res.write('begun')
    }
    module.exports.upgrade = (req, socket) => {
      socket.resume().on('end', () => socket.end())
      socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n' +
        'Sec-WebSocket-Accept: ' + require('node:crypto').createHash('sha1')
          .update(req.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64') + '\\r\\n\\r\\n')
    }`
    const talks: App = [{ entry: { ...entry.entry, websocket: true } }, { 'app.cjs': module }]
    const served = await startIdle({ talks, streams: talks, other: shows })
    const client = new WebSocket(new URL('/talks/', served.host.address.url))
    await once(client, 'open')
    // Where the worker holds the connection, only it knows that an answer goes on.
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    await ask(served, agent, '/streams/')
    const stream = request(new URL('/streams/stream', served.host.address.url), { agent })
    stream.end()
    const [answer] = (await once(stream, 'response')) as [IncomingMessage]
    answer.on('error', () => {})
    for (let i = 0; i < 3; i++) {
      await served.show('/other/')
      await served.sleeps('other')
    }
    expect(['talks', 'streams'].map((name) => served.host.app(name).state)).toEqual(['live', 'live'])
    client.terminate()
    answer.destroy()
    await Promise.all([served.sleeps('talks'), served.sleeps('streams')])
  })

  it('answers what needs no code from the archive, and does not wake', async () => {
    const served = await startIdle({ site: site('1.0.0'), other: shows })
    const file = await served.get('/site/assets/1.0.0.js')
    expect([file.status, await file.text()]).toEqual([200, 'the file of 1.0.0'])
    expect(file.headers.get('cache-control')).toContain('immutable')
    const moved = await served.get('/site/old')
    expect([moved.status, moved.headers.get('location')]).toEqual([308, '/site/new'])
    expect((await served.get('/site/assets/none.js')).status).toBe(404)
    expect(
      (await served.get('/site/assets/1.0.0.js', { headers: { 'If-None-Match': file.headers.get('etag') ?? '' } }))
        .status,
    ).toBe(304)
    expect(served.host.app('site')).toMatchObject({ state: 'sleeping', pids: [] })
    expect(wakes(served, '/site')).toBe(0)
    expect(await served.text('/site/page')).toBe('version 1.0.0')
  })

  it('opens its archive for the next request, where that failed for one', async () => {
    const state = join(await tmpDir(), 'state')
    const served = await startIdle({ site: site('1.0.0'), other: shows }, { options: { state } })
    const name = `${served.host.app('site').digest.slice('sha256:'.length)}.zapp`
    const [copy] = (await readdir(state, { recursive: true })).filter((path) => path.endsWith(name))
    const file = join(state, copy ?? '')
    await rename(file, `${file}.away`)
    expect((await served.get('/site/assets/1.0.0.js')).status).toBe(500)
    await rename(`${file}.away`, file)
    expect((await served.get('/site/assets/1.0.0.js')).status).toBe(200)
  })

  it('is redeployed and rolled back while it sleeps; files of the version before are still found', async () => {
    const served = await startIdle({ site: site('1.0.0'), other: shows })
    const next = await makeArchive(await tmpDir(), ...site('2.0.0'))
    const { previous } = await served.host.deploy({ path: next })
    expect(previous?.version).toBe('1.0.0')
    expect(await served.text('/site/')).toBe('version 2.0.0')
    await served.sleeps('site')
    const assets = async () => Promise.all(['1.0.0', '2.0.0'].map((v) => served.text(`/site/assets/${v}.js`)))
    expect(await assets()).toEqual(['the file of 1.0.0', 'the file of 2.0.0'])
    expect(served.host.app('site').state).toBe('sleeping')
    await served.host.rollback('site')
    expect(await served.text('/site/')).toBe('version 1.0.0')
    await served.sleeps('site')
    expect(await assets()).toEqual(['the file of 1.0.0', 'the file of 2.0.0'])
    expect(served.host.app('site')).toMatchObject({ state: 'sleeping', version: '1.0.0' })
  })

  it('answers those who wait for it to wake also where another version takes over meanwhile', async () => {
    const served = await startIdle({ site: site('1.0.0'), other: shows })
    const next = await makeArchive(await tmpDir(), ...site('2.0.0'))
    const asked = Promise.all(
      Array.from({ length: 20 }, async () => {
        const answer = await served.get('/site/', { method: 'POST', body: 'x' })
        return `${answer.status} ${await answer.text()}`
      }),
    )
    await served.host.deploy({ path: next })
    for (const answer of await asked) expect(answer).toMatch(/^200 version [12]/)
    expect(await served.text('/site/')).toBe('version 2.0.0')
  })

  it('that does not start is 503 with its reason, and is tried again by later requests', async () => {
    const flag = join(await tmpDir(), 'flag')
    const module = `if (!require('node:fs').existsSync(${JSON.stringify(flag)})) throw new Error('no database')
    module.exports = (req, res) => res.end('up')`
    const served = await startIdle({ shop: [entry, { 'app.cjs': module }], other: shows })
    const refused = await served.get('/shop/')
    expect([refused.status, refused.headers.has('retry-after')]).toEqual([503, true])
    expect(await refused.text()).toContain('ENTRY_LOAD')
    expect(served.host.app('shop')).toMatchObject({ state: 'sleeping', error: { code: 'ENTRY_LOAD' }, pids: [] })
    expect(served.events).toContainEqual(expect.objectContaining({ type: 'error', app: '/shop', where: 'waking' }))
    await writeFile(flag, '')
    await expect.poll(async () => (await served.get('/shop/')).status, { timeout: 10_000 }).toBe(200)
    expect(served.host.app('shop').error).toBeUndefined()
  })

  it('is refused at the start where its needs are not met, although nothing is started', async () => {
    const needs: App = [{ ...entry, config: { DATABASE_URL: { type: 'string', required: true } } }, shows[1]]
    const { host } = await startIdle({ shop: needs, other: shows })
    expect(host.app('shop')).toMatchObject({ state: 'failed', error: { code: 'NEED_CONFIG' } })
  })

  it('leaves nothing behind when the host ends while it wakes', async () => {
    const marker = join(await tmpDir(), 'pid')
    const module = `require('node:fs').writeFileSync(${JSON.stringify(marker)}, String(process.pid))
    module.exports = new Promise(() => setInterval(() => {}, 1000))
    while (true) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000)`
    const served = await startIdle({ shop: [entry, { 'app.cjs': module }], other: shows })
    const waiting = rejection(served.get('/shop/').then(() => undefined))
    await expect.poll(() => readFile(marker, 'utf8').catch(() => ''), { timeout: 10_000 }).not.toBe('')
    await served.host.close({ drainMs: 0 })
    await waiting
    expect(isRunning(Number(await readFile(marker, 'utf8')))).toBe(false)
  })

  it('ends programs too, and Python; those have the same right to finish', async () => {
    const program = `require('node:http').createServer((req, res) => res.end(${SHOWS})).listen(process.env.PORT)`
    const python = `import json, os
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [json.dumps({'pid': os.getpid()}).encode()]`
    const served = await startIdle({
      server: [{ entry: { type: 'server', run: ['{node}', 'server.cjs'] } }, { 'server.cjs': program }],
      wsgi: [{ entry: { type: 'wsgi', app: 'app:application' }, workers: { processes: 2 } }, { 'app.py': python }],
    })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const first = await Promise.all(['/server/', '/wsgi/'].map((path) => served.show(path)))
    // On a connection of its own, which the Python process then holds.
    await ask(served, agent, '/wsgi/')
    await ask(served, agent, '/wsgi/')
    await Promise.all([served.sleeps('server'), served.sleeps('wsgi')])
    expect(first.map(({ pid }) => isRunning(pid))).toEqual([false, false])
    expect((await ask(served, agent, '/wsgi/')).reused).toBe(true)
    agent.destroy()
    expect((await served.show('/server/')).pid).not.toBe(first[0]?.pid)
  })

  it('is told of by the API and the metrics, and begins asleep when the host starts again', async () => {
    const state = join(await tmpDir(), 'state')
    const dir = await folderOf({ 'shop.zapp': [{ ...entry, name: 'shop' }, shows[1]] })
    const settings = join(await tmpDir(), 'zapp.host.json')
    await writeFile(settings, JSON.stringify({ idle: '10m' }))
    for (let run = 0; run < 2; run++) {
      const { host, events, get } = await start(dir, { settings, state, admin: { host: '127.0.0.1', port: 0 } })
      const token = (await readFile(host.admin?.tokenFile ?? '', 'utf8')).trim()
      const told = async (path: string) =>
        fetch(new URL(path, host.admin?.url), { headers: { Authorization: `Bearer ${token}` } })
      const apps = await (await told('api/apps')).json()
      expect(misfits(SCHEMAS, 'AppList', apps)).toEqual([])
      expect(apps).toMatchObject([{ state: 'sleeping', pids: [] }])
      const gauges = async () =>
        (await (await told('metrics')).text()).split('\n').filter((line) => /^zapp_(up|sl|pr)/.test(line))
      const labels = '{app="/shop",name="shop"}'
      expect(await gauges()).toEqual([`zapp_up${labels} 1`, `zapp_sleeping${labels} 1`, `zapp_processes${labels} 0`])
      expect((await get('/shop/')).status).toBe(200)
      expect(await gauges()).toEqual([`zapp_up${labels} 1`, `zapp_sleeping${labels} 0`, `zapp_processes${labels} 1`])
      expect(events.filter(({ type }) => type === 'failed')).toEqual([])
      await host.close()
    }
  })

  it('that is the only one is accepted by the host, and starts with it', async () => {
    const file = join(await tmpDir(), 'zapp.host.json')
    await writeFile(file, JSON.stringify({ idle: '250ms' }))
    const served = await start(await makeArchive(await tmpDir(), ...shows), { settings: file })
    expect(served.host.apps).toMatchObject([{ state: 'live' }])
    const { pid } = (await (await served.get('/')).json()) as Shown
    await expect.poll(() => served.host.apps, { timeout: 10_000 }).toMatchObject([{ state: 'sleeping', pids: [] }])
    expect(isRunning(pid)).toBe(false)
    expect(((await (await served.get('/')).json()) as Shown).pid).not.toBe(pid)
  })

  it('goes on sleeping when the settings only say how soon', async () => {
    const served = await startIdle(
      { shop: shows, other: shows },
      { settings: { idle: '10m', apps: { shop: { idle: '1h' } } } },
    )
    const { pid } = await served.show('/shop/')
    await writeFile(served.file, JSON.stringify({ idle: '30m', apps: { shop: { idle: '2h' } } }))
    await served.host.reload()
    expect(served.host.app('other')).toMatchObject({ state: 'sleeping', pids: [] })
    // The one that was awake was started beside itself.
    expect(served.host.app('shop').state).toBe('live')
    expect(await served.show('/shop/')).not.toMatchObject({ pid })
    expect(isRunning((await served.show('/other/')).pid)).toBe(true)
    expect(wakes(served, '/other')).toBe(1)
  })

  it('is one for which the settings ask, and none that works in the background', async () => {
    const works: App = [
      { ...entry, processes: { queue: { run: ['{node}', '-e', 'setInterval(() => {}, 1000)'] } } },
      shows[1],
    ]
    const apps = { awake: { idle: false }, asked: { idle: '250ms' } }
    const served = await startIdle(
      { awake: shows, works, asked: works, sleepy: shows },
      { settings: { idle: '250ms', apps } },
    )
    expect(served.host.apps.map(({ name, state }) => `${name} ${state}`)).toEqual([
      'asked live',
      'awake live',
      'sleepy sleeping',
      'works live',
    ])
    const warned = served.events.flatMap((e) => (e.type === 'warned' && e.app !== '' ? [[e.name, e.finding.code]] : []))
    expect(warned).toEqual([['asked', 'IDLE_PROCESSES']])
    const wrong = await rejection(startIdle({ shop: shows }, { settings: { idle: 'soon' } }))
    expect(wrong).toMatchObject({ code: 'MANIFEST_VALUE' })
  })
})
