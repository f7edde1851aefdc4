import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { cp, symlink } from 'node:fs/promises'
import { request } from 'node:http'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'
import { makeArchive } from '../helpers/make-archive.ts'
import { buildProgram } from '../helpers/program.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { servePython } from './helpers/python-app.ts'

const ONE = { workers: { processes: 1, threads: 1 } }

/** What most of these apps begin with. */
const TEXT = `import json, os, signal, sys, threading, time
def text(start_response, body, status='200 OK'):
    body = body.encode()
    start_response(status, [('Content-Type', 'text/plain'), ('Content-Length', str(len(body)))])
    return [body]
`

const INSPECT = `${TEXT}
def application(environ, start_response):
    seen = {key: value for key, value in environ.items() if isinstance(value, str)}
    return text(start_response, json.dumps({
        'environ': seen, 'env': dict(os.environ), 'cwd': os.getcwd(), 'pid': os.getpid(),
        'body': environ['wsgi.input'].read().decode(), 'multiprocess': environ['wsgi.multiprocess'],
    }))
`

const PID = `${TEXT}
def application(environ, start_response):
    path = environ['PATH_INFO']
    if path == '/exit': os._exit(3)
    if path == '/slow': time.sleep(0.3)
    return text(start_response, str(os.getpid()))
`

interface Inspected {
  readonly environ: Record<string, string>
  readonly env: Record<string, string>
  readonly cwd: string
  readonly pid: number
  readonly body: string
}

const inspect = async (url: string, init?: RequestInit) => (await (await fetch(url, init)).json()) as Inspected
const pidOf = async (origin: string) => Number(await (await fetch(origin)).text())
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

