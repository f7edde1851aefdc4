import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { stopReading } from '../../src/host/front/connection.ts'
import { type Host, serve } from '../../src/host/serve.ts'
import { entry, folderOf, settingsFile, stateDir } from './helper.ts'
import { open } from './raw.ts'

const MB = 1024 * 1024
/** Far more than what the systems of both sides hold, which is some 4 MB for each connection on the way. */
const BODY = 200 * MB

/** `/down` writes for as long as it may and counts; `/up` reads nothing, and `/count` says what was written. */
const node = (use: string) => ({
  'app.cjs': `
    const chunk = Buffer.alloc(65536, 'x')
    let count = 0
    const answer = (req, res) => {
      if (req.url === '/count') return res.end(String(count))
      if (req.url === '/up') return
      res.setHeader('Content-Length', ${BODY})
      const more = () => {
        let goesOn = true
        while (goesOn && !res.destroyed) { count += chunk.length; goesOn = res.write(chunk) }
        res.once('drain', more)
      }
      more()
    }
    ${use}`,
})
const python = {
  'app.py': `import threading
count = 0
def body():
    global count
    for _ in range(${BODY / 65536}):
        count += 65536
        yield b'x' * 65536
def application(environ, start_response):
    if environ['PATH_INFO'] == '/count': start_response('200 OK', []); return [str(count).encode()]
    if environ['PATH_INFO'] == '/up': threading.Event().wait(20)
    start_response('200 OK', [('Content-Length', '${BODY}')])
    return body()
`,
}
const cgi = {
  'bin/down': `#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec head -c ${BODY} /dev/zero\n`,
  'bin/up': '#!/bin/sh\nexec sleep 20\n',
}

let host: Host
beforeAll(async () => {
  const dir = await folderOf({
    'node.zapp': [{ ...entry, name: 'node' }, node('module.exports = answer')],
    'program.zapp': [
      { entry: { type: 'server', run: ['node', 'app.cjs'] }, name: 'program' },
      node("require('node:http').createServer(answer).listen(process.env.PORT, process.env.HOST)"),
    ],
    'python.zapp': [
      { entry: { type: 'wsgi', app: 'app:application' }, name: 'python', workers: { processes: 1, threads: 8 } },
      python,
    ],
    'cgi.zapp': [
      { entry: { type: 'cgi', dir: 'bin', timeout: '1h' }, executable: ['bin/down', 'bin/up'], name: 'cgi' },
      cgi,
    ],
    'static.zapp': [{ name: 'static', routes: { '/': { static: 'public' } } }, { 'public/down': 'x'.repeat(32 * MB) }],
  })
  const settings = await settingsFile({ listen: { port: 0 }, proxies: ['127.0.0.2'] })
  host = await serve({ apps: [{ path: dir }], settings, cache: join(stateDir, 'cache'), data: join(stateDir, 'data') })
})
afterAll(() => host.close({ drainMs: 0 }))

const MOST = 24 * MB
/** Four reads of the front: one that is being written, one behind it, and as many on the way in. */
const HELD = 256 * 1024

/** A connection that takes nothing. */
async function ask(head: string, from: string | undefined): Promise<Socket> {
  const socket = await open(host.address.port, '127.0.0.1', from)
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  stopReading(socket)
  socket.write(head)
  return socket
}

/** The value at which it stays. */
async function settled(value: () => number | Promise<number>): Promise<number> {
  const seen: number[] = []
  const isStill = async () => {
    seen.push(await value())
    return seen.length > 5 && new Set(seen.slice(-5)).size === 1
  }
  await expect.poll(isStill, { interval: 60, timeout: 15_000 }).toBe(true)
  return seen.at(-1) as number
}

async function written(path: string): Promise<number> {
  const init = { headers: { Connection: 'close' } }
  return Number(await (await fetch(`http://127.0.0.1:${host.address.port}${path}/count`, init)).text())
}

setFlagsFromString('--expose-gc')
const gc: () => void = runInNewContext('gc')
/** Bytes of buffers in this process, in which the front runs. */
function buffers(): number {
  gc()
  return process.memoryUsage().arrayBuffers
}

const ways = [
  ['/node', 'its process holds the connection', undefined],
  ['/node', 'the host passes it on', '127.0.0.2'],
  ['/python', 'its process holds the connection', undefined],
  ['/python', 'the host passes it on', '127.0.0.2'],
  ['/program', 'the host passes it on', undefined],
  ['/cgi', 'the host runs it', undefined],
] as const

describe('a client that takes nothing', () => {
  it.each([...ways, ['/static', 'the host answers', undefined] as const])(
    '%s waits for it: %s',
    async (path, _, from) => {
      const counts = path !== '/cgi' && path !== '/static'
      const [before, first] = [buffers(), counts ? await written(path) : 0]
      const clients = 4
      await Promise.all(
        Array.from({ length: clients }, () => ask(`GET ${path}/down HTTP/1.1\r\nHost: x\r\n\r\n`, from)),
      )
      if (counts) expect((await settled(() => written(path))) - first).toBeLessThan(clients * MOST)
      await expect.poll(() => buffers() - before).toBeLessThan(clients * HELD)
    },
  )
})

describe('an app that reads nothing', () => {
  it.each(ways)('%s lets the client wait: %s', async (path, _, from) => {
    const before = buffers()
    const socket = await ask(`POST ${path}/up HTTP/1.1\r\nHost: x\r\nContent-Length: ${BODY}\r\n\r\n`, from)
    const chunk = Buffer.alloc(65_536)
    let left = BODY / chunk.length
    const more = () => {
      while (left-- > 0 && socket.write(chunk));
    }
    socket.on('drain', more)
    more()
    const sent = await settled(() => socket.bytesWritten - socket.writableLength)
    expect(sent).toBeGreaterThan(chunk.length)
    expect(sent).toBeLessThan(MOST)
    // What was read and passed on takes a moment to be given back.
    await expect.poll(() => buffers() - before).toBeLessThan(2 * HELD)
  })
})
