import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readSettings } from '../../src/host/settings/read-settings.ts'
import { pairOf, replacePair } from '../helpers/certificates.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { entry, folderOf, putArchive, rejection, type Served, says, start } from './helper.ts'
import { open, readAll, Talk } from './raw.ts'
import { openTls, shownTo, talkTls } from './tls-client.ts'

/** No port of the command line. */
const FILE_SAYS = { port: undefined } as object
const A = '127.0.0.1'
const B = '127.0.0.2'
const get = (name = 'localhost', path = '/a') => `GET ${path} HTTP/1.1\r\nHost: ${name}\r\n\r\n`
const apps = () => folderOf({ 'a.zapp': [{ ...entry, name: 'a' }, says('a')] })

/** A host with a settings file that a test writes anew. */
async function startWith(
  listen: unknown,
  more: object = {},
): Promise<Served & { write(listen: unknown, more?: object): Promise<void> }> {
  const settings = join(await tmpDir(), 'zapp.host.json')
  const write = (next: unknown, rest: object = {}) => writeFile(settings, JSON.stringify({ listen: next, ...rest }))
  await write(listen, more)
  const served = await start(await apps(), { settings, accessLog: 'json', ...FILE_SAYS })
  return { ...served, write }
}

const portAt = ({ host }: Served, address: string) => host.listeners.find((one) => one.host === address)?.port ?? 0
const certificates = ({ events }: Served) => events.flatMap((event) => (event.type === 'certificate' ? [event] : []))
const connects = (port: number, address: string) =>
  open(port, address).then(
    (socket) => socket.destroy() !== undefined,
    () => false,
  )

describe('certificates', () => {
  it('whose files are replaced are taken, and no connection is cut', async () => {
    const pair = await pairOf('shop')
    const served = await startWith({ host: A, port: 0, tls: pair })
    const { port } = served.host.address
    expect(certificates(served)).toMatchObject([{ kept: false, findings: [], certificate: { files: pair } }])
    const talk = await talkTls(port)
    expect((await talk.ask(get())).status).toBe(200)
    await replacePair(pair, 'renewed')
    await expect.poll(() => shownTo(port, 'shop.example')).toBe('renewed')
    expect((await talk.ask(get())).status).toBe(200)
    talk.socket.destroy()

    // What cannot be used changes nothing, and says why.
    await replacePair(pair, 'other', 'shop')
    await expect.poll(() => certificates(served)).toHaveLength(3)
    expect(certificates(served)[2]).toMatchObject({ kept: true, findings: [{ code: 'TLS_MISMATCH', path: pair.key }] })
    expect(await shownTo(port, 'shop.example')).toBe('renewed')
  })

  it('are read again after SIGHUP; one that is no longer good stays as it was', async () => {
    const [pair, other] = [await pairOf('shop'), await pairOf('other')]
    const served = await startWith({ host: A, port: 0, tls: [pair, other] })
    const { port } = served.host.address
    await replacePair(pair, 'renewed')
    await replacePair(other, 'expired')
    await served.host.reload()
    expect([await shownTo(port, 'shop.example'), await shownTo(port, 'other.example')]).toEqual(['renewed', 'other'])
    expect(certificates(served).slice(2)).toMatchObject([
      { kept: false, certificate: { files: pair } },
      { kept: true, certificate: { files: other }, findings: [{ code: 'TLS_EXPIRED', path: other.cert }] },
    ])
    expect(served.events.at(-1)).toEqual({ type: 'reloaded' })
  })

  it('that are wrong keep a host from starting, and an expired one does not', async () => {
    const pair = await pairOf('shop')
    await replacePair(pair, 'shop', 'other')
    expect(await rejection(startWith({ host: A, port: 0, tls: pair }))).toMatchObject({ code: 'TLS_MISMATCH' })
    const served = await startWith({ host: A, port: 0, tls: await pairOf('expired') })
    expect(certificates(served)).toMatchObject([
      { kept: false, findings: [{ code: 'TLS_EXPIRED', severity: 'warning' }] },
    ])
  })

  it('are measured: when they expire', async () => {
    const tls = await pairOf('shop')
    const admin = { host: A, port: 0 }
    const { host } = await start(await apps(), { tls, admin, state: join(await tmpDir(), 'state') })
    const token = await readFile(host.admin?.tokenFile ?? '', 'utf8')
    const asked = await fetch(new URL('metrics', host.admin?.url), {
      headers: { Authorization: `Bearer ${token.trim()}` },
    })
    const expiry = Date.parse('2126-01-01T00:00:00Z') / 1000
    expect(await asked.text()).toContain(`zapp_certificate_expiry_timestamp_seconds{file="${tls.cert}"} ${expiry}\n`)
  })

  it('are for the names that the settings say', async () => {
    const [pair, other] = [await pairOf('shop'), await pairOf('other')]
    const named = { ...other, hosts: ['*.named.example'] }
    const served = await startWith({ host: A, port: 0, tls: [pair, named] })
    const { port } = served.host.address
    const shown = await Promise.all(['a.named.example', 'other.example'].map((name) => shownTo(port, name)))
    expect(shown).toEqual(['other', 'shop'])
  })
})

