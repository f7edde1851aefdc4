import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { findListening as listeners } from '../../src/runtimes/listening.ts'
import type { LoadOptions, LogLine } from '../../src/runtimes/load.ts'
import { listen, load, rawGet } from '../helpers/load.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { npmTree } from '../helpers/npm-tree.ts'
import { buildProgram } from '../helpers/program.ts'
import { tmpDir } from '../helpers/tmp.ts'

/** Folders of private sockets. */
const sockets = () => readdirSync(tmpdir()).filter((name) => /^zapp-[0-9]+-[0-9]+-[0-9a-f]+-[A-Za-z0-9]{6}$/.test(name))

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Answers with what it was asked and where it runs. */
const INSPECT = `const { createServer } = require('node:http')
  const server = createServer((req, res) => {
    const { method, url, rawHeaders } = req
    res.end(JSON.stringify({ method, url, rawHeaders, pid: process.pid, env: process.env, cwd: process.cwd(), argv: process.argv, address: server.address() }))
  }).listen(3000, () => console.log('listening on', server.address().port))`

interface Inspected {
  readonly method: string
  readonly url: string
  readonly rawHeaders: string[]
  readonly pid: number
  readonly env: Record<string, string>
  readonly cwd: string
  readonly argv: string[]
  readonly address: unknown
}

async function loadServer(code: string, options: LoadOptions = {}, manifest: Record<string, unknown> = {}) {
  const esm = /^import /m.test(code)
  const name = esm ? 'server.mjs' : 'server.js'
  const errors: { code?: string; message: string }[] = []
  const log: LogLine[] = []
  const app = await load(
    { entry: { type: 'server', run: ['{node}', name] }, ...manifest },
    { [name]: code, 'server.py': PYTHON, 'sorry.html': 'sorry' },
    {
      onError: (error) => void errors.push(error as Error),
      onLog: (line) => void log.push(line),
      ...options,
    },
  )
  return { app, errors, log }
}

async function serve(code: string, options: LoadOptions = {}, manifest: Record<string, unknown> = {}) {
  const loaded = await loadServer(code, options, manifest)
  const origin = await listen(createServer(loaded.app.listener).on('upgrade', loaded.app.upgrade))
  return { ...loaded, origin }
}

const PYTHON = `import os
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = ('python ' + self.path).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
print('starting', flush=True)
HTTPServer((os.environ['HOST'], int(os.environ['PORT'])), Handler).serve_forever()
`

const inspect = async (url: string, init?: RequestInit) => (await (await fetch(url, init)).json()) as Inspected

const IGNORES = `require('node:http').createServer((_, res) => res.end('hello'))`
const pidOf = async (app: { fetch(request: Request): Promise<Response> }) =>
  ((await (await app.fetch(new Request('http://a/'))).json()) as Inspected).pid

