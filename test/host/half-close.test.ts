import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Host, serve } from '../../src/host/serve.ts'
import { pairOf } from '../helpers/certificates.ts'
import { entry, folderOf, settingsFile, stateDir } from './helper.ts'
import { open, readAll } from './raw.ts'
import { openTls } from './tls-client.ts'

/** Answers when the end of what the client sends has long come. */
const later = (listen: string) => `
  let [came, left] = [0, 0]
  const answer = (req, res) => {
    if (req.url.endsWith('/left')) return res.end(JSON.stringify({ came, left }))
    if (/wait|events/.test(req.url)) {
      if (req.url.endsWith('/events')) res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(': begins\\n\\n')
      came++
      return res.on('close', () => left++)
    }
    let body = ''
    req.on('data', (chunk) => body += chunk)
    req.on('end', () => setTimeout(() => res.end('late ' + body), 150))
  }
  ${listen}`
const node = { 'app.cjs': later('module.exports = answer') }
const program = {
  'app.cjs': later("require('node:http').createServer(answer).listen(process.env.PORT, process.env.HOST)"),
}
const python = {
  'app.py': `import time
def application(environ, start_response):
    body = environ['wsgi.input'].read()
    time.sleep(0.15)
    start_response('200 OK', [])
    return [b'late ' + body]
`,
}
const script = { 'late.cgi': '#!/bin/sh\nbody=$(cat)\nsleep 0.15\nprintf "Content-Type: text/plain\\n\\nlate $body"' }
const wsgi = { type: 'wsgi', app: 'app:application' }

let host: Host

beforeAll(async () => {
  const dir = await folderOf({
    'node.zapp': [{ ...entry, name: 'node' }, node],
    'sleepy.zapp': [{ ...entry, name: 'sleepy' }, node],
    'program.zapp': [{ entry: { type: 'server', run: ['node', 'app.cjs'] }, name: 'program' }, program],
    'python.zapp': [{ entry: wsgi, name: 'python' }, python],
    'cgi.zapp': [{ entry: { type: 'cgi', script: 'late.cgi' }, executable: ['late.cgi'], name: 'cgi' }, script],
  })
  const settings = await settingsFile({
    listen: [{ port: 0 }, { host: '127.0.0.3', port: 0, tls: await pairOf('shop') }],
    proxies: ['127.0.0.2'],
    apps: { sleepy: { idle: '1h' } },
  })
  host = await serve({
    apps: [{ path: dir }],
    settings,
    cache: join(stateDir, 'cache'),
    data: join(stateDir, 'data'),
  })
})
afterAll(() => host.close({ drainMs: 0 }))

const bytes = (path: string, body: string) =>
  `POST ${path}/ HTTP/1.1\r\nHost: shop.example\r\nContent-Length: ${body.length}\r\n\r\n${body}`
const portOf = (scheme: string) => host.listeners.find(({ url }) => url.startsWith(scheme))?.port ?? 0
const PORT = () => portOf('http:')
const SECURE = () => portOf('https:')

describe('a client that has sent all that it wants to say', () => {
  it.each(['/sleepy', '/program', '/python', '/cgi'])('has its answer of %s', async (path) => {
    const socket = await open(PORT())
    const answer = readAll(socket)
    socket.end(bytes(path, 'hi'))
    expect(await answer).toMatch(/^HTTP\/1\.1 200 .*late hi/s)
  })

  it.each(['/node', '/program', '/python', '/cgi'])('has it over TLS, too: %s', async (path) => {
    const socket = await openTls(SECURE(), 'shop.example', { host: '127.0.0.3', allowHalfOpen: true } as object)
    const answer = readAll(socket)
    socket.end(bytes(path, 'hi'))
    expect(await answer).toMatch(/^HTTP\/1\.1 200 .*late hi/s)
  })
})

it.each([
  ['a proxy', '127.0.0.2', '/wait'],
  ['a client that listens to events', undefined, '/events'],
])('%s that sends no more is gone, and the app is told', async (_, from, path) => {
  const socket = await open(PORT(), '127.0.0.1', from)
  const answer = readAll(socket)
  const left = () => fetch(`http://127.0.0.1:${PORT()}/program/left`).then((response) => response.json())
  const before = (await left()) as { came: number; left: number }
  socket.write(`GET /program${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await expect.poll(left).toEqual({ ...before, came: before.came + 1 })
  socket.end()
  await answer
  await expect.poll(left).toEqual({ came: before.came + 1, left: before.left + 1 })
})
