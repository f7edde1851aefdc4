import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type Host, type HostEvent, serve } from '../../src/host/serve.ts'
import { authorities, pairOf } from '../helpers/certificates.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { entry, folderOf, putArchive, stateDir } from './helper.ts'
import { open, parseResponse, readAll, sendRaw, Talk } from './raw.ts'
import { openTls, shownTo, talkTls } from './tls-client.ts'

/** Tells what it sees; a body comes back as its hash; `/events` goes on until the client leaves; WebSockets echo. */
const app = (name: string) => ({
  'app.cjs': `
    const { createHash } = require('node:crypto')
    let left = 0
    const app = (req, res) => {
      if (req.url === '/events') {
        res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: first\\n\\n')
        res.on('close', () => left++)
        return
      }
      const hash = createHash('sha256')
      let length = 0
      req.on('data', (chunk) => { hash.update(chunk); length += chunk.length })
      req.on('end', () => {
        const { host, 'x-forwarded-proto': proto, 'x-forwarded-for': client, forwarded } = req.headers
        const { encrypted = false } = req.socket
        const text = JSON.stringify({ app: '${name}', url: req.url, host, proto, client, forwarded, encrypted, left, hash: length > 0 ? hash.digest('hex') : '' })
        res.setHeader('Content-Length', Buffer.byteLength(text)).end(text)
      })
    }
    app.upgrade = (req, socket, head) => {
      const key = require('node:crypto').createHash('sha1').update(req.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64')
      socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' + key + '\\r\\n\\r\\n')
      // A frame of text, not masked.
      socket.write(Buffer.concat([Buffer.from([0x81, 5]), Buffer.from(req.headers['x-forwarded-proto'])]))
      socket.on('error', () => {}).on('end', () => socket.end())
    }
    module.exports = app`,
})
const manifest = (name: string) => ({ entry: { ...entry.entry, websocket: true }, name })

let host: Host
let settings: string
const events: HostEvent[] = []
const [SECURE, PLAIN, REDIRECT] = ['127.0.0.1', '127.0.0.2', '127.0.0.3']
const portAt = (address: string) => host.listeners.find((one) => one.host === address)?.port ?? 0
const records = () =>
  events.flatMap((event) => (event.type === 'access' ? event.lines.split('\n').map((line) => JSON.parse(line)) : []))
const _certificates = () => events.flatMap((event) => (event.type === 'certificate' ? [event] : []))

beforeAll(async () => {
  const dir = await folderOf({
    'ROOT.zapp': [manifest('root'), app('root')],
    'a.zapp': [manifest('a'), app('a')],
    'b.zapp': [manifest('b'), app('b')],
    'py.zapp': [
      { entry: { type: 'wsgi', app: 'app:application' }, name: 'py' },
      {
        'app.py': `def application(environ, start_response):
    start_response('200 OK', [])
    return [' '.join([environ['wsgi.url_scheme'], 'from', environ['REMOTE_ADDR']]).encode()]
`,
      },
    ],
  })
  for (const name of ['shop.example', 'www.shop.example']) {
    await mkdir(join(dir, name))
    await putArchive(join(dir, name, 'ROOT.zapp'), manifest(name), app(name))
  }
  const root = await tmpDir()
  await mkdir(join(root, '.well-known/acme-challenge'), { recursive: true })
  await writeFile(join(root, '.well-known/acme-challenge/a-Token_1'), 'a-Token_1.thumbprint')
  await symlink('/etc/hostname', join(root, '.well-known/acme-challenge/link'))
  settings = join(root, 'zapp.host.json')
  await writeFile(
    settings,
    JSON.stringify({
      logs: { access: { format: 'json' } },
      listen: [
        { host: REDIRECT, port: 0, redirect: { port: 8443, webroot: '.' } },
        { host: SECURE, port: 0, tls: [await pairOf('shop'), await pairOf('other')] },
        { host: PLAIN, port: 0 },
      ],
    }),
  )
  host = await serve({
    apps: [{ path: dir }],
    settings,
    cache: join(stateDir, 'cache'),
    data: join(stateDir, 'data'),
    log: (event) => events.push(event),
  })
})
afterAll(() => host.close({ drainMs: 0 }))

const get = (target: string, name = 'shop.example', fields = '') =>
  `GET ${target} HTTP/1.1\r\nHost: ${name}\r\n${fields}\r\n`
const json = ({ body }: { body: string }) => JSON.parse(body)

