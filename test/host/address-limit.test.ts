import { writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { renderMetrics } from '../../src/host/admin/prometheus.ts'
import { AddressLimit } from '../../src/host/front/address-limit.ts'
import { placeOf } from '../../src/host/front/place.ts'
import { pairOf } from '../helpers/certificates.ts'
import { entry, folderOf, type Served, settingsFile, start } from './helper.ts'
import { type RawResponse, Talk } from './raw.ts'
import { openTls } from './tls-client.ts'

const node = {
  'app.cjs': `module.exports = (req, res) => {
    const text = String(process.pid)
    res.setHeader('Content-Length', text.length).end(text)
  }`,
}
const python = {
  'app.py': `import os
def application(environ, start_response):
    text = str(os.getpid()).encode()
    start_response('200 OK', [('Content-Length', str(len(text)))])
    return [text]
`,
}
const wsgi = { type: 'wsgi', app: 'app:application' }
const APPS: Readonly<Record<string, Parameters<typeof folderOf>[0][string]>> = {
  '/static/': [{ name: 'static', routes: { '/': { static: 'public' } } }, { 'public/index.html': 'hello' }],
  '/node': [{ ...entry, name: 'node' }, node],
  '/other': [{ ...entry, name: 'other' }, node],
  '/sleepy': [{ ...entry, name: 'sleepy' }, node],
  '/python': [{ entry: wsgi, name: 'python', workers: { processes: 1 } }, python],
}
const [ONE, OTHER] = ['127.0.0.2', '127.0.0.3']

/** With two connections for each address, also of loopback. @param paths of apps */
async function serve(paths: readonly string[], settings: object = {}): Promise<Served & { readonly settings: string }> {
  const file = await settingsFile({ perAddress: { connections: 2, except: [] }, ...settings })
  const apps = await folderOf(
    Object.fromEntries(paths.map((path) => [`${path.replaceAll('/', '')}.zapp`, APPS[path]!])),
  )
  return { ...(await start(apps, { settings: file, accessLog: 'json' })), settings: file }
}

const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`

/** One more connection, and its first answer. */
async function ask({ host }: Served, path: string, from = ONE): Promise<RawResponse & { readonly talk: Talk }> {
  const socket = connect({ port: host.address.port, host: '127.0.0.1', localAddress: from })
  onTestFinished(() => void socket.destroy())
  const talk = new Talk(socket)
  return { ...(await talk.ask(request(path))), talk }
}
const statusOf = async (...asked: Parameters<typeof ask>) => {
  const { status, talk } = await ask(...asked)
  talk.socket.destroy()
  return status
}

/** When what has ended is known to have: there is room for two, and for no third one. */
async function isAllFree(served: Served): Promise<void> {
  for (let held = 0; held < 2; held++) {
    await expect.poll(async () => (await ask(served, '/static/')).status, { timeout: 5000 }).toBe(200)
  }
  expect(await statusOf(served, '/static/')).toBe(429)
}

describe.each(['/static/', '/node', '/python', '/sleepy'])('connections of one address to %s', (path) => {
  it('are so many at once; one that ends makes room for the next', async () => {
    const served = await serve(['/static/', path], { apps: { sleepy: { idle: '1h' } } })
    const first = await ask(served, path)
    const second = await ask(served, path)
    expect([first.status, second.status]).toEqual([200, 200])
    expect(await ask(served, path)).toMatchObject({
      status: 429,
      headers: { 'retry-after': '10', connection: 'close' },
    })
    expect(await statusOf(served, path, OTHER)).toBe(200)
    // Those that are there go on.
    expect((await second.talk.ask(request(path))).status).toBe(200)
    first.talk.socket.destroy()
    await expect.poll(() => statusOf(served, path)).toBe(200)
    second.talk.socket.destroy()
    await isAllFree(served)
  })
})

it('a refusal is logged with its address, and counted', async () => {
  const served = await serve(['/static/', '/node'])
  await Promise.all([ask(served, '/static/'), ask(served, '/node')])
  await ask(served, '/node')
  const lines = () => served.events.flatMap((event) => (event.type === 'access' ? event.lines.split('\n') : []))
  await expect
    .poll(() => lines().map((line) => JSON.parse(line)))
    .toContainEqual(expect.objectContaining({ status: 429, peer: ONE, app: '-' }))
  expect(renderMetrics(new Map(), served.host)).toContain('\nzapp_refused_connections_total 1\n')
})

it('a connection is counted once wherever it goes: to one app, back for another, and on to the next version', async () => {
  const served = await serve(['/static/', '/node', '/other', '/python'])
  const [mixed, held] = [await ask(served, '/node'), await ask(served, '/python')]
  const third = () => statusOf(served, '/static/')
  // It comes back from the process, and stays in the host.
  expect((await mixed.talk.ask(request('/other'))).status).toBe(200)
  expect(await third()).toBe(429)
  for (const app of ['/python', '/node', '/other']) {
    await served.host.restart(app)
    expect(await third()).toBe(429)
  }
  const next = await held.talk.ask(request('/python'))
  expect(next.status).toBe(200)
  expect(next.body).not.toBe(held.body)
  expect(await third()).toBe(429)
  mixed.talk.socket.destroy()
  held.talk.socket.destroy()
  await isAllFree(served)
})

it.each(['/node', '/python'])('a process of %s that dies holds none any more', async (path) => {
  const served = await serve(['/static/', path])
  const held = [await ask(served, path), await ask(served, path)]
  expect(await statusOf(served, '/static/')).toBe(429)
  process.kill(Number(held[0]?.body), 'SIGKILL')
  await isAllFree(served)
})

it('proxies may have any number, and so may this machine where nothing else is said', async () => {
  const proxied = await serve(['/node'], { proxies: [ONE] })
  for (let i = 0; i < 4; i++) expect((await ask(proxied, '/node')).status).toBe(200)
  const usual = await serve(['/node'], { perAddress: { connections: 1 } })
  for (let i = 0; i < 4; i++) expect((await ask(usual, '/node')).status).toBe(200)
})

it('another number holds from the moment that the settings are read again, for those that are there, too', async () => {
  const served = await serve(['/static/', '/node'])
  const held = [await ask(served, '/node'), await ask(served, '/static/')]
  const use = async (connections: number) => {
    await writeFile(served.settings, JSON.stringify({ perAddress: { connections, except: [] } }))
    await served.host.reload()
  }
  await use(3)
  expect([(await ask(served, '/node')).status, await statusOf(served, '/node')]).toEqual([200, 429])
  await use(1)
  held[0]?.talk.socket.destroy()
  for (let i = 0; i < 3; i++) expect(await statusOf(served, '/node')).toBe(429)
})

it('over TLS one too many is closed without a handshake', async () => {
  const served = await serve(['/node', '/static/'], { listen: { port: 0, tls: await pairOf('shop') } })
  const open = async () => {
    const socket = await openTls(served.host.address.port, 'shop.example', { localAddress: ONE } as object)
    onTestFinished(() => void socket.destroy())
    return new Talk(socket)
  }
  const talks = [await open(), await open()]
  for (const talk of talks) {
    expect((await talk.ask(request('/node').replace('Host: x', 'Host: shop.example'))).status).toBe(200)
  }
  await expect(open()).rejects.toThrow()
  expect(served.host.refusedConnections).toBe(1)
  talks[0]?.socket.destroy()
  await expect.poll(() => open().then(() => 'open', String)).toBe('open')
})

it('addresses of IPv6 are counted by what one subscriber has', () => {
  const limit = new AddressLimit()
  limit.use({ connections: 1 })
  const admit = (remoteAddress: string) => {
    const socket = { remoteAddress, once: () => {} } as unknown as Socket
    return limit.admit(socket) ? placeOf(socket) : 'too many'
  }
  const first = admit('2001:db8:0:7::1')
  expect(admit('2001:db8:0:7:ffff::2')).toBe('too many')
  expect(admit('2001:db8::7:0:0:1')).not.toBe('too many')
  expect(admit('2001:db8:0:8::1')).not.toBe('too many')
  expect(admit('::ffff:192.0.2.1')).not.toBe('too many')
  expect(admit('192.0.2.1')).toBe('too many')
  for (let i = 0; i < 3; i++) expect(admit('::1')).toBeUndefined()
  if (typeof first === 'object') for (let i = 0; i < 2; i++) first.end()
  expect(admit('2001:db8:0:7::3')).not.toBe('too many')
  expect(admit('2001:db8:0:7::4')).toBe('too many')
})