const lives = (pid: number) => {
  try {
    process.kill(pid, 0)
    // One that is dead and that nobody has asked for is still listed.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
const gone = async (pid: number) => {
  while (lives(pid)) await new Promise(setImmediate)
}

describe('a program', () => {
  it('in CommonJS is asked over a private socket, whatever port it has in its code', async () => {
    const { origin, log } = await serve(INSPECT)
    const got = await inspect(`${origin}/a%2Fb?c=d`)
    expect(got).toMatchObject({ method: 'GET', url: '/a%2Fb?c=d', address: { address: '127.0.0.1', port: 3000 } })
    expect(log).toEqual([{ entry: 'main', stream: 'stdout', text: 'listening on 3000' }])
    expect(await listeners(got.pid)).toEqual([])
  })

  it('in ES modules too', async () => {
    const { origin } = await serve(
      `import { createServer } from 'node:http'
      const server = createServer((req, res) => res.end(JSON.stringify({ pid: process.pid, address: server.address() })))
      await new Promise((resolve) => server.listen({ port: '3001', host: '0.0.0.0' }, resolve))`,
    )
    const got = await inspect(origin)
    expect(got.address).toEqual({ address: '127.0.0.1', family: 'IPv4', port: 3001 })
    expect(await listeners(got.pid)).toEqual([])
  })

  it('may try a port before, and listen on a second one for itself', async () => {
    const { origin } = await serve(`
      const http = require('node:http'), net = require('node:net'), { once } = require('node:events')
      const { setTimeout: sleep } = require('node:timers/promises')
      ;(async () => {
        for (const make of [net.createServer, http.createServer]) {
          const probe = make().listen(0, '127.0.0.1')
          await once(probe, 'listening')
          if (!(probe.address().port > 0)) process.exit(1)
          // Whoever waits for the program would find it now.
          probe.on('connection', () => process.exit(2))
          await sleep(250)
          await once(probe.close(), 'close')
        }
        const second = http.createServer((_, res) => res.end('second'))
        const first = http.createServer((_, res) => res.end(JSON.stringify({ port: second.address().port })))
        first.listen(process.env.PORT)
        second.listen(0, '127.0.0.1')
      })()`)
    const { port } = (await (await fetch(origin)).json()) as { port: number }
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('second')
  })

  it('may say what answers after it listens', async () => {
    const { origin } = await serve(`
      const server = require('node:http').createServer().listen(process.env.PORT)
      setTimeout(() => server.on('request', (_, res) => res.end('late')), 100)`)
    expect(await (await fetch(origin)).text()).toBe('late')
  })

  it('of another language listens on PORT at HOST', async () => {
    const { origin, log } = await serve('', {}, { entry: { type: 'server', run: ['{python}', 'server.py'] } })
    expect(await (await fetch(`${origin}/x?y`)).text()).toBe('python /x?y')
    expect(log[0]).toEqual({ entry: 'main', stream: 'stdout', text: 'starting' })
  })

  it('may be given as any command', async () => {
    const code = `${IGNORES}.listen(process.env.PORT, process.env.HOST)`
    const { origin } = await serve(code, {}, { entry: { type: 'server', run: ['node', 'server.js'] } })
    expect(await (await fetch(origin)).text()).toBe('hello')
  })

  it('gets its environment, arguments and folder, and nothing of ours', async () => {
    process.env.NOT_FOR_THE_APP = 'secret'
    const manifest = {
      entry: {
        type: 'server',
        run: ['{node}', 'server.js', '{data.uploads}/x', '{config.PAGE_SIZE}', '{}', '{config.UNSET}!'],
        env: { MODE: 'own', NODE_ENV: 'test' },
      },
      config: { PAGE_SIZE: { type: 'integer', default: 20 }, UNSET: { type: 'string' } },
      data: { uploads: { path: 'uploads', env: 'UPLOAD_DIR' } },
    }
    const { origin } = await serve(INSPECT, {}, manifest)
    const { env, argv, cwd } = await inspect(origin)
    const { PORT, HOME, UPLOAD_DIR, ...rest } = env
    const tz = process.env.TZ === undefined ? {} : { TZ: process.env.TZ }
    expect(rest).toEqual({
      ...{ PATH: process.env.PATH, LANG: 'C.UTF-8', NODE_ENV: 'test', HOST: '127.0.0.1', MODE: 'own' },
      ...{ PAGE_SIZE: '20', ...tz },
    })
    expect(Number(PORT)).toBeGreaterThan(1023)
    expect(UPLOAD_DIR).toBe(`${HOME}/uploads`)
    expect(argv.slice(2)).toEqual([`${HOME}/uploads/x`, '20', '{}', '!'])
    expect(argv[1]).toBe(`${cwd}/server.js`)
    expect(readFileSync(`${cwd}/server.js`, 'utf8')).toBe(INSPECT)
    delete process.env.NOT_FOR_THE_APP
  })

  it('has values of its own: another app may have others', async () => {
    const manifest = { config: { COLOUR: { type: 'string' } } }
    const colours = ['red', 'blue']
    const apps = await Promise.all(colours.map((COLOUR) => serve(INSPECT, { config: { COLOUR } }, manifest)))
    const got = await Promise.all(apps.map(({ origin }) => inspect(origin)))
    expect(got.map(({ env }) => env.COLOUR)).toEqual(colours)
    expect(process.env.COLOUR).toBeUndefined()
  })

  it('that listens for everyone is SERVER_EXPOSED and ended', async () => {
    for (const [host, shown] of [
      ['0.0.0.0', /0\.0\.0\.0:\d+/],
      ['::', /\[::\]:\d+/],
    ] as const) {
      const code = `console.log(process.pid); ${IGNORES}.listen(process.env.PORT, '${host}')`
      const log: LogLine[] = []
      const loading = loadServer(
        code,
        { onLog: (line) => void log.push(line) },
        { entry: { type: 'server', run: ['node', 'server.js'] } },
      )
      const error = await loading.catch((e) => e)
      expect(error).toMatchObject({ code: 'SERVER_EXPOSED', args: { got: expect.stringMatching(shown) } })
      await gone(Number(log[0]!.text))
    }
    // A second server of a program whose first was redirected.
    const two = `${IGNORES}.listen(1).on('listening', () => {}); ${IGNORES}.listen(0)`
    expect((await loadServer(two).catch((e) => e)).code).toBe('SERVER_EXPOSED')
    // On a port of its own, so that it never accepts on ours.
    const manifest = { entry: { type: 'server', run: ['node', 'server.js'] } }
    expect((await loadServer(`${IGNORES}.listen(0)`, {}, manifest).catch((e) => e)).code).toBe('SERVER_EXPOSED')
  })

  it('that does not start is ENTRY_START with the reason', async () => {
    const health = { path: '/', timeout: '1s' }
    const other = { entry: { type: 'server', run: ['node', 'server.js'] }, health }
    for (const [code, manifest, reason] of [
      ['throw new Error("no database")', {}, /exit code 1.*Error: no database/],
      ['process.exit(7)', {}, /exit code 7/],
      ['process.kill(process.pid, "SIGKILL")', {}, /SIGKILL/],
      ['setInterval(() => {}, 1000); console.error("waiting for nobody")', { health }, /within 1000 ms.*waiting for/],
      [`${IGNORES}.listen(0, '127.0.0.1')`, other, /it listens on 127\.0\.0\.1:\d+ and not on PORT/],
      ['', { entry: { type: 'server', run: ['no-such-program'] } }, /no-such-program/],
    ] as const) {
      const error = await loadServer(code, {}, manifest).catch((e) => e)
      expect(error).toMatchObject({ code: 'ENTRY_START', args: { reason: expect.stringMatching(reason) } })
    }
  })

  it('that ends is started again, and meanwhile is answered for with 502', async () => {
    const code = `const { existsSync, writeFileSync } = require('node:fs')
      const late = existsSync('crashed')
      setTimeout(() => require('node:http').createServer((req, res) => {
        if (req.url === '/crash') { writeFileSync('crashed', ''); console.error('out of memory'); process.exit(3) }
        res.end(String(process.pid))
      }).listen(1), late ? 500 : 0)`
    const { origin, errors } = await serve(code, {}, { errors: { '502': 'sorry.html' } })
    const first = await (await fetch(origin)).text()
    expect((await fetch(`${origin}/crash`)).status).toBe(502)
    const down = await fetch(origin)
    expect([down.status, await down.text()]).toEqual([502, 'sorry'])
    let answer = await fetch(origin)
    while (answer.status === 502) answer = await fetch(origin)
    expect(await answer.text()).not.toBe(first)
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['ENTRY_ANSWER']))
    expect(errors.map(({ message }) => message).join()).toMatch(/exit code 3 \| out of memory; it is started again/)
  })

  it('has its output told line by line', async () => {
    const code = `process.stdout.write('one\\ntwo\\r\\nth'); process.stderr.write('bad\\n' + 'x'.repeat(20000) + '\\n')
      setTimeout(() => { process.stdout.write('ree \\u20ac\\n'); ${IGNORES}.listen(1) }, 20)`
    const { app, log } = await loadServer(code)
    await app.close()
    const texts = (stream: string) => log.filter((line) => line.stream === stream).map(({ text }) => text)
    expect(texts('stdout')).toEqual(['one', 'two', 'three €'])
    expect(texts('stderr')).toEqual(['bad', 'x'.repeat(16384), 'x'.repeat(20000 - 16384)])
  })
})