describe('over TLS', () => {
  it('an app sees https and the client, and the host tells the address', async () => {
    expect(host.address).toMatchObject({ host: SECURE, url: `https://${SECURE}:${portAt(SECURE)}/` })
    const talk = await talkTls(portAt(SECURE))
    const claims = 'X-Forwarded-Proto: http\r\nX-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n'
    const answer = json(await talk.ask(get('/x?y', 'localhost', claims)))
    expect(answer).toMatchObject({ app: 'root', url: '/x?y', proto: 'https', client: '127.0.0.1', encrypted: true })
    expect(answer.forwarded).toBe('for=127.0.0.1;host="localhost";proto=https')
    talk.socket.destroy()
    await expect.poll(() => records().at(-1)).toMatchObject({ target: '/x?y', status: 200, peer: '127.0.0.1' })
    expect(host.metrics().get('/')?.requests).toEqual({ '1.0.0': { '2xx': 1 } })
  })

  it('so does one of Python', async () => {
    const socket = await openTls(portAt(SECURE))
    socket.write(get('/py/', 'localhost', 'Connection: close\r\n'))
    expect(await readAll(socket)).toContain('https from 127.0.0.1')
  })

  it('the certificate is that of the name, and the first for any other and for none', async () => {
    const port = portAt(SECURE)
    expect(
      await Promise.all(['shop.example', 'www.shop.example', 'other.example'].map((n) => shownTo(port, n))),
    ).toEqual(['shop', 'shop', 'other'])
    expect([await shownTo(port, 'unknown.example'), await shownTo(port, '')]).toEqual(['shop', 'shop'])
  })

  it('HTTP/1.1 is what is spoken, and TLS 1.2 the least', async () => {
    const both = await openTls(portAt(SECURE), undefined, { ALPNProtocols: ['h2', 'http/1.1'] })
    expect([both.alpnProtocol, both.getProtocol()]).toEqual(['http/1.1', 'TLSv1.3'])
    both.destroy()
    const older = await openTls(portAt(SECURE), undefined, { maxVersion: 'TLSv1.2' })
    expect(older.getProtocol()).toBe('TLSv1.2')
    older.destroy()
    const refused = async (options: object) =>
      openTls(portAt(SECURE), undefined, options).then(
        () => 'connected',
        ({ code }) => code,
      )
    expect(await refused({ ALPNProtocols: ['h2'] })).toMatch(/NO_APPLICATION_PROTOCOL/)
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }
    expect(await refused(old)).toMatch(/PROTOCOL_VERSION/)
  })

  it('a session is taken up again', async () => {
    const first = await openTls(portAt(SECURE))
    const [session] = await once(first, 'session')
    first.destroy()
    const second = await openTls(portAt(SECURE), undefined, { session })
    expect(second.isSessionReused()).toBe(true)
    second.destroy()
  })

  it('every request is judged as without', async () => {
    const port = portAt(SECURE)
    const status = async (bytes: string) => {
      const socket = await openTls(port)
      socket.write(bytes, 'latin1')
      return parseResponse(await readAll(socket)).status
    }
    const close = 'Connection: close\r\n'
    expect(await status(get('/a/../b'))).toBe(400)
    expect(await status('GET / HTTP/1.1\r\nHost: shop.example\r\nHost: shop.example\r\n\r\n')).toBe(400)
    expect(await status(get('https://other.example/', 'shop.example'))).toBe(400)
    expect(await status(get('/', 'shop.example', `Transfer-Encoding: gzip, chunked\r\n`))).toBe(501)
    expect(await status('GET /\x00 HTTP/1.1\r\n\r\n')).toBe(400)
    expect(await status(get(`https://shop.example/`, 'shop.example', close))).toBe(200)
  })

  it('10 MB go up', async () => {
    const body = randomBytes(10 * 1024 * 1024)
    const talk = await talkTls(portAt(SECURE))
    talk.socket.write(`POST /a/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`)
    talk.socket.write(body)
    expect(json(await talk.answer()).hash).toBe(createHash('sha256').update(body).digest('hex'))
    talk.socket.destroy()
  })

  it('events arrive as they are sent, and the app learns that the client has left', async () => {
    const left = async () => {
      const talk = await talkTls(portAt(SECURE))
      const answer = json(await talk.ask(get('/b/', 'localhost')))
      talk.socket.destroy()
      return answer.left
    }
    expect(await left()).toBe(0)
    const socket = await openTls(portAt(SECURE))
    socket.write(get('/b/events', 'localhost'))
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    await expect.poll(() => text).toContain('data: first')
    socket.destroy()
    await expect.poll(() => left()).toBe(1)
  })

  it('a WebSocket opens', async () => {
    const url = `wss://localhost:${portAt(SECURE)}/a/`
    const socket = new WebSocket(url, { host: SECURE, ca: await authorities('shop') })
    const [message] = await once(socket, 'message')
    expect(String(message)).toBe('https')
    socket.terminate()
  })
})