const lives = (pid: number) => {
  try {
    process.kill(pid, 0)
    // One that is dead and that nobody has asked for is still listed.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
const gone = (pid: number) => expect.poll(() => lives(pid), { timeout: 10_000, interval: 5 }).toBe(false)

/** Asks over several connections until it is stopped. Gives the status of every answer, 0 for none. */
function keepAsking(url: string, clients = 8): { stop(): Promise<Map<number, number>>; pids: Set<string> } {
  let going = true
  const statuses = new Map<number, number>()
  const pids = new Set<string>()
  const client = async (_: unknown, index: number) => {
    for (let n = index; going; n++) {
      const init = n % 2 === 0 ? { method: 'POST', body: 'x'.repeat(1000) } : {}
      const [status, body] = await fetch(url, init).then(
        async (answer) => [answer.status, await answer.text()] as const,
        () => [0, ''] as const,
      )
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      if (status === 200) pids.add(body)
    }
  }
  const running = Array.from({ length: clients }, client)
  return {
    pids,
    async stop() {
      going = false
      await Promise.all(running)
      return statuses
    },
  }
}

describe('a request', () => {
  it('is answered by a worker in the run tree, with the client and the place of the app as they are', async () => {
    const manifest = {
      routes: { '/api/*': { entry: 'main', strip: true, headers: { 'X-Route': 'api' } } },
      entry: { type: 'wsgi', app: 'app:application', env: { MODE: 'own', NODE_ENV: 'test' } },
      config: { PAGE_SIZE: { type: 'integer', default: 20 }, UNSET: { type: 'string' } },
      data: { uploads: { path: 'uploads', env: 'UPLOAD_DIR' } },
    }
    process.env.NOT_FOR_THE_APP = 'secret'
    const { origin } = await servePython(INSPECT, manifest, { mount: '/shop', config: { PAGE_SIZE: '5' } })
    delete process.env.NOT_FOR_THE_APP
    const { environ, env, cwd, body } = await inspect(`${origin}/shop/api/a%2Fb%20c?d=e`, {
      method: 'POST',
      body: 'text',
      headers: { 'X-Forwarded-For': '6.6.6.6', 'X-Forwarded-Prefix': '/evil', Proxy: 'evil', X_Real: 'evil' },
    })
    expect(environ).toMatchObject({
      ...{ REQUEST_METHOD: 'POST', SCRIPT_NAME: '/shop/api', PATH_INFO: '/a/b c', QUERY_STRING: 'd=e' },
      ...{ REMOTE_ADDR: '127.0.0.1', 'wsgi.url_scheme': 'http', HTTP_HOST: new URL(origin).host, CONTENT_LENGTH: '4' },
    })
    expect(environ).not.toHaveProperty('HTTP_PROXY')
    expect(environ).not.toHaveProperty('HTTP_X_REAL')
    expect(body).toBe('text')
    const { HOME, UPLOAD_DIR, ...rest } = env
    const tz = process.env.TZ === undefined ? {} : { TZ: process.env.TZ }
    expect(rest).toEqual({
      PATH: process.env.PATH,
      LANG: 'C.UTF-8',
      NODE_ENV: 'test',
      MODE: 'own',
      PAGE_SIZE: '5',
      ...tz,
    })
    expect(UPLOAD_DIR).toBe(`${HOME}/uploads`)
    expect(existsSync(join(cwd, 'app.py'))).toBe(true)
  })

  it('finds what the archive brings, and never a file of the app in place of a standard module', async () => {
    const code = `${TEXT}\nimport dep\ndef application(environ, start_response): return text(start_response, dep.NAME)`
    const files = {
      'ZAPP-INF/lib/dep/__init__.py': 'NAME = "from the archive"',
      'socket.py': 'raise SystemExit("not the socket module")',
      'argparse.py': 'raise SystemExit("not argparse")',
    }
    const { origin } = await servePython(code, {}, { files })
    expect(await (await fetch(origin)).text()).toBe('from the archive')
  })

  it('streams both ways: each part of the answer comes when it is there, and 10 MB come whole', async () => {
    const { origin } = await servePython(`
import hashlib
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'application/octet-stream')])
    if environ['PATH_INFO'] == '/echo':
        def parts():
            while True:
                part = environ['wsgi.input'].read(65536)
                if not part: return
                yield part
        return parts()
    def talk():
        while True:
            line = environ['wsgi.input'].readline()
            if not line: return
            yield b'got ' + line
    return talk()
`)
    const bytes = randomBytes(10 << 20)
    for (const headers of [{ 'Content-Length': String(bytes.length) }, { 'Transfer-Encoding': 'chunked' }]) {
      const client = request(`${origin}/echo`, { method: 'POST', headers })
      client.end(bytes)
      const [answer] = await once(client, 'response')
      const whole: Buffer[] = []
      for await (const part of answer) whole.push(part)
      expect(sha256(Buffer.concat(whole))).toBe(sha256(bytes))
    }
    // A thread has a body that goes on when so much of it is there.
    const client = request(`${origin}/talk`, { method: 'POST' })
    client.write(`${'x'.repeat(1 << 16)}\n`)
    const [answer] = await once(client, 'response')
    answer.setEncoding('utf8')
    let text = ''
    for await (const part of answer) {
      text += part
      if (text.endsWith('x\n')) client.end('two\n')
    }
    expect(text).toBe(`got ${'x'.repeat(1 << 16)}\ngot two\n`)
  })

  it('that expects 100 is told to go on, and has its body read', async () => {
    const { origin } = await servePython(INSPECT)
    const client = request(origin, { method: 'POST', headers: { Expect: '100-continue', 'Content-Length': '4' } })
    client.flushHeaders()
    await once(client, 'continue')
    client.end('body')
    const [answer] = await once(client, 'response')
    let text = ''
    for await (const part of answer) text += part
    expect((JSON.parse(text) as Inspected).body).toBe('body')
  })

  it('that its client breaks off is closed in the app', async () => {
    const { origin, log } = await servePython(`
class Body:
    def __iter__(self): return self
    def __next__(self): return b'x' * 65536
    def close(self): print('closed')
def application(environ, start_response):
    start_response('200 OK', [])
    return Body()
`)
    const client = request(origin).end()
    const [answer] = await once(client, 'response')
    await once(answer, 'data')
    client.destroy()
    await expect.poll(() => log.map(({ text }) => text), { timeout: 10_000 }).toContain('closed')
  })
})

/** Workers come up one after the other. */
async function bothAreUp(origin: string): Promise<void> {
  const ask = async () => (await fetch(`${origin}/slow`)).text()
  await expect.poll(async () => new Set(await Promise.all([ask(), ask()])).size, { timeout: 10_000 }).toBe(2)
}

describe('workers', () => {
  it('are as many as the manifest says, and each request goes to the one with the fewest', async () => {
    const { origin } = await servePython(PID, { workers: { processes: 3, threads: 2 } })
    const pids = new Set<string>()
    // They come up one after the other.
    while (pids.size < 3) {
      const answers = await Promise.all(Array.from({ length: 6 }, () => fetch(`${origin}/slow`)))
      for (const answer of answers) pids.add(await answer.text())
    }
    expect(pids.size).toBe(3)
  })

  it('that end are started again; only the request that did it fails', async () => {
    const { origin, errors } = await servePython(PID, { workers: { processes: 2, threads: 2 } })
    await bothAreUp(origin)
    // Each goes to the worker with the fewest: three and one make two and two.
    const slow = [fetch(`${origin}/slow`), fetch(`${origin}/slow`), fetch(`${origin}/slow`)]
    const [status, ...statuses] = (await Promise.all([fetch(`${origin}/exit`), ...slow])).map((answer) => answer.status)
    expect(status).toBe(502)
    // At most one of the three was at that worker when it ended.
    expect(statuses.filter((one) => one === 200).length).toBeGreaterThanOrEqual(2)
    for (let n = 0; n < 20; n++) expect((await fetch(origin)).status).toBe(200)
    expect(errors.map(({ code }) => code)).toContain('ENTRY_ANSWER')
    await expect.poll(() => errors.map(({ message }) => message).join()).toMatch(/exit code 3; it is started again/)
  })

  it('that are killed under load take with them what they had, and nothing else', async () => {
    const { origin } = await servePython(PID, { workers: { processes: 2, threads: 2 } })
    const load = keepAsking(origin)
    const oneMore = async (before: number) =>
      expect.poll(() => load.pids.size, { timeout: 10_000, interval: 5 }).toBeGreaterThan(before)
    await oneMore(1)
    for (let killed = 0; killed < 3; killed++) {
      const before = load.pids.size
      process.kill(Number([...load.pids].at(-1)), 'SIGKILL')
      await oneMore(before)
    }
    const statuses = await load.stop()
    const { 200: good = 0, 502: bad = 0, ...others } = Object.fromEntries(statuses)
    expect(others).toEqual({})
    expect(good).toBeGreaterThan(bad)
    // One for each thread of each: the place of a request that was cut off is given to no other until the end is told.
    expect(bad).toBeLessThanOrEqual(3 * 2)
  })

  it('are replaced after their number of requests, and no request is lost', async () => {
    const { origin, errors } = await servePython(PID, { workers: { processes: 2, threads: 2, maxRequests: 40 } })
    const load = keepAsking(origin)
    await expect.poll(() => load.pids.size, { timeout: 20_000, interval: 20 }).toBeGreaterThan(6)
    expect(Object.keys(Object.fromEntries(await load.stop()))).toEqual(['200'])
    expect(errors).toEqual([])
  })

  it('that are all busy are waited for, by so many and no more', async () => {
    const { origin, errors } = await servePython(
      `${TEXT}
def application(environ, start_response):
    environ['wsgi.input'].read()
    return text(start_response, 'done')
`,
      ONE,
    )
    // Keeps the one thread of the one worker for as long as its body does not end.
    const long = request(origin, { method: 'POST' })
    long.write('begun')
    const waiting: Promise<Response>[] = []
    const refused = await new Promise<Response>((resolve, reject) => {
      for (let n = 0; n < 1100; n++) {
        const answer = fetch(origin)
        waiting.push(answer)
        answer.then((one) => one.status === 503 && resolve(one), reject)
      }
    })
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(errors[0]).toMatchObject({ code: 'ENTRY_BUSY' })
    long.end()
    const statuses = await Promise.all(waiting.map(async (answer) => (await answer).status))
    // As many as may wait, and those that came when it was over.
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(1024)
  })

  it('have what they print told, line by line and at once', async () => {
    const { log } = await servePython(`${TEXT}
print('é' * 100000)
print('starting')
sys.stderr.write('no newline')
def application(environ, start_response): return text(start_response, '')
`)
    await expect.poll(() => log.map(({ text }) => text)).toContain('starting')
    expect(
      log.filter(({ text }) => /^é+$/.test(text)).reduce((sum, { text }) => sum + text.length, 0),
    ).toBeGreaterThanOrEqual(100000)
  })
})

describe('an app that does not load', () => {
  const rejection = (code: string, manifest = {}) =>
    servePython(code, manifest).then(
      () => undefined,
      (error) => error as { code: string; message: string; log: { text: string }[] },
    )

  it.each([
    [
      'raises',
      'import nothing_of_that_name',
      'ENTRY_LOAD',
      /ModuleNotFoundError: No module named 'nothing_of_that_name'/,
    ],
    ['ends', 'import os; print("leaving", flush=True); os._exit(7)', 'ENTRY_LOAD', /exit code 7/],
    ['leaves by sys.exit', 'import sys; sys.exit("no database")', 'ENTRY_LOAD', /no database/],
    ['has no callable', 'application = 7', 'ENTRY_EXPORT', /got "int"/],
  ])('because it %s is told with its reason', async (_, code, expected, reason) => {
    const error = await rejection(code)
    expect(error).toMatchObject({ code: expected, message: expect.stringMatching(reason) })
  })

  it('has its traceback in the log, with its own lines', async () => {
    const error = await rejection('def fails():\n    raise ValueError("bad setting")\nfails()')
    const log = error!.log.map(({ text }) => text)
    expect(log).toContain('Traceback (most recent call last):')
    expect(log.join('\n')).toMatch(/app\.py", line 3[\s\S]*app\.py", line 2, in fails[\s\S]*ValueError: bad setting/)
    expect(log.join('\n')).not.toMatch(/zapp\/python_entry\.py/)
  })

  it('because it never ends to load is given up, and ended', async () => {
    const code =
      'import os, sys, time\nprint(os.getpid())\nprint("waiting for a lock", file=sys.stderr)\ntime.sleep(1000)'
    const error = await rejection(code, { health: { path: '/', timeout: '4s' } })
    expect(error).toMatchObject({
      code: 'ENTRY_LOAD',
      message: expect.stringMatching(/not done after 4 seconds \| waiting for a lock/),
    })
    await gone(Number(error!.log[0]!.text))
  })
})

describe('the end', () => {
  it('of an app waits for requests that run, and leaves no worker', async () => {
    const { app, origin } = await servePython(PID)
    const pid = await pidOf(origin)
    const slow = fetch(`${origin}/slow`)
    // It has arrived when another gets a turn after it.
    await fetch(origin)
    const closing = app.close()
    expect((await slow).status).toBe(200)
    await closing
    await gone(pid)
  })

  it('of our process, however it comes, is the end of its workers', async () => {
    const program = await buildProgram(join(import.meta.dirname, 'helpers/python-parent.ts'))
    // Where the package has it: two folders above the code.
    const home = await tmpDir()
    const copy = join(home, 'dist/runtimes/program.mjs')
    await cp(dirname(program), dirname(copy), { recursive: true })
    await symlink(join(import.meta.dirname, '../../python'), join(home, 'python'))
    const code = `${TEXT}
import subprocess
child = subprocess.Popen(['sleep', '1000'])
def application(environ, start_response): return text(start_response, f'{os.getpid()} {child.pid}')
`
    const archive = await makeArchive(
      home,
      { entry: { type: 'wsgi', app: 'app:application' }, ...ONE },
      { 'app.py': code },
    )
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const parent = spawn(process.execPath, [copy, archive, join(home, 'cache'), join(home, 'data')], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let pids: number[] = []
      for await (const line of createInterface(parent.stdout)) {
        if (!line.startsWith('answer: ')) continue
        pids = line.slice(8).split(' ').map(Number)
        break
      }
      expect(pids.filter(lives)).toHaveLength(2)
      parent.kill(signal)
      for (const pid of pids) await gone(pid)
    }
  })
})

it('an upgrade to an app that declares none never reaches it', async () => {
  const { origin } = await servePython(PID)
  const { hostname, port } = new URL(origin)
  const socket = connect(Number(port), hostname)
  socket.write(`GET / HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
  let answer = ''
  for await (const part of socket) answer += part
  expect(answer).toMatch(/^HTTP\/1\.1 400 /)
})