describe('the end', () => {
  // Other processes have their private folders in the usual place.
  const { TMPDIR } = process.env
  beforeAll(async () => {
    process.env.TMPDIR = await tmpDir()
  })
  afterAll(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
  })

  const FAMILY = `const child = require('node:child_process').spawn('sleep', ['1000'])
    process.on('SIGTERM', () => { console.log('saving'); setTimeout(() => { console.log('saved'); process.exit() }, 10) })
    require('node:http').createServer((_, res) => res.end(JSON.stringify({ pid: process.pid, child: child.pid }))).listen(1)`

  it('of an app ends the program and what it started, and leaves nothing', async () => {
    const before = sockets()
    const { app, log } = await loadServer(FAMILY)
    const made = sockets().filter((name) => !before.includes(name))
    expect(made.map((name) => statSync(join(tmpdir(), name)).mode & 0o777)).toEqual([0o700])
    expect(Buffer.byteLength(join(tmpdir(), made[0]!, 's'))).toBeLessThanOrEqual(100)
    const { pid, child } = (await (await app.fetch(new Request('http://a/'))).json()) as { pid: number; child: number }
    await app.close()
    expect(log.map(({ text }) => text)).toEqual(['saving', 'saved'])
    await Promise.all([gone(pid), gone(child)])
    expect(sockets()).not.toContain(made[0])
  })

  it('comes to a program that does not listen to SIGTERM', async () => {
    const { app } = await loadServer(`process.on('SIGTERM', () => {}); ${INSPECT}`)
    const pid = await pidOf(app)
    await app.close()
    await gone(pid)
  })

  it('waits for requests that run', async () => {
    const { app, origin } = await serve(`let end
      require('node:http').createServer((req, res) => {
        if (req.url === '/end') { end(); res.end() } else { res.write('begun'); end = () => res.end('done') }
      }).listen(1)`)
    const first = await fetch(origin)
    await fetch(`${origin}/end`)
    const closing = app.close()
    expect(await first.text()).toBe('begundone')
    await closing
  })

  it('of our process is the end of the program', async () => {
    const program = await buildProgram(join(import.meta.dirname, 'helpers/server-parent.ts'))
    await copyFile(
      join(import.meta.dirname, '../../src/runtimes/listen-preload.cjs'),
      join(dirname(program), 'listen-preload.cjs'),
    )
    const python = PYTHON.replace(
      "('python ' + self.path)",
      'str({"pid": os.getpid(), "child": 0}).replace("\'", \'"\')',
    )
    for (const [run, signal] of [
      [['{node}', 'server.js'], 'SIGKILL'],
      [['{node}', 'server.js'], 'SIGTERM'],
      [['{python}', 'server.py'], 'SIGKILL'],
    ] as const) {
      const dir = await tmpDir()
      const before = sockets()
      const archive = await makeArchive(
        dir,
        { entry: { type: 'server', run } },
        { 'server.js': FAMILY, 'server.py': python },
      )
      const parent = spawn(process.execPath, [program, archive, join(dir, 'cache'), join(dir, 'data')])
      let output = ''
      parent.stderr.on('data', (chunk) => {
        output += chunk
      })
      for await (const line of createInterface(parent.stdout)) {
        output += `${line}\n`
        if (line.startsWith('answer: ')) break
      }
      const [, json = 'null'] = /^answer: (.*)$/m.exec(output) ?? []
      expect(json, output).not.toBe('null')
      const { pid, child } = JSON.parse(json) as { pid: number; child: number }
      expect(lives(pid)).toBe(true)
      parent.kill(signal)
      await gone(pid)
      if (child > 0) await gone(child)
      expect(sockets().filter((name) => !before.includes(name))).toEqual([])
    }
  })
})

