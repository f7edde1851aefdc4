import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { attach } from '../../src/adapters/node-http.ts'
import type { App } from '../../src/runtimes/load.ts'
import { listen, load } from '../helpers/load.ts'
import { npmTree } from '../helpers/npm-tree.ts'

const ws = npmTree('ws')
const entry = { type: 'node', module: 'app.js', websocket: true }

/** As ws documents it: a server for a path of an `http.Server`. */
const server = `
  const { WebSocketServer } = require("ws")
  const server = require("node:http").createServer((req, res) => res.end("page"))
  new WebSocketServer({ server, path: "/echo" }).on("connection", (socket, req) => {
    socket.send(JSON.stringify([req.url, req.originalUrl]))
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  module.exports = server`

const exported = `
  const { WebSocketServer } = require("ws")
  const wss = new WebSocketServer({ noServer: true })
  module.exports = (req, res) => res.end("page")
  module.exports.upgrade = (req, socket, head) => wss.handleUpgrade(req, socket, head, (s) => s.on("message", (d) => s.send(String(d))))`

async function serve(app: App): Promise<string> {
  const made = createServer()
  attach(made, app)
  return (await listen(made)).replace('http:', 'ws:')
}

/** The raw answer to an upgrade, up to the end of the connection. */
async function handshake(origin: string, path: string, upgrade = 'websocket'): Promise<string> {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1')
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\n` +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  )
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk
  })
  await once(socket, 'close')
  return text
}

describe('an upgrade', () => {
  it('reaches a server that the app exports, below the mount', async () => {
    const app = await load({ entry }, { 'app.js': server, ...ws }, { mount: '/shop' })
    const socket = new WebSocket(`${await serve(app)}/shop/echo?a=1`)
    const [hello] = await once(socket, 'message')
    expect(JSON.parse(String(hello))).toEqual(['/echo?a=1', '/shop/echo?a=1'])
    const bytes = Buffer.alloc(300_000, 7)
    socket.send(bytes)
    expect((await once(socket, 'message'))[0]).toEqual(bytes)
    socket.close()
    expect((await once(socket, 'close'))[0]).toBe(1005)
    expect(await (await app.fetch(new Request('http://a/shop/'))).text()).toBe('page')
  })

  it('reaches a function that the app exports as upgrade', async () => {
    const app = await load({ entry }, { 'app.js': exported, ...ws })
    const socket = new WebSocket(await serve(app))
    await once(socket, 'open')
    socket.send('hi')
    expect(String((await once(socket, 'message'))[0])).toBe('hi')
    socket.terminate()
  })

  it('may be allowed by a route alone', async () => {
    const routes = { '/live/*': { entry: 'main', websocket: true }, '/': { entry: 'main' } }
    const app = await load({ entry: { ...entry, websocket: false }, routes }, { 'app.js': exported, ...ws })
    const origin = await serve(app)
    const socket = new WebSocket(`${origin}/live/x`)
    await once(socket, 'open')
    socket.terminate()
    expect(await handshake(origin, '/other')).toMatch(/^HTTP\/1\.1 400 /)
  })

  it('is refused, in words, and closed where the app does not take it', async () => {
    const files = { 'app.js': 'module.exports = (req, res) => res.end()', 'public/a.txt': 'a' }
    const routes = { '/': { static: 'public' }, '/app/*': { entry: 'main' } }
    const declared = await serve(await load({ entry, routes }, files))
    const silent = await serve(await load({ entry: { ...entry, websocket: false }, routes }, files))
    expect(await handshake(silent, '/app/')).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nConnection: close\r\n/)
    expect(await handshake(silent, '/app/')).toContain('No WebSocket upgrade is possible at this path.')
    expect(await handshake(declared, '/a.txt')).toMatch(/^HTTP\/1\.1 400 /)
    expect(await handshake(declared, '/none')).toMatch(/^HTTP\/1\.1 404 /)
    expect(await handshake(declared, '/app/../x')).toMatch(/^HTTP\/1\.1 400 /)
    expect(await handshake(declared, '/app/')).toMatch(/^HTTP\/1\.1 501 /)
    expect(await handshake(declared, '/app/', 'h2c')).toContain('Only upgrades to websocket')
  })

  it('that fails in the app is told and closed', async () => {
    const errors: unknown[] = []
    const code = 'module.exports = () => {}; module.exports.upgrade = async () => { throw new Error("no") }'
    const app = await load({ entry }, { 'app.js': code }, { onError: (error, where) => errors.push([error, where]) })
    expect(await handshake(await serve(app), '/')).toBe('')
    expect(errors).toMatchObject([[{ message: 'no' }, 'entry main']])
  })

  it('is ended when the app is closed', async () => {
    const app = await load({ entry }, { 'app.js': exported, ...ws })
    const origin = await serve(app)
    const socket = new WebSocket(origin)
    await once(socket, 'open')
    const closed = once(socket, 'close')
    await app.close({ graceMs: 0 })
    await closed
    expect(await handshake(origin, '/')).toMatch(/^HTTP\/1\.1 503 /)
  })
})
