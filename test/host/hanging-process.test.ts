import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { ZappError } from '../../src/errors.ts'
import { OwnProcess } from '../../src/runtimes/own-process.ts'
import { Pulse } from '../../src/runtimes/pulse.ts'
import { entry, folderOf, type Served, settingsFile, start } from './helper.ts'
import { open, readAll } from './raw.ts'

/** `/loop` never comes back. */
const LOOPS = {
  'app.cjs': `module.exports = (req, res) => {
    if (req.url === '/loop') for (;;);
    res.end('pid ' + process.pid + '.')
  }`,
}

async function serves(processes: number, proxies: readonly string[]): Promise<Served> {
  const folder = await folderOf({ 'a.zapp': [{ ...entry, name: 'a' }, LOOPS] })
  const apps = { a: { limits: { requestTime: '100ms' }, workers: { processes } } }
  return start(folder, { settings: await settingsFile({ apps, proxies }) })
}

/** Asks for the process that has a connection, which stays open. */
async function pidOn(socket: Socket): Promise<number> {
  socket.write('GET /a HTTP/1.1\r\nHost: x\r\n\r\n')
  for (let text = ''; ; ) {
    text += String((await once(socket, 'data'))[0])
    const said = /pid (\d+)\./.exec(text)
    if (said) return Number(said[1])
  }
}

const hanging = ({ events }: Served) =>
  events.flatMap((event) =>
    event.type === 'error' && (event.error as ZappError).code === 'PROCESS_HANGS' ? [event.error as ZappError] : [],
  )

describe('a worker in an endless loop', () => {
  it('is killed and started again: who waits for it has an end, other processes go on, the log says so', {
    timeout: 40_000,
  }, async () => {
    const [served, passing] = await Promise.all([serves(2, []), serves(1, ['127.0.0.1'])])
    // One connection at each process.
    const held = new Map<number, Socket>()
    while (held.size < 2) {
      const socket = await open(served.host.address.port)
      held.set(await pidOn(socket), socket)
    }
    const [[hung, looping], [other, open2]] = [...held] as [[number, Socket], [number, Socket]]
    const cut = readAll(looping)
    looping.write('GET /a/loop HTTP/1.1\r\nHost: x\r\n\r\n')
    const passed = passing.get('/a/loop')

    expect(await cut).toBe('')
    expect(await pidOn(open2)).toBe(other)
    expect(hanging(served)).toMatchObject([{ args: { name: 'a', pid: hung, seconds: 5.1 } }])
    await expect.poll(() => served.host.app('a').pids).not.toContain(hung)
    await expect.poll(() => served.host.app('a').pids).toHaveLength(2)
    expect((await passed).status).toBe(504)
    expect(await passing.text('/a')).toContain('pid ')
  })
})

const NODE_PROGRAM = `require('node:http').createServer((req, res) => {
  if (req.url.endsWith('/hang')) for (;;);
  res.end('pid ' + process.pid + '.')
}).listen(process.env.PORT)`

/** Two threads, and requests that wait for one of them. */
const PYTHON_PROGRAM = `
import os, threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.endswith("/hang"): threading.Event().wait()
        if self.path.endswith("/slow"):
            threading.Event().wait(1)
            print("done", flush=True)
        body = f"pid {os.getpid()}.".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
class Server(HTTPServer):
    threads = ThreadPoolExecutor(2)
    def process_request(self, *request):
        self.threads.submit(self.answer, *request)
    def answer(self, request, client):
        self.finish_request(request, client)
        self.shutdown_request(request)
Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
`

/** A C function that keeps Python's lock stops all threads, those of the server among them. */
const WSGI_APP = `
import ctypes, os
def application(environ, start_response):
    if environ["PATH_INFO"].endswith("/hang"): ctypes.PyDLL(None).pause()
    start_response("200 OK", [])
    return [f"pid {os.getpid()}.".encode()]
`