describe('a request', () => {
  const fieldsOf = (rawHeaders: readonly string[]) => {
    const pairs = rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1]!]] : []))
    return pairs as [string, string][]
  }

  it('tells who the client is and how it came, and believes no client', async () => {
    const { origin } = await serve(INSPECT, { mount: '/shop' })
    const { port, host } = new URL(origin)
    const socket = connect(Number(port), '127.0.0.1')
    const lines = [
      'GET /shop/x?y HTTP/1.1',
      `Host: ${host}`,
      'Connection: close, X-Forwarded-For, X-Own, Host',
      'X-Own: 1',
      'X-Kept: 1',
      'X-Forwarded-For: 6.6.6.6',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: evil',
      'X-Forwarded-Prefix: /evil',
      'X-Forwarded-Other: 1',
      'X-Real-IP: 6.6.6.6',
      'Forwarded: for=6.6.6.6',
      'X_Forwarded_For: 6.6.6.6',
      'Proxy: evil',
      'TE: trailers',
      'Keep-Alive: 5',
      'Proxy-Connection: keep-alive',
      'Upgrade-Insecure-Requests: 1',
    ]
    socket.write(`${lines.join('\r\n')}\r\n\r\n`)
    let text = ''
    for await (const chunk of socket.setEncoding('latin1')) text += chunk
    const got = JSON.parse(/\{.*\}/.exec(text)![0]) as Inspected
    expect(got.url).toBe('/x?y')
    expect(fieldsOf(got.rawHeaders)).toEqual([
      ['host', host],
      ['x-kept', '1'],
      ['upgrade-insecure-requests', '1'],
      ['forwarded', `for=127.0.0.1;host="${host}";proto=http`],
      ['x-forwarded-for', '127.0.0.1'],
      ['x-forwarded-proto', 'http'],
      ['x-forwarded-host', host],
      ['x-forwarded-prefix', '/shop'],
    ])
  })

  it('for the mount itself, or of a route that strips, has its path', async () => {
    const routes = { '/': { entry: 'main' }, '/api/*': { entry: 'main', strip: true } }
    const { origin } = await serve(INSPECT, { mount: '/shop' }, { routes })
    expect((await inspect(`${origin}/shop`)).url).toBe('/')
    const got = await inspect(`${origin}/shop/api/1?q`)
    expect([got.url, new Map(fieldsOf(got.rawHeaders)).get('x-forwarded-prefix')]).toEqual(['/1?q', '/shop/api'])
    const raw = await rawGet(origin, '/shop/%E4%zz\\x')
    expect(JSON.parse(raw.body).url).toBe('/%E4%zz\\x')
  })

  it('to another mount than the one it was built for is refused before anything starts', async () => {
    const error = await loadServer(INSPECT, { mount: '/shop' }, { base: '/' }).catch((e) => e)
    expect(error.code).toBe('MOUNT_BASE')
  })

  it('is framed as it came', async () => {
    const { origin } = await serve(`require('node:http').createServer(async (req, res) => {
      let body = ''
      for await (const chunk of req) body += chunk
      const { 'content-length': length, 'transfer-encoding': coding } = req.headers
      res.end(JSON.stringify({ length, coding, body }))
    }).listen(1)`)
    const ask = async (init: RequestInit) => (await fetch(origin, init)).json()
    expect(await ask({ method: 'POST', body: 'abc' })).toEqual({ length: '3', body: 'abc' })
    expect(await ask({ method: 'POST' })).toEqual({ length: '0', body: '' })
    expect(await ask({ method: 'DELETE' })).toEqual({ body: '' })
    const body = new Blob(['abc']).stream()
    expect(await ask({ method: 'PUT', body, duplex: 'half' } as RequestInit)).toEqual({
      coding: 'chunked',
      body: 'abc',
    })
  })

  it('with a body is answered every time, though the program may be done before we have ended it', async () => {
    const { origin } = await serve(`require('node:http').createServer(async (req, res) => {
      for await (const chunk of req);
      res.end()
    }).listen(1)`)
    const statuses = new Set<number>()
    for (let i = 0; i < 200; i++) statuses.add((await fetch(origin, { method: 'POST', body: 'abc' })).status)
    expect([...statuses]).toEqual([200])
  })

  it('carries 10 MB either way, in process too', async () => {
    const { app, origin } = await serve(`require('node:http').createServer((req, res) => req.pipe(res)).listen(1)`)
    const body = randomBytes(10_000_000)
    const init = { method: 'POST', body }
    for (const answer of [await fetch(origin, init), await app.fetch(new Request('http://a/', init))]) {
      expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(sha256(body))
    }
  })

  it('that expects 100-continue gets it, and the program is not asked for it', async () => {
    const { origin } = await serve(`require('node:http').createServer((req, res) => {
      req.resume().on('end', () => res.end(String(req.headers.expect)))
    }).listen(1)`)
    const req = request(origin, { method: 'POST', headers: { Expect: '100-continue', 'Content-Length': 3 } })
    req.flushHeaders()
    await once(req, 'continue')
    req.end('abc')
    const [res] = await once(req, 'response')
    expect(String(await once(res, 'data'))).toBe('undefined')
  })

  it('is answered early without reading on, and the connection goes on', async () => {
    const { origin } = await serve(`require('node:http').createServer((req, res) => {
      if (req.method === 'POST') res.writeHead(413).end('too much'); else res.end('next')
    }).listen(1)`)
    const socket = connect(Number(new URL(origin).port), '127.0.0.1')
    const body = 'x'.repeat(3_000_000)
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    let got = ''
    for await (const chunk of socket.setEncoding('latin1')) got += chunk
    expect(got).toMatch(/413[\s\S]*too much[\s\S]*200 OK[\s\S]*next/)
  })
})