describe('addresses', () => {
  it('come and go after SIGHUP, and those that stay are not touched', async () => {
    const pair = await pairOf('shop')
    const served = await startWith([
      { host: A, port: 0 },
      { host: B, port: 0 },
    ])
    const [stays, goes] = [portAt(served, A), portAt(served, B)]
    const [held, left] = [new Talk(await open(stays, A)), new Talk(await open(goes, B))]
    for (const talk of [held, left]) expect((await talk.ask(get())).status).toBe(200)
    await served.write([
      { host: A, port: 0 },
      { host: '127.0.0.3', port: 0, tls: pair },
    ])
    await served.host.reload()
    expect(served.host.listeners.map(({ host }) => host)).toEqual([A, '127.0.0.3'])
    expect(portAt(served, A)).toBe(stays)
    expect(await connects(goes, B)).toBe(false)
    // Also what was accepted where nobody listens any more goes on.
    for (const talk of [held, left]) expect((await talk.ask(get())).status).toBe(200)
    const secure = await talkTls(portAt(served, '127.0.0.3'), undefined, { host: '127.0.0.3' })
    expect((await secure.ask(get())).status).toBe(200)
    for (const { socket } of [held, left, secure]) socket.destroy()
  })

  it('change what they are for', async () => {
    const served = await startWith({ host: A, port: 0 })
    const { port } = served.host.address
    const talk = new Talk(await open(port))
    expect((await talk.ask(get())).status).toBe(200)
    await served.write({ host: A, port: 0, tls: await pairOf('shop') })
    await served.host.reload()
    expect(served.host.address).toEqual({ host: A, port, url: `https://${A}:${port}/` })
    expect(await shownTo(port, 'shop.example')).toBe('shop')
    expect((await talk.ask(get())).status).toBe(200)
    await served.write({ host: A, port: 0, redirect: {} })
    await served.host.reload()
    const other = new Talk(await open(port))
    expect(await other.ask(get('shop.example'))).toMatchObject({
      status: 308,
      headers: { location: 'https://shop.example/a' },
    })
    for (const { socket } of [talk, other]) socket.destroy()
  })

  it('that cannot be had change nothing, and it is said why', async () => {
    const taken = createServer().listen(0, B)
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    const served = await startWith({ host: A, port: 0 }, { proxies: ['192.0.2.1'] })
    const before = served.host.listeners
    await served.write(
      [
        { host: '127.0.0.3', port: 0 },
        { host: B, port },
      ],
      { apps: { a: { enabled: false } } },
    )
    expect(await rejection(served.host.reload())).toMatchObject({
      code: 'PORT_IN_USE',
      args: { address: `${B}:${port}` },
    })
    expect(served.events.at(-1)).toMatchObject({ type: 'reloaded', error: { code: 'PORT_IN_USE' } })
    expect(served.host.listeners).toEqual(before)
    expect(await served.text('/a')).toBe('a /a|/')
    // Neither does a certificate.
    const bad = { ...(await pairOf('shop')), key: join(await tmpDir(), 'missing') }
    await served.write([
      { host: A, port: 0 },
      { host: B, port: 0, tls: bad },
    ])
    expect(await rejection(served.host.reload())).toMatchObject({ code: 'NOT_FOUND', args: { file: bad.key } })
    expect(served.host.listeners).toEqual(before)
    taken.close()
  })

  it('of one port replace each other', async () => {
    const served = await startWith({ host: A, port: 0 })
    const { port } = served.host.address
    await served.write({ host: A, port })
    await served.host.reload()
    expect(served.host.address).toMatchObject({ host: A, port })
    // The same address in another spelling: the system lets nobody listen there twice.
    await served.write({ host: '127.1', port })
    await served.host.reload()
    expect(served.host.address).toMatchObject({ host: '127.1', port })
    expect(await connects(port, A)).toBe(true)
    await served.write([
      { host: A, port },
      { host: '192.0.2.1', port: 0 },
    ])
    expect(await rejection(served.host.reload())).toMatchObject({ code: 'IO' })
    // The one that had to go first is there again.
    expect(served.host.listeners).toMatchObject([{ host: '127.1', port }])
    expect(await connects(port, A)).toBe(true)
  })

  it('trust the proxies that the settings name now', async () => {
    const served = await startWith({ host: A, port: 0 })
    const { port } = served.host.address
    const peers = () =>
      served.events.flatMap((event) =>
        event.type === 'access' ? event.lines.split('\n').map((line) => JSON.parse(line).peer) : [],
      )
    const ask = async () => {
      const before = peers().length
      const talk = new Talk(await open(port))
      await talk.ask('GET /a HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n')
      talk.socket.destroy()
      await expect.poll(() => peers().length).toBe(before + 1)
      return peers().at(-1)
    }
    expect(await ask()).toBe(A)
    await served.write({ host: A, port: 0 }, { proxies: [A] })
    await served.host.reload()
    expect(await ask()).toBe('192.0.2.9')
    await served.write({ host: A, port: 0 })
    await served.host.reload()
    expect(await ask()).toBe(A)
  })

  it.each([
    ['twice the same', '{"listen": [{"port": 1}, {"host": "127.0.0.1", "port": 1}]}', 'MANIFEST_VALUE', 1, 26],
    ['TLS and a redirect', '{"listen": {"tls": {"cert": "a", "key": "b"}, "redirect": {}}}', 'MANIFEST_VALUE', 1, 47],
    ['a list without any', '{"listen": []}', 'MANIFEST_VALUE', 1, 12],
    ['a port beyond all', '{"listen": [{"port": 70000}]}', 'MANIFEST_VALUE', 1, 22],
    ['a key that is none', '{"listen": [{"prot": 1}]}', 'MANIFEST_UNKNOWN_KEY', 1, 14],
    ['a certificate without a key', '{"listen": {"tls": [{"cert": "a"}]}}', 'MANIFEST_REQUIRED', 1, 21],
    ['something else', '{"listen": 8080}', 'MANIFEST_TYPE', 1, 12],
  ])('with %s are refused, with their place', async (_, text, code, line, column) => {
    const file = join(await tmpDir(), 'zapp.host.json')
    await writeFile(file, text)
    const error = await rejection(readSettings(file))
    expect(error?.findings).toMatchObject([{ code, line, column }])
  })

  it('of the command line are the only ones', async () => {
    const settings = join(await tmpDir(), 'zapp.host.json')
    await writeFile(
      settings,
      JSON.stringify({
        listen: [
          { host: B, port: 0 },
          { host: '127.0.0.3', port: 0 },
        ],
      }),
    )
    const served = await start(await apps(), { settings, port: 0, tls: await pairOf('shop') })
    expect(served.host.listeners).toMatchObject([{ host: A, isRedirect: false }])
    expect((await (await talkTls(served.host.address.port)).ask(get())).status).toBe(200)
  })
})