describe('a program that answers nothing any more', () => {
  it('is killed and started again; one that is only slow is left alone', { timeout: 40_000 }, async () => {
    const node = { type: 'server', run: ['{node}', 'app.js'] }
    const python = { type: 'server', run: ['{python}', 'app.py'] }
    const wsgi = { type: 'wsgi', app: 'own:application' }
    const folder = await folderOf({
      'node.zapp': [{ name: 'node', entry: node }, { 'app.js': NODE_PROGRAM }],
      'python.zapp': [{ name: 'python', entry: python }, { 'app.py': PYTHON_PROGRAM }],
      'slow.zapp': [{ name: 'slow', entry: python }, { 'app.py': PYTHON_PROGRAM }],
      'wsgi.zapp': [
        {
          name: 'wsgi',
          entries: { wsgi, node },
          routes: { '/node/*': { entry: 'node' }, '/': { entry: 'wsgi' } },
          workers: { processes: 1 },
        },
        { 'own.py': WSGI_APP, 'app.js': NODE_PROGRAM },
      ],
    })
    const names = ['node', 'python', 'slow', 'wsgi']
    const limits = { requestTime: '200ms' }
    const apps = Object.fromEntries(names.map((name) => [name, { limits }]))
    const served = await start(folder, { settings: await settingsFile({ apps }) })
    const pidOf = async (name: string) => /pid (\d+)\./.exec(await served.text(`/${name}`))?.[1]
    const before = await Promise.all(names.map(pidOf))
    expect(before).not.toContain(undefined)

    // Late each time, on both threads: from before the others hang until they are killed.
    const done = () => served.events.filter((event) => event.type === 'log' && event.line.text === 'done').length
    const ask = (path: string) => Promise.all([1, 2].map(async () => (await served.get(path)).status))
    for (let rounds = 1; hanging(served).length < 3; rounds++) {
      expect(await ask('/slow/slow')).toEqual([504, 504])
      await expect.poll(done, { timeout: 10_000 }).toBe(2 * rounds)
      if (rounds > 1) continue
      const late = await Promise.all(['node', 'python', 'wsgi'].map((name) => ask(`/${name}/hang`)))
      expect(late.flat()).toEqual(Array(6).fill(504))
    }
    for (const [i, name] of names.entries()) {
      if (name !== 'slow') await expect.poll(() => pidOf(name)).toSatisfy((pid) => pid && pid !== before[i])
    }
    expect(hanging(served).map(({ args }) => [args.name, String(args.pid), args.seconds])).toEqual(
      expect.arrayContaining([
        ['main', before[0], 5.6],
        ['main', before[1], 5.6],
        ['wsgi', before[3], 5.6],
      ]),
    )
    expect(hanging(served)).toHaveLength(3)
    expect(await pidOf('slow')).toBe(before[2])
    const restarts = [...served.host.metrics()].map(([, counters]) => counters.restarts)
    expect(restarts.sort()).toEqual([0, 1, 1, 1])
  })
})

describe('Pulse', () => {
  const processes: OwnProcess[] = []
  const asked = () => {}

  afterEach(() => Promise.all(processes.splice(0).map((process) => process.stop(0))))

  /** Of a process that says nothing. */
  function pulse(bound: number): { pulse: Pulse; process: OwnProcess; hung: Promise<unknown> } {
    const argv = [process.execPath, '-e', 'setInterval(() => {}, 1000)'] as const
    const own = new OwnProcess({ argv, cwd: '/', env: {}, onLine: () => {} })
    processes.push(own)
    let onHang = (_: unknown) => {}
    const hung = new Promise((resolve) => {
      onHang = resolve
    })
    const pulse = new Pulse({ process: own, name: 'a', bound, ask: asked, onHang })
    pulse.begin()
    return { pulse, process: own, hung }
  }

  it('kills no process that is stopped, or that somebody debugs', async () => {
    const [stopped, debugged] = [pulse(200), pulse(200)]
    stopped.process.signal('SIGSTOP')
    debugged.pulse.heard(true)
    // Begun later, and with more time, than those that would be killed.
    await pulse(600).hung
    expect([stopped.pulse.isLost, debugged.pulse.isLost]).toEqual([false, false])
    stopped.process.signal('SIGCONT')
    await stopped.hung
    expect(await stopped.process.ended).toContain('SIGKILL')
  })
})