/** A program that answers with bytes of its own: what it sends for the path of each request line. */
const raw = (answers: Record<string, string>) => `const answers = ${JSON.stringify(answers)}
  require('node:net').createServer((socket) => socket.on('error', () => {}).on('data', (chunk) => {
    const path = String(chunk).split(' ')[1]
    if (path === '/pid') return socket.end('HTTP/1.1 200 OK\\r\\nContent-Length: ' + String(process.pid).length + '\\r\\n\\r\\n' + process.pid)
    socket.end(Buffer.from(answers[path] ?? '', 'latin1'))
  })).listen(process.env.PORT, process.env.HOST)`

describe('an answer', () => {
  it('that is none is a 502 for the client, and the program goes on', async () => {
    const broken = {
      '/nothing': '',
      '/text': 'hello\r\n\r\n',
      '/half': 'HTTP/1.1 200 OK\r\nContent-Le',
      '/nul': 'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n',
      '/cr': 'HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n',
      '/both': 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc',
      '/lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd',
      '/status': 'HTTP/1.1 000 No\r\nContent-Length: 0\r\n\r\n',
      '/101': 'HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
    }
    const { origin, errors } = await serve(raw(broken))
    const pid = await (await fetch(`${origin}/pid`)).text()
    for (const path of Object.keys(broken)) {
      expect([path, (await fetch(origin + path)).status]).toEqual([path, 502])
      expect(errors.splice(0), path).toMatchObject([{ code: 'ENTRY_ANSWER' }])
    }
    expect(await (await fetch(`${origin}/pid`)).text()).toBe(pid)
  })

  it('that filled what may wait for the client leaves a connection that answers', async () => {
    const { origin } = await serve(`let connections = 0
      require('node:http').createServer((_, res) => {
        res.write('x'.repeat(40_000))
        res.end(String(connections))
      }).on('connection', () => connections++).listen(process.env.PORT)`)
    // Its chunks and their end come in one piece, or in several.
    for (let i = 0; i < 20; i++) {
      const text = await (await fetch(origin, { signal: AbortSignal.timeout(10_000) })).text()
      expect(text.length).toBeGreaterThan(40_000)
    }
  })

  it('that is whole is the client’s, whatever follows it', async () => {
    const more = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more'
    const { origin, errors } = await serve(raw({ '/': more, '/head': more }))
    for (let i = 0; i < 3; i++) {
      expect(await (await fetch(origin)).text()).toBe('ok')
      expect((await fetch(`${origin}/head`, { method: 'HEAD' })).headers.get('content-length')).toBe('2')
    }
    expect(errors).toEqual([])
  })

  it('that breaks off does not look whole', async () => {
    const { origin } = await serve(
      raw({
        '/length': 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc',
        '/chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
      }),
    )
    for (const path of ['/length', '/chunked']) {
      await expect(fetch(origin + path).then((answer) => answer.text())).rejects.toThrow()
    }
  })

  it('keeps its fields but for those of the connection and words to web servers', async () => {
    const fields = [
      ...['Connection: close, X-Own', 'X-Own: 1', 'Keep-Alive: timeout=1', 'Trailer: X-Late'],
      ...['X-Sendfile: /etc/passwd', 'X-Accel-Redirect: /secret', 'X-Accel-Buffering: no'],
      ...['Set-Cookie: a=1', 'Set-Cookie: b=2', 'Location: /elsewhere', 'X-Kept: \xe4', 'Content-Length: 2'],
    ]
    const { origin } = await serve(
      raw({ '/': `HTTP/1.1 302 Moved\r\n${fields.join('\r\n')}\r\n\r\nok` }),
      {},
      { routes: { '/': { entry: 'main', headers: { 'X-Route': '1', 'X-Kept': 'no' } } } },
    )
    const answer = await fetch(origin, { redirect: 'manual' })
    expect([answer.status, answer.statusText, await answer.text()]).toEqual([302, 'Moved', 'ok'])
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    const { date, connection, 'keep-alive': _, 'set-cookie': __, ...rest } = Object.fromEntries(answer.headers)
    expect(date).toMatch(/GMT/)
    expect(connection).toBe('keep-alive')
    expect(rest).toEqual({ location: '/elsewhere', 'x-kept': 'ä', 'content-length': '2', 'x-route': '1' })
  })

  it('may have hints before it, and trailers after it that nobody gets', async () => {
    const hint = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n'
    const late = 'Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nHost: evil\r\n\r\n'
    const { origin } = await serve(raw({ '/': `${hint}HTTP/1.1 200 OK\r\n${late}` }))
    const req = request(origin).end()
    const hints = once(req, 'information')
    const [res] = await once(req, 'response')
    expect((await hints)[0]).toMatchObject({ statusCode: 103, headers: { link: '</a.css>; rel=preload' } })
    let body = ''
    for await (const chunk of res) body += chunk
    expect(body).toBe('ok')
    expect(res.trailers).toEqual({})
  })

  it('comes over a new connection where the program has closed the old one', async () => {
    const code = `require('node:net').createServer((socket) => {
      let count = 0
      socket.on('error', () => {}).on('data', () => {
        if (count++ > 0) return socket.destroy()
        socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok')
      })
    }).listen(process.env.PORT, process.env.HOST)`
    const { origin, errors } = await serve(code)
    for (let i = 0; i < 5; i++) expect(await (await fetch(origin)).text()).toBe('ok')
    for (let i = 0; i < 5; i++) expect((await fetch(origin, { method: 'POST', body: 'x' })).status).toBe(200)
    expect(errors).toEqual([])
  })
})

