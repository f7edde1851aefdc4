import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { HostEvent } from '../../src/host/serve.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { entry, folderOf, rejection, says, start, stateDir } from './helper.ts'
import { sendRaw } from './raw.ts'

describe('one app', () => {
  it('is at the root, or where it was asked to be', async () => {
    const file = await makeArchive(await tmpDir(), entry, says('hi'))
    const root = await start(file)
    expect(await root.text('/a?b')).toBe('hi |/a?b')
    const mounted = await start([], { apps: [{ path: file, mount: '/x/y' }] })
    expect(await mounted.text('/x/y/a?b')).toBe('hi /x/y|/a?b')
    expect((await mounted.get('/x')).status).toBe(404)
  })

  it('may be a project folder, and behaves as its archive would', async () => {
    const dir = join(await tmpDir(), 'project')
    await mkdir(join(dir, 'public'), { recursive: true })
    await writeFile(join(dir, 'app.cjs'), says('project')['app.cjs'])
    await writeFile(join(dir, 'public/a.txt'), 'a file')
    await writeFile(join(dir, '.env'), 'PASSWORD=1')
    await writeFile(join(dir, '.zappignore'), '.env\n')
    await writeFile(
      join(dir, 'zapp.json'),
      JSON.stringify({
        zapp: 1,
        name: 'project',
        version: '1.0.0',
        ...entry,
        routes: { '/': { static: 'public', else: { entry: 'main' } } },
      }),
    )
    const { text, get, host } = await start(dir)
    expect(await text('/x')).toBe('project |/x')
    expect(await text('/a.txt')).toBe('a file')
    expect((await get('/a.txt')).headers.get('etag')).toMatch(/^"/)
    expect(host.apps).toMatchObject([{ name: 'project', version: '1.0.0', mount: '', source: dir, state: 'live' }])
  })

  it('a build for one mount goes there', async () => {
    const file = await makeArchive(await tmpDir(), { ...entry, base: '/only' }, says('based'))
    const { text } = await start(file)
    expect(await text('/only/x')).toBe('based /only|/x')
  })

  it('that cannot start is an error with every unmet need, and the port is free again', async () => {
    const config = { A: { type: 'string', required: true }, B: { type: 'integer', required: true } }
    const file = await makeArchive(await tmpDir(), { ...entry, config }, says('never'))
    const events: HostEvent[] = []
    const probe = await start(await makeArchive(await tmpDir(), entry, says('x')))
    const { port } = probe.host.address
    await probe.host.close()
    const failure = await rejection(start(file, { port, config: { C: 'x' }, log: (event) => events.push(event) }))
    expect(failure?.findings.map(({ code, args }) => [code, args.name])).toEqual([
      ['NEED_CONFIG', 'A'],
      ['NEED_CONFIG', 'B'],
      ['CONFIG_UNKNOWN', 'C'],
    ])
    expect(events.filter(({ type }) => type !== 'state')).toEqual([])
    await start(await makeArchive(await tmpDir(), entry, says('x')), { port })
  })

  it('that throws at start, or is not healthy, is an error', async () => {
    const dir = await tmpDir()
    const throws = await makeArchive(dir, entry, { 'app.cjs': 'throw new Error("no database")' })
    expect(await rejection(start(throws))).toMatchObject({ code: 'ENTRY_LOAD', args: { reason: /no database/ } })
    const ill = await makeArchive(
      dir,
      { ...entry, health: { path: '/ok' } },
      { 'app.cjs': 'module.exports = (req, res) => { res.statusCode = 500; res.end() }' },
    )
    expect(await rejection(start(ill))).toMatchObject({ code: 'HEALTH_FAILED', args: { path: '/ok', got: 500 } })
    const silent = await makeArchive(
      dir,
      { ...entry, health: { path: '/ok', timeout: '50ms' } },
      { 'app.cjs': 'module.exports = () => {}' },
    )
    expect(await rejection(start(silent))).toMatchObject({ code: 'HEALTH_FAILED', args: { got: 'no answer' } })
  })
})

describe('a folder of apps', () => {
  it('mounts each at its name, longest mount first, and lists them at the root', async () => {
    const dir = await folderOf({
      'shop-1.2.0.zapp': [{ ...entry, name: 'shop', version: '1.2.0', title: 'A <Shop>' }, says('shop')],
      'shop#admin.zapp': [{ ...entry, name: 'admin', description: '"Keys" & locks' }, says('admin')],
      'renamed.zapp': [{ ...entry, name: 'hello' }, says('hello')],
      'notes.txt': [{ ...entry, name: 'notes' }, says('notes')],
      '.hidden.zapp': [{ ...entry, name: 'hidden' }, says('hidden')],
    })
    await mkdir(join(dir, 'site/public'), { recursive: true })
    await writeFile(join(dir, 'site', 'zapp.json'), JSON.stringify(staticSite))
    await writeFile(join(dir, 'site/public/index.html'), '<h1>static</h1>')
    await mkdir(join(dir, 'not-an-app'))
    const { text, get, host } = await start(dir)

    expect(host.apps.map(({ mount, name, state }) => [mount, name, state])).toEqual([
      ['/renamed', 'hello', 'live'],
      ['/shop', 'shop', 'live'],
      ['/shop/admin', 'admin', 'live'],
      ['/site', 'site', 'live'],
    ])
    expect(await text('/shop/x')).toBe('shop /shop|/x')
    expect(await text('/shop/admin')).toBe('admin /shop/admin|/')
    expect(await text('/shop/administration')).toBe('shop /shop|/administration')
    expect(await text('/site/')).toBe('<h1>static</h1>')
    for (const path of ['/shopping', '/SHOP', '/shop%2f', '/notes', '/hidden', '/not-an-app/', '/x']) {
      expect([path, (await get(path)).status]).toEqual([path, 404])
    }

    const landing = await get('/')
    expect(landing.status).toBe(200)
    expect(landing.headers.get('content-security-policy')).toContain("default-src 'none'")
    const page = await landing.text()
    expect(page).toContain('<a href="/shop/">A &lt;Shop&gt;</a>')
    expect(page).toContain('&quot;Keys&quot; &amp; locks')
    expect(page).toContain('<a href="/shop/admin/">')
    // Nothing that a browser would fetch from anywhere.
    expect(page).not.toMatch(/https?:|<script|@import|url\(/)
    expect((await get('/', { method: 'HEAD' })).headers.get('content-length')).toBe(String(Buffer.byteLength(page)))
    expect((await get('/', { method: 'POST' })).status).toBe(405)
  })

  it('ROOT takes the root; nothing that looks like another path leads around a mount', async () => {
    const dir = await folderOf({
      'ROOT.zapp': [entry, says('root')],
      'secret.zapp': [{ ...entry, name: 'secret' }, says('secret')],
    })
    const { text, host } = await start(dir)
    expect(await text('/')).toBe('root |/')
    expect(await text('/secretly')).toBe('root |/secretly')
    expect(await text('/%73ecret/a')).toBe('secret /secret|/a')
    for (const target of ['/x/../secret/a', '/x/%2e%2e/secret/a', '//secret/a', '/\\secret/a']) {
      const answer = await sendRaw(host.address.port, `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
      expect([target, answer.split('\r\n')[0]]).toEqual([target, 'HTTP/1.1 400 Bad Request'])
    }
  })

  it('of two files for one mount the higher version serves, numbers as numbers', async () => {
    const dir = await folderOf({
      'shop##2.zapp': [{ ...entry, name: 'shop' }, says('two')],
      'shop##11.zapp': [{ ...entry, name: 'shop' }, says('eleven')],
    })
    const { text, events, host } = await start(dir)
    expect(await text('/shop')).toBe('eleven /shop|/')
    expect(events.filter(({ type }) => type === 'shadowed')).toEqual([
      { type: 'shadowed', source: join(dir, 'shop##2.zapp'), by: join(dir, 'shop##11.zapp'), mount: '/shop' },
    ])
    expect(host.apps).toMatchObject([{ version: '11' }])
  })

  it('one that fails takes no other down: 503 with the reason, also on the page that lists them', async () => {
    const dir = await folderOf({
      'good.zapp': [{ ...entry, name: 'good' }, says('good')],
      'bad.zapp': [{ ...entry, name: 'bad' }, { 'app.cjs': 'throw new Error("no database")' }],
      'broken.zapp': [{ ...entry, name: 'broken' }, says('x')],
    })
    await writeFile(join(dir, 'broken.zapp'), 'not a zip, but long enough to be looked at')
    const { text, get, events, host } = await start(dir)
    expect(await text('/good')).toBe('good /good|/')

    const refused = await get('/bad/x')
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toMatch(/^[0-9]+$/)
    expect(await refused.text()).toMatch(/ENTRY_LOAD.*no database/s)
    expect((await get('/broken')).status).toBe(503)
    expect(await text('/')).toMatch(/ENTRY_LOAD: .*no database[\s\S]*EOCD_NOT_AT_END/)

    expect(
      events
        .flatMap((event) => (event.type === 'failed' ? [[event.app.mount, event.error.code, event.kept]] : []))
        .sort(),
    ).toEqual([
      ['/bad', 'ENTRY_LOAD', false],
      ['/broken', 'EOCD_NOT_AT_END', false],
    ])
    expect(host.apps.map(({ mount, state }) => [mount, state])).toEqual([
      ['/bad', 'failed'],
      ['/broken', 'failed'],
      ['/good', 'live'],
    ])
  })

  it('says in the log where a module threw, or could not be parsed, without frames of ours', async () => {
    const dir = await folderOf({
      'throws.zapp': [
        { ...entry, name: 'throws' },
        { 'app.cjs': "module.exports = require('./lib/x.cjs')", 'lib/x.cjs': '\n\nlet o\nmodule.exports = o.name' },
      ],
      'typo.zapp': [
        { ...entry, name: 'typo' },
        { 'app.cjs': "require('./lib/y.cjs')", 'lib/y.cjs': 'const a = 1\nconst b = (;' },
      ],
      'esm.zapp': [
        { name: 'esm', entry: { type: 'node', module: 'app.mjs' } },
        { 'app.mjs': "import './lib/z.mjs'", 'lib/z.mjs': "import './none.mjs'\nconst b = (;" },
      ],
    })
    const { events } = await start(dir)
    const logOf = (name: string) =>
      events.flatMap((event) =>
        event.type === 'log' && event.name === name
          ? [event.line.text]
          : event.type === 'failed' && event.app.name === name
            ? ['failed']
            : [],
      )
    const frames = (lines: string[]) => lines.filter((line) => /^ +at /.test(line))
    const thrown = logOf('throws')
    expect(thrown[0]).toBe("TypeError: Cannot read properties of undefined (reading 'name')")
    expect(frames(thrown)).toEqual([
      expect.stringMatching(/\/lib\/x\.cjs:4:20\)$/),
      expect.stringMatching(/\/app\.cjs:1:18\)$/),
    ])
    expect(thrown.at(-1)).toBe('failed')
    const typo = logOf('typo')
    expect(typo[0]).toMatch(/\/lib\/y\.cjs:2$/)
    expect(typo.slice(1, 5)).toEqual(['const b = (;', '           ^', '', "SyntaxError: Unexpected token ';'"])
    expect(frames(typo)).toHaveLength(1)
    const esm = logOf('esm')
    expect(esm[0]).toMatch(/\/lib\/z\.mjs:2$/)
    expect(esm.slice(1, 5)).toEqual(typo.slice(1, 5))
  })

  it('a broken newer version leaves the mount to the older one', async () => {
    const dir = await folderOf({
      'shop-1.0.0.zapp': [{ ...entry, name: 'shop' }, says('old')],
      'shop-1.1.0.zapp': [{ ...entry, name: 'shop', version: '1.1.0' }, { 'app.cjs': 'throw new Error("new")' }],
    })
    const { text, host } = await start(dir)
    expect(await text('/shop')).toBe('old /shop|/')
    expect(host.apps).toMatchObject([{ version: '1.0.0', state: 'degraded', error: { code: 'ENTRY_LOAD' } }])
  })

  it('tells strangers no more than the code', async () => {
    const dir = await folderOf({
      'bad.zapp': [{ ...entry, name: 'bad' }, { 'app.cjs': 'throw new Error("in /srv/x")' }],
    })
    const { text } = await start(dir, { host: '0.0.0.0' })
    for (const page of [await text('/bad'), await text('/')]) {
      expect(page).toContain('ENTRY_LOAD')
      expect(page).not.toContain('/srv/x')
    }
  })

  it('without an app is an error', async () => {
    expect(await rejection(start(await tmpDir()))).toMatchObject({ code: 'USAGE' })
    expect(await rejection(start(join(await tmpDir(), 'missing')))).toMatchObject({ code: 'NOT_FOUND' })
  })
})

const staticSite = { zapp: 1, name: 'site', version: '1.0.0', routes: { '/': { static: 'public' } } }

describe('configuration', () => {
  const shows = (name: string) => ({ 'app.cjs': `module.exports = (req, res) => res.end(process.env.${name})` })
  const declares = (name: string, value: string) => ({
    ...entry,
    name: name.toLowerCase(),
    config: { [name]: { type: 'string', default: value } },
  })

  it('reaches the apps that declare it: given, else from the env file, else the default', async () => {
    const dir = await folderOf({
      'one.zapp': [declares('HOST_TEST_ONE', 'default 1'), shows('HOST_TEST_ONE')],
      'two.zapp': [declares('HOST_TEST_TWO', 'default 2'), shows('HOST_TEST_TWO')],
      'three.zapp': [declares('HOST_TEST_THREE', 'default 3'), shows('HOST_TEST_THREE')],
    })
    const envFile = join(await tmpDir(), '.env')
    await writeFile(envFile, 'HOST_TEST_ONE=from file\nHOST_TEST_TWO="from = file" # text\nSOMETHING_ELSE=1\n')
    const { text } = await start(dir, { envFile, config: { HOST_TEST_ONE: 'given' } })
    expect([await text('/one'), await text('/two'), await text('/three')]).toEqual([
      'given',
      'from = file',
      'default 3',
    ])
  })

  it('that no app declares is an error, before any app has been started', async () => {
    const dir = await folderOf({
      'one.zapp': [
        declares('HOST_TEST_A', 'a'),
        { 'app.cjs': 'globalThis.wasStarted = true; module.exports = () => {}' },
      ],
      'two.zapp': [declares('HOST_TEST_B', 'b'), shows('HOST_TEST_B')],
    })
    const failure = await rejection(start(dir, { config: { HOST_TEST_A: '1', HOST_TEST_Z: '1' } }))
    expect(failure).toMatchObject({ code: 'CONFIG_UNKNOWN', args: { name: 'HOST_TEST_Z' } })
    expect(globalThis).not.toHaveProperty('wasStarted')
  })

  it('a missing env file is an error', async () => {
    const file = await makeArchive(await tmpDir(), entry, says('x'))
    expect(await rejection(start(file, { envFile: join(stateDir, 'missing') }))).toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('the address', () => {
  it('that is taken is an error that names it, and starts no app', async () => {
    const file = await makeArchive(await tmpDir(), entry, says('first'))
    const { host } = await start(file)
    const second = await makeArchive(await tmpDir(), entry, { 'app.cjs': 'globalThis.secondStarted = true' })
    expect(await rejection(start(second, { port: host.address.port }))).toMatchObject({
      code: 'PORT_IN_USE',
      args: { address: `127.0.0.1:${host.address.port}` },
    })
    expect(globalThis).not.toHaveProperty('secondStarted')
  })
})
