import { createReadStream } from 'node:fs'
import { mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { LogEntry } from '../../src/host/host.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { entry, folderOf, putArchive, rejection, says, settingsFile, start } from './helper.ts'
import { parseResponse, sendRaw, Talk } from './raw.ts'

const shop = (version: string, text = version) => [{ ...entry, name: 'shop', version }, says(text)] as const
const archive = async (...app: readonly [manifest: object, files: Record<string, string>]) =>
  putArchive(join(await tmpDir(), 'upload.zapp'), ...app)
const host = async (folder: string, more = {}) => start(folder, { state: join(await tmpDir(), 'state'), ...more })

describe('deploy', () => {
  it('takes a stream to the mount of its name, and says what it replaced', async () => {
    const dir = await folderOf({})
    const served = await host(dir)
    const first = await served.host.deploy({ stream: createReadStream(await archive(...shop('1.0.0'))) })
    expect(first).toMatchObject({ app: { id: '/shop', state: 'live', source: '' }, deployed: { version: '1.0.0' } })
    const second = await served.host.deploy({ stream: createReadStream(await archive(...shop('1.1.0'))) })
    expect(second).toMatchObject({ previous: { version: '1.0.0' }, deployed: { version: '1.1.0', current: true } })
    expect(await served.text('/shop')).toBe('1.1.0 /shop|/')
    const again = await served.host.deploy({ stream: createReadStream(await archive(...shop('1.1.0'))) })
    expect([again.unchanged, again.app.versions.length]).toEqual([true, 2])
    expect(await readdir(dir)).toEqual([])
  })

  it('goes where it is told', async () => {
    const served = await host(await folderOf({}))
    const path = await archive(...shop('1.0.0'))
    await served.host.deploy({ path }, { name: 'a#b##7.zapp' })
    await served.host.deploy({ path }, { path: '/', version: '8' })
    await served.host.deploy({ path }, { host: 'shop.example', path: '/x' })
    expect(served.host.apps.map(({ id, version }) => [id, version])).toEqual([
      ['/', '8'],
      ['/a/b', '7'],
      ['shop.example/x', '1.0.0'],
    ])
  })

  it('goes on no virtual host that nobody could reach; where one has no apps left, the default host answers', async () => {
    const settings = await settingsFile({ hosts: { intranet: {}, 'shop.example': { aliases: ['www.shop.example'] } } })
    const served = await host(await folderOf({ 'ROOT.zapp': shop('1.0.0') }), { settings })
    const path = await archive(...shop('2.0.0'))
    for (const name of ['Shop.Example', '..', 'other', 'www.shop.example']) {
      expect(await rejection(served.host.deploy({ path }, { host: name }))).toMatchObject({ code: 'HOST_NAME' })
    }
    await served.host.deploy({ path }, { host: 'intranet', path: '/' })
    const asked = async () =>
      sendRaw(served.host.address.port, 'GET / HTTP/1.1\r\nHost: intranet\r\nConnection: close\r\n\r\n')
    expect(await asked()).toContain('2.0.0')
    await served.host.undeploy('intranet/')
    expect(await asked()).toContain('1.0.0')
  })

  it('that fails changes nothing, and leaves nothing', async () => {
    const served = await host(await folderOf({ 'shop.zapp': shop('1.0.0') }))
    const broken = await archive({ ...entry, name: 'shop', version: '2.0.0' }, { 'app.cjs': 'throw new Error("no")' })
    expect(await rejection(served.host.deploy({ path: broken }))).toMatchObject({ code: 'ENTRY_LOAD' })
    expect(await rejection(served.host.deploy({ stream: Readable.from(['junk']) }))).toMatchObject({
      code: 'TOO_SHORT',
    })
    expect(await rejection(served.host.deploy({ path: broken }, { path: '/new' }))).toMatchObject({
      code: 'ENTRY_LOAD',
    })
    // A look at the folder may wait for its turn there.
    await expect.poll(() => served.host.apps).toMatchObject([{ id: '/shop', version: '1.0.0', state: 'live' }])
    expect(await served.text('/shop')).toBe('1.0.0 /shop|/')
    expect((await served.get('/new')).status).toBe(404)
  })

  it('holds until the watched folder brings other bytes', async () => {
    const dir = await folderOf({ 'shop.zapp': shop('1.0.0') })
    const served = await host(dir)
    await served.host.deploy({ path: await archive(...shop('0.9.0')) })
    expect(await served.text('/shop')).toBe('0.9.0 /shop|/')
    await putArchive(join(dir, 'shop.zapp'), ...shop('1.0.1'))
    await expect.poll(() => served.text('/shop'), { timeout: 10_000 }).toBe('1.0.1 /shop|/')
  })
})

describe('plan', () => {
  it('tells what would change and what is missing; the archive is there to be deployed', async () => {
    const served = await host(await folderOf({ 'shop.zapp': shop('1.0.0') }))
    const config = { HOST_TEST_KEY: { type: 'string', required: true } }
    const path = await archive({ ...entry, name: 'shop', version: '2.0.0', config }, says('two'))
    const plan = await served.host.plan({ path })
    expect(plan).toMatchObject({
      id: '/shop',
      version: '2.0.0',
      live: { version: '1.0.0' },
      diff: { same: false, old: { version: '1.0.0' }, new: { version: '2.0.0' } },
      findings: [{ code: 'NEED_CONFIG', args: { name: 'HOST_TEST_KEY' } }],
    })
    expect(await served.text('/shop')).toBe('1.0.0 /shop|/')
    const good = await served.host.plan({ path: await archive(...shop('2.0.1')) })
    expect(good.findings).toEqual([])
    await served.host.deploy({ digest: good.digest })
    expect(await served.text('/shop')).toBe('2.0.1 /shop|/')
    expect(await rejection(served.host.deploy({ digest: `sha256:${'0'.repeat(64)}` }))).toMatchObject({
      code: 'NOT_FOUND',
    })
  })
})

describe('versions', () => {
  it('of the last three are kept; one goes back in no time, and forth', async () => {
    const dir = await folderOf({})
    const served = await host(dir)
    const digests: string[] = []
    for (const version of ['1.0.0', '2.0.0', '3.0.0', '4.0.0']) {
      digests.unshift((await served.host.deploy({ path: await archive(...shop(version)) })).deployed.digest)
    }
    const versions = () =>
      served.host.app('/shop').versions.map(({ version, current }) => version + (current ? '*' : ''))
    expect(versions()).toEqual(['4.0.0*', '3.0.0', '2.0.0'])
    await served.host.rollback('shop')
    await served.host.rollback('shop')
    expect([versions(), await served.text('/shop')]).toEqual([['4.0.0', '3.0.0', '2.0.0*'], '2.0.0 /shop|/'])
    expect(await rejection(served.host.rollback('shop'))).toMatchObject({ code: 'VERSION_UNKNOWN' })
    expect(await rejection(served.host.rollback('shop', digests[3]))).toMatchObject({ code: 'VERSION_UNKNOWN' })
    await served.host.rollback('shop', digests[0])
    expect(await served.text('/shop')).toBe('4.0.0 /shop|/')
  })
})

describe('an app', () => {
  it('is stopped, started and restarted by hand', async () => {
    const served = await host(await folderOf({ 'shop.zapp': shop('1.0.0') }))
    expect(await served.host.stop('shop')).toMatchObject({ state: 'stopped', digest: '' })
    expect((await served.get('/shop')).status).toBe(503)
    expect(await served.host.start('/shop')).toMatchObject({ state: 'live' })
    await served.host.restart('shop')
    expect(await served.text('/shop')).toBe('1.0.0 /shop|/')
    expect(served.events.filter(({ type }) => type === 'live')).toHaveLength(3)
  })

  it('is undeployed with its file; what was given by its own path is not', async () => {
    const dir = await folderOf({ 'shop.zapp': shop('1.0.0') })
    const served = await host(dir)
    await served.host.undeploy('shop')
    expect([await readdir(dir), served.host.apps, (await served.get('/shop')).status]).toEqual([[], [], 404])

    const alone = await host(await archive(...shop('1.0.0')))
    expect(await rejection(alone.host.undeploy('shop'))).toMatchObject({ code: 'APP_FIXED' })
  })

  it('leaves no lines behind for the next one of its mount', async () => {
    const served = await host(await folderOf({}))
    const path = await archive(...shop('1.0.0'))
    for (let i = 0; i < 2; i++) {
      await served.host.deploy({ path })
      const lines: LogEntry[] = []
      for await (const line of served.host.logs('shop')) lines.push(line)
      expect(lines.filter(({ text }) => text.startsWith('checked:'))).toHaveLength(1)
      // Resolves when its processes have ended.
      await served.host.undeploy('shop', { keepData: false })
    }
  })

  it('that is unknown, or one of several of its name, is said so', async () => {
    const served = await host(await folderOf({ 'shop.zapp': shop('1.0.0') }))
    expect(await rejection(served.host.stop('/shp'))).toMatchObject({
      code: 'APP_UNKNOWN',
      message: expect.stringContaining('did you mean "/shop"?'),
    })
    await served.host.deploy({ path: await archive(...shop('1.0.0')) }, { path: '/other' })
    expect(() => served.host.app('shop')).toThrow(/several have this name: \/other, \/shop/)
  })
})

describe('logs, metrics, events', () => {
  it('are of one app', async () => {
    const prints = { 'app.cjs': 'module.exports = (req, res) => res.end("x")' }
    const run = { entry: { type: 'server', run: ['{node}', 'app.js'] }, name: 'talks' }
    const listens = {
      'app.js': 'console.log("up"); require("http").createServer((q, r) => r.end("ok")).listen(process.env.PORT)',
    }
    const served = await host(await folderOf({ 'talks.zapp': [run, listens], 'quiet.zapp': [entry, prints] }))
    const types: string[] = []
    const end = served.host.subscribe(({ type }) => types.push(type))
    await served.text('/talks')
    await served.get('/talks')
    await expect.poll(() => served.host.metrics().get('/talks')?.requests).toEqual({ '1.0.0': { '2xx': 2 } })
    expect(
      served.host
        .metrics()
        .get('/talks')
        ?.latency.reduce((a, b) => a + b),
    ).toBe(2)
    expect(types).toEqual(['access', 'access'])
    end()

    const lines: LogEntry[] = []
    for await (const entry of served.host.logs('talks')) lines.push(entry)
    expect(lines.filter(({ stream }) => stream === 'stdout').map(({ text }) => text)).toEqual(['up'])
    expect(lines.filter(({ stream }) => stream === 'host').map(({ text }) => text.split(':')[0])).toEqual([
      'checked',
      'checked → starting',
      'starting → live',
    ])
    const following = served.host.logs('talks', { lines: 0, follow: true })[Symbol.asyncIterator]()
    const next = following.next()
    await served.host.stop('talks')
    expect((await next).value).toMatchObject({ stream: 'host', text: expect.stringMatching(/^live → draining/) })
    await served.host.close({ drainMs: 0 })
    for (;;) if ((await following.next()).done) break
  })

  it('the log of an app has the stack of what it threw', async () => {
    const throws = { 'app.cjs': 'module.exports = () => {\n  null.x\n}' }
    const served = await host(await folderOf({ 'bad.zapp': [entry, throws] }))
    const texts = async () => {
      const found: string[] = []
      for await (const { stream, text } of served.host.logs('/bad')) if (stream === 'host') found.push(text)
      return found.slice(3)
    }
    expect((await served.get('/bad')).status).toBe(500)
    await expect
      .poll(texts)
      .toEqual([
        "entry main: TypeError: Cannot read properties of null (reading 'x')",
        expect.stringMatching(/^ +at .*\/app\.cjs:2:\d+\)$/),
      ])
  })
})