describe('an upgrade', () => {
  const ECHO = `const server = require('node:http').createServer((_, res) => res.end('hello'))
    const { WebSocketServer } = require('ws')
    new WebSocketServer({ server, path: '/ws' }).on('connection', (socket, req) => {
      socket.send(JSON.stringify(req.headers))
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
    })
    server.listen(1)`
  const websockets = async (websocket: boolean) => {
    const entry = { type: 'server', run: ['{node}', 'server.js'], websocket }
    const app = await load({ entry }, { 'server.js': ECHO, ...npmTree('ws') }, { mount: '/shop' })
    const origin = await listen(createServer(app.listener).on('upgrade', app.upgrade))
    return { app, origin, url: `${origin.replace('http', 'ws')}/shop` }
  }

  it('to WebSocket reaches a program that declares it', async () => {
    const { app, url } = await websockets(true)
    const socket = new WebSocket(`${url}/ws`, { headers: { 'X-Forwarded-For': '6.6.6.6', 'X-A': '1' } })
    const [first] = await once(socket, 'message')
    expect(JSON.parse(String(first))).toMatchObject({
      'x-a': '1',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-prefix': '/shop',
    })
    const bytes = randomBytes(1_000_000)
    socket.send(bytes)
    expect((await once(socket, 'message'))[0]).toEqual(bytes)
    const closed = once(socket, 'close')
    await app.close({ graceMs: 0 })
    await closed
  })

  it('that the program answers otherwise is closed with that answer', async () => {
    const { url } = await websockets(true)
    const refused = new WebSocket(`${url}/elsewhere`)
    const [, answer] = await once(refused, 'unexpected-response')
    expect([answer.statusCode, answer.headers.connection]).toEqual([400, 'close'])
    answer.resume()
    await once(answer, 'end')
  })

  it('is refused where it is not declared', async () => {
    const { url } = await websockets(false)
    const refused = new WebSocket(`${url}/ws`)
    const [, answer] = await once(refused, 'unexpected-response')
    expect(answer.statusCode).toBe(400)
  })
})

it('the runtimes that programs name are needs', async () => {
  const run = ['{python}', 'server.py']
  const needs = (python: string) => ({ entry: { type: 'server', run }, dependencies: { runtime: { python } } })
  const error = await loadServer('', {}, needs('>=99')).catch((e) => e)
  expect(error).toMatchObject({
    code: 'NEED_RUNTIME',
    args: { runtime: 'Python', got: expect.arrayContaining([expect.stringMatching(/^3\..+ at \//)]) },
  })
  const { app } = await loadServer('', {}, needs('>=3'))
  expect((await app.fetch(new Request('http://a/'))).status).toBe(200)
  // Without a program that runs it the key is one that this loader does not honour.
  const unused = { ...needs('>=3'), entry: { type: 'server', run: ['{node}', 'server.js'] } }
  expect((await loadServer(INSPECT, {}, unused).catch((e) => e)).code).toBe('UNSUPPORTED_KEY')
})