describe('a host over TLS', () => {
  it('is redeployed without a failed request', async () => {
    const dir = await apps()
    const served = await start(dir, { tls: await pairOf('shop'), watch: true, state: join(await tmpDir(), 'state') })
    const { port } = served.host.address
    let going = true
    const seen = new Map<string, number>()
    const clients = Array.from({ length: 4 }, async () => {
      const talk = await talkTls(port)
      while (going) {
        const { status, body } = await talk.ask(get())
        const answer = `${status} ${body}`
        seen.set(answer, (seen.get(answer) ?? 0) + 1)
      }
      talk.socket.destroy()
    })
    for (let version = 2; version < 5; version++) {
      const text = `version ${version}`
      const upload = await putArchive(
        join(await tmpDir(), 'a.zapp'),
        { ...entry, name: 'a', version: `${version}.0.0` },
        says(text),
      )
      await served.host.deploy({ path: upload })
      await expect.poll(() => [...seen.keys()]).toContain(`200 ${text} /a|/`)
    }
    going = false
    await Promise.all(clients)
    expect([...seen.keys()].filter((answer) => !answer.startsWith('200 '))).toEqual([])
  })

  it('ends with the last request; what is idle or not yet secured ends at once', async () => {
    const reads = "module.exports = (req, res) => req.resume().on('end', () => res.end('read'))"
    const dir = await folderOf({ 'a.zapp': [{ ...entry, name: 'a' }, { 'app.cjs': reads }] })
    const served = await start(dir, { tls: await pairOf('shop') })
    const { port } = served.host.address
    const [used, silent, raw] = [await talkTls(port), await openTls(port), await open(port)]
    const running = await talkTls(port)
    expect((await used.ask(get())).status).toBe(200)
    const begun = await running.ask(
      'POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nha',
    )
    expect(begun.status).toBe(100)
    raw.write(Buffer.from([0x16, 3, 1]))
    const ended = Promise.all([readAll(silent), readAll(raw), once(used.socket, 'close')])
    const closed = served.host.close()
    expect((await ended).slice(0, 2)).toEqual(['', ''])
    await expect(open(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(await running.ask('lf')).toMatchObject({ status: 200, headers: { connection: 'close' } })
    await closed
  })
})