describe('virtual hosts', () => {
  it('are meant by every spelling of their names, also on a connection that another app holds', async () => {
    const answers = (text: string) => ({ 'app.cjs': `module.exports = (req, res) => res.end('${text}')` })
    const dir = await folderOf({ 'ROOT.zapp': [entry, answers('any')], 'shop.zapp': [entry, answers('shop')] })
    await mkdir(join(dir, 'shop.example'))
    await rename(join(dir, 'shop.zapp'), join(dir, 'shop.example', 'ROOT.zapp'))
    const settings = await settingsFile({ hosts: { 'shop.example': { aliases: ['www.shop.example'] } } })
    const { host } = await start(dir, { settings })
    const talk = await Talk.open(host.address.port)
    const ask = async (name: string) => (await talk.ask(`GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`)).body
    expect(await ask('localhost')).toBe('any')
    for (const name of ['www.shop.example', 'localhost', 'shop.example.', 'WWW.shop.example.:80']) {
      expect(await ask(name)).toBe(name === 'localhost' ? 'any' : 'shop')
    }
    talk.socket.destroy()
  })

  it('are folders that are named so; each has its own apps', async () => {
    const dir = await folderOf({ 'ROOT.zapp': [entry, says('default')] })
    const inHost = await folderOf({ 'ROOT.zapp': [entry, says('example')], 'shop.zapp': shop('1.0.0') })
    await rename(inHost, join(dir, 'shop.example'))
    const served = await host(dir)
    const { port } = served.host.address
    const ask = async (name: string, path: string) =>
      parseResponse(await sendRaw(port, `GET ${path} HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`)).body
    expect(served.host.apps.map(({ id }) => id)).toEqual(['/', 'shop.example/', 'shop.example/shop'])
    expect(await ask('Shop.Example:80', '/')).toContain('example')
    expect(await ask('shop.example', '/shop')).toContain('1.0.0')
    expect(await ask('other.example', '/shop')).toContain('default')
  })
})