describe('a connection and the hosts on it', () => {
  const names = ['shop.example', 'www.shop.example', 'localhost']
  const apps = ['shop.example', 'www.shop.example', 'root']

  it.each([
    ['handed over', () => open(portAt(PLAIN), PLAIN), 'http'],
    ['over TLS', () => openTls(portAt(SECURE)), 'https'],
  ] as const)('%s: each request reaches the app of its host alone', async (_, connected, scheme) => {
    // One after the other, in one segment, in absolute form, and torn in two between host and host.
    for (const absolute of [false, true]) {
      const ask = (name: string) => get(absolute ? `${scheme}://${name}/x` : '/x', name)
      for (const first of names) {
        const talk = new Talk(await connected())
        const order = [first, ...names, first]
        const answers = []
        for (const name of order) answers.push(json(await talk.ask(ask(name))))
        talk.socket.write(order.map(ask).join(''))
        for (const _ of order) answers.push(json(await talk.answer()))
        const last = ask(names[1] as string)
        answers.push(json(await talk.ask(ask(first))))
        talk.socket.write(last.slice(0, last.length - 8))
        const rest = talk.ask(last.slice(last.length - 8))
        answers.push(json(await rest))
        talk.socket.destroy()
        const wanted = [...order, ...order, first, names[1]].map((name) => apps[names.indexOf(name as string)])
        expect(answers.map(({ app }) => app)).toEqual(wanted)
        expect(answers.map(({ host }) => host)).toEqual([...order, ...order, first, names[1]])
      }
    }
  })

  it('an absolute target of another host than Host is refused, also on a connection that is held', async () => {
    for (const [connected, scheme] of [
      [() => open(portAt(PLAIN), PLAIN), 'http'],
      [() => openTls(portAt(SECURE)), 'https'],
    ] as const) {
      const talk = new Talk(await connected())
      expect(json(await talk.ask(get('/x'))).app).toBe('shop.example')
      const crossed = get(`${scheme}://www.shop.example/x`, 'shop.example')
      expect((await talk.ask(crossed)).status).toBe(400)
      expect(await talk.answer()).toMatchObject({ status: 0 })
    }
  })

  it('a host that the certificate is not for is misdirected, and the connection goes on', async () => {
    const talk = await talkTls(portAt(SECURE), 'shop.example')
    expect((await talk.ask(get('/', 'other.example'))).status).toBe(421)
    expect((await talk.ask(get('https://other.example/', 'other.example'))).status).toBe(421)
    expect(json(await talk.ask(get('/', 'shop.example'))).app).toBe('shop.example')
    talk.socket.destroy()
    await expect.poll(() => records().filter(({ status }) => status === 421)).toHaveLength(2)
    const other = await talkTls(portAt(SECURE), 'other.example')
    expect(json(await other.ask(get('/', 'other.example'))).app).toBe('root')
    expect((await other.ask(get('/', 'shop.example'))).status).toBe(421)
    other.socket.destroy()
  })
})

describe('what is no TLS', () => {
  it('is told so, where it is HTTP', async () => {
    const answer = parseResponse(await sendRaw(portAt(SECURE), get('/')))
    expect([answer.status, answer.body]).toEqual([400, expect.stringContaining('https')])
  })

  it('and what only begins like it ends', async () => {
    const garbage = Buffer.from('160301001001020304050607080901020304050607', 'hex').toString('latin1')
    // An alert, in the clear.
    expect(await sendRaw(portAt(SECURE), garbage)).toMatch(/^\x15\x03/)
    const socket = await open(portAt(SECURE))
    const ended = readAll(socket)
    socket.end()
    expect(await ended).toBe('')
    expect((await (await talkTls(portAt(SECURE))).ask(get('/'))).status).toBe(200)
  })
})

describe('a listener that leads to https', () => {
  const ask = async (bytes: string) => {
    const socket = await open(portAt(REDIRECT), REDIRECT)
    socket.write(bytes)
    return parseResponse(await readAll(socket))
  }
  const close = 'Connection: close\r\n'

  it('keeps host and path, whatever the method', async () => {
    const { status, headers } = await ask(get('/a/b?c=%2F', 'shop.example:80', close))
    expect([status, headers.location]).toEqual([308, 'https://shop.example:8443/a/b?c=%2F'])
    const post = `POST http://shop.example/x HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 2\r\n${close}\r\nhi`
    expect(await ask(post)).toMatchObject({ status: 308, headers: { location: 'https://shop.example:8443/x' } })
    expect((await ask(get('//evil/x', 'shop.example', close))).status).toBe(400)
    expect((await ask(get('/', 'a/b', close))).status).toBe(400)
    expect((await ask('GET / HTTP/1.0\r\n\r\n')).status).toBe(400)
  })

  it('answers challenges out of the folder, and nothing else', async () => {
    const challenge = (token: string) => ask(get(`/.well-known/acme-challenge/${token}`, 'shop.example', close))
    expect(await challenge('a-Token_1')).toMatchObject({ status: 200, body: 'a-Token_1.thumbprint' })
    for (const token of ['none', 'link']) expect((await challenge(token)).status).toBe(404)
    for (const token of ['', '.', 'a.b']) expect((await challenge(token)).status).not.toBe(200)
    expect((await ask(get('/zapp.host.json', 'shop.example', close))).status).toBe(308)
  })
})
