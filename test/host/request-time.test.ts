import { describe, expect, it } from 'vitest'
import { entry, folderOf, type Served, settingsFile, start } from './helper.ts'
import { open, parseResponse, readAll, sendRaw } from './raw.ts'

async function serves(manifest: object, files: Record<string, string>): Promise<Served> {
  const folder = await folderOf({ 'a.zapp': [{ ...manifest, name: 'a' }, files] })
  const settings = await settingsFile({ apps: { a: { limits: { requestTime: '400ms' } } } })
  return start(folder, { settings, accessLog: 'json' })
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`

interface Answered {
  readonly target: string
  readonly status: number
  readonly aborted: boolean
}

const recordsOf = ({ events }: Served, target: string) =>
  events
    .flatMap((event) => (event.type === 'access' ? event.lines.split('\n') : []))
    .map((line) => JSON.parse(line) as Answered)
    .filter((record) => record.target === target)

/** Each answers by its path: at once, not at all, with a beginning. */
const WSGI = `
import os, threading
def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/upload":
        body = environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [str(len(body)).encode()]
    if path == "/never": threading.Event().wait()
    write = start_response("200 OK", [])
    if path == "/half":
        write(b"half")
        threading.Event().wait()
    return [str(os.getpid()).encode()]
`
const NODE = `module.exports = (req, res) => {
  if (req.url === '/never') return
  if (req.url === '/half') return void res.write('half')
  if (req.url === '/late') {
    return void res.once('close', () => { res.setHeader('Name', 'value'); res.writeHead(200); res.write('late'); res.end() })
  }
  if (req.url === '/upload') {
    let length = 0
    return void req.on('data', (chunk) => (length += chunk.length)).on('end', () => res.end(String(length)))
  }
  res.end(String(process.pid))
}`

describe.each([
  ['node', entry, { 'app.cjs': NODE }],
  ['wsgi', { entry: { type: 'wsgi', app: 'own:application' } }, { 'own.py': WSGI }],
] as const)(
  'a request that takes too long, on a connection that a process of type %s holds',
  (type, manifest, files) => {
    it('is 504 where nothing was sent, else cut; the log says so; a slow client has its own time', async () => {
      const served = await serves(manifest, files)
      const { port } = served.host.address
      const uploading = await open(port)
      const uploaded = readAll(uploading)
      uploading.write('POST /a/upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n')
      uploading.write('x'.repeat(70_000))

      const [never, half] = await Promise.all([sendRaw(port, get('/a/never')), sendRaw(port, get('/a/half'))])
      expect(parseResponse(never)).toMatchObject({ status: 504, headers: { connection: 'close' } })
      expect(parseResponse(half).status).toBe(200)
      expect(half).toContain('half')
      expect(half).not.toMatch(/\r\n0\r\n\r\n$/)

      uploading.write('x'.repeat(30_000))
      expect(parseResponse(await uploaded)).toMatchObject({ status: 200, body: expect.stringContaining('100000') })
      await expect.poll(() => recordsOf(served, '/a/never')).toMatchObject([{ status: 504, aborted: false, app: '/a' }])
      if (type === 'node') expect(recordsOf(served, '/a/half')).toMatchObject([{ status: 200, aborted: true }])
    })
  },
)

describe('a request that takes too long', () => {
  it('what the app says afterwards reaches nobody, and harms no other request', async () => {
    const { host, text } = await serves(entry, { 'app.cjs': NODE })
    const pid = await text('/a')
    expect(parseResponse(await sendRaw(host.address.port, get('/a/late')))).toMatchObject({ status: 504 })
    expect(await text('/a')).toBe(pid)
  })

  it('has a Python process replaced: nobody can end its thread', async () => {
    const { host, events, text } = await serves(
      { entry: { type: 'wsgi', app: 'own:application' }, workers: { processes: 1, threads: 1 } },
      { 'own.py': WSGI },
    )
    const [pid] = host.app('a').pids
    const never = sendRaw(host.address.port, get('/a/never'))
    // Its only thread is there: what waits for it has no more time than what runs.
    expect(parseResponse(await sendRaw(host.address.port, get('/a'))).status).toBe(504)
    await never
    await expect.poll(() => host.app('a').pids).not.toContain(pid)
    expect(Number(await text('/a'))).not.toBe(pid)
    expect(events.some((event) => event.type === 'log' && event.line.text.includes('is replaced'))).toBe(true)
  })

  it('is 504 for a program behind the host, and for a script, whose own timeout it replaces', async () => {
    const server = `require('node:http').createServer((req, res) => req.url === '/never' || res.end()).listen(process.env.PORT)`
    const program = await serves({ entry: { type: 'server', run: ['{node}', 'server.js'] } }, { 'server.js': server })
    expect((await program.get('/a/never')).status).toBe(504)
    const script = await serves(
      { entry: { type: 'cgi', script: 'wait', timeout: '1h' }, executable: ['wait'] },
      { wait: '#!/bin/sh\nexec sleep 1000\n' },
    )
    expect((await script.get('/a/')).status).toBe(504)
  })
})
