import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { HostEvent } from '../../src/host/host-event.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { entry, putArchive, rejection, says, start, stateDir } from './helper.ts'
import { open, parseResponse, readAll } from './raw.ts'

/**
 * `/slow` begins an answer and ends it when a file is there; `/late` has not begun when it waits for that; `/socket` is
 * upgraded and says what it is told.
 */
const appSource = (file: string) => `
const { existsSync } = require('node:fs')
const until = (then) => {
  const timer = setInterval(() => existsSync(${JSON.stringify(file)}) && (clearInterval(timer), then()), 10)
}
module.exports = (req, res) => {
  if (req.url === '/slow') { res.write('begun, '); until(() => res.end('ended')) }
  else if (req.url === '/late') until(() => res.end('late'))
  else res.end('ok')
}
module.exports.upgrade = (req, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n')
  socket.on('data', (chunk) => socket.write(chunk))
  socket.on('end', () => socket.end())
}
`

async function makeApp(): Promise<{ file: string; finish(): Promise<void> }> {
  const dir = await tmpDir()
  const flag = join(dir, 'finish')
  const file = await putArchive(
    join(dir, 'app.zapp'),
    { entry: { ...entry.entry, websocket: true } },
    { 'app.cjs': appSource(flag) },
  )
  return { file, finish: () => writeFile(flag, '') }
}

const request = (target: string, fields = '') => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`
const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n'

/** A connection on which the first bytes of an answer have arrived. */
async function begun(port: number, target: string, fields = ''): Promise<{ all: Promise<string> }> {
  const socket = await open(port)
  const all = readAll(socket)
  socket.write(request(target, fields))
  await once(socket, 'data')
  return { all }
}

describe('close', () => {
  it('answers 503 to who asks for its health, while what runs is finished', async () => {
    const { file, finish } = await makeApp()
    const { host } = await start(file, { state: await tmpDir(), admin: { host: '127.0.0.1', port: 0 } })
    const health = async () => (await fetch(new URL('healthz', host.admin?.url))).status
    expect(await health()).toBe(200)
    const slow = await begun(host.address.port, '/slow')
    const closed = host.close()
    expect(await health()).toBe(503)
    await finish()
    expect(await slow.all).toMatch(/begun, [\s\S]*ended\r\n0\r\n\r\n$/)
    await closed
    expect(await rejection(health())).toBeDefined()
  })

  it('lets running requests finish, tells them that it is the last, ends the idle, takes no more', async () => {
    const { file, finish } = await makeApp()
    const { host, events } = await start(file)
    const { port } = host.address
    const silent = readAll(await open(port))
    const idle = await begun(port, '/')
    const slow = await begun(port, '/slow')
    const socket = await begun(port, '/socket', upgrade)
    const late = await open(port)
    const lateAnswer = readAll(late)
    late.write(request('/late'))
    // The answer to a later request: the earlier one is in the app's hands.
    await begun(port, '/')
    const closed = host.close()
    // The process has heard of it.
    await expect.poll(() => rejection(open(port))).toMatchObject({ code: 'ECONNREFUSED' })
    await finish()
    expect(parseResponse(await lateAnswer)).toMatchObject({ headers: { connection: 'close' }, body: 'late' })
    expect(await slow.all).toMatch(/begun, [\s\S]*ended\r\n0\r\n\r\n$/)
    for (const { all } of [{ all: silent }, idle, socket]) await all
    await closed
    const logged = accessed(events)
    expect(logged.map(({ target, status }) => `${status} ${target}`).sort()).toEqual([
      '101 /socket',
      '200 /',
      '200 /',
      '200 /late',
      '200 /slow',
    ])
    expect(logged.filter(({ aborted }) => aborted)).toEqual([])
  })

  it('ends what does not finish in time; a second call shortens the wait', async () => {
    const { host, events } = await start((await makeApp()).file)
    const slow = await begun(host.address.port, '/slow')
    const closed = host.close({ drainMs: 60_000 })
    await host.close({ drainMs: 0 })
    await closed
    expect(await slow.all).not.toContain('ended')
    expect(accessed(events)).toMatchObject([{ target: '/slow', status: 200, aborted: true }])
  })
})

/** What the access log says. */
function accessed(events: readonly HostEvent[]) {
  const lines = events.flatMap((event) => (event.type === 'access' ? event.lines.split('\n') : []))
  return lines.map((line) => {
    const [, target = '', status] = / "GET (\S+) HTTP\/1\.1" (\d+) /.exec(line) ?? []
    return { target, status: Number(status), aborted: line.endsWith(' aborted') }
  })
}

describe('zapp serve', () => {
  const children: ChildProcess[] = []
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })

  interface Running {
    readonly child: ChildProcess
    readonly port: number
    stderr(): string
    /** Exit code and signal. */
    readonly exit: Promise<unknown[]>
  }

  const run = (...args: string[]) => runWith('unlimited', ...args)

  /** @param descriptors how many the process may have, as `ulimit -n` takes it */
  async function runWith(descriptors: number | 'unlimited', ...args: string[]): Promise<Running> {
    const cli = join(import.meta.dirname, '../../bin/zapp.js')
    const dirs = ['--cache', join(stateDir, 'cache'), '--data', join(stateDir, 'data')]
    const limit = descriptors === 'unlimited' ? '' : `ulimit -n ${descriptors};`
    const child = spawn('sh', ['-c', `${limit} exec "$@"`, 'sh', process.execPath, cli, 'serve', ...dirs, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    children.push(child)
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk) => {
      stdout += chunk
    })
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    const exit = once(child, 'exit')
    const port = await Promise.race([
      expect
        .poll(() => stdout, { timeout: 20_000 })
        .toMatch(/:[0-9]+\//)
        .then(() => Number(/:([0-9]+)\//.exec(stdout)?.[1])),
      exit.then(() => Promise.reject(new Error(`zapp serve ended: ${stderr}`))),
    ])
    return { child, port, stderr: () => stderr, exit }
  }

  it('SIGTERM: running requests finish, the process ends with 0, the port is free at once', async () => {
    const { file, finish } = await makeApp()
    const { child, port, stderr, exit } = await run(file, '--port', '0')
    const slow = await begun(port, '/slow')
    await fetch(`http://127.0.0.1:${port}/?q=%22a%22`)
    child.kill('SIGTERM')
    await expect.poll(stderr).toContain('stopping')
    await finish()
    expect(await slow.all).toMatch(/ended\r\n0\r\n\r\n$/)
    expect(await exit).toEqual([0, null])
    const lines = stderr().split('\n')
    expect(lines.filter((line) => line.includes(' "GET '))).toEqual([
      expect.stringMatching(/^\S+Z 127\.0\.0\.1 "GET \/\?q=%22a%22 HTTP\/1\.1" 200 [0-9]+ [0-9.]+ms \/$/),
      expect.stringMatching(/^\S+Z 127\.0\.0\.1 "GET \/slow HTTP\/1\.1" 200 [0-9]+ [0-9.]+ms \/$/),
    ])
    await run(file, '--port', String(port))
  })

  it('SIGTERM ends the process although the app left a timer and a server behind', async () => {
    const code = `
      setInterval(() => {}, 1000)
      require('node:http').createServer().listen(0)
      module.exports = (req, res) => res.end('ok')
      process.on('exit', () => console.log('last words'))
    `
    const file = await putArchive(join(await tmpDir(), 'busy.zapp'), entry, { 'app.cjs': code })
    const { child, port, stderr, exit } = await run(file, '--port', '0')
    await fetch(`http://127.0.0.1:${port}/`)
    child.kill('SIGTERM')
    expect(await exit).toEqual([0, null])
    await expect.poll(stderr).toContain('hello | last words\n')
  })

  it.each([
    ['one app, which accepts by itself', 1],
    ['a folder of apps', 2],
  ])('R12: out of descriptors it goes on, and recovers: %s', async (_, count) => {
    const dir = await tmpDir()
    for (let i = 0; i < count; i++)
      await putArchive(join(dir, `app${i}.zapp`), { ...entry, name: `app${i}` }, says('ok'))
    const { port, exit, child } = await runWith(256, count === 1 ? join(dir, 'app0.zapp') : dir, '--port', '0')
    const path = count === 1 ? '/' : '/app0/'
    const sockets = await Promise.all(Array.from({ length: 500 }, () => open(port)))
    for (const socket of sockets) socket.on('error', () => {}).write(request(path))
    const ask = () =>
      fetch(`http://127.0.0.1:${port}${path}`, { headers: { Connection: 'close' } }).then(
        ({ status }) => status,
        () => 0,
      )
    for (const socket of sockets) socket.destroy()
    await expect.poll(ask, { timeout: 5000 }).toBe(200)
    child.kill('SIGTERM')
    expect(await exit).toEqual([0, null])
  })

  it('a second signal ends it at once', async () => {
    const { child, port, stderr, exit } = await run((await makeApp()).file, '--port', '0')
    const slow = await begun(port, '/slow')
    child.kill('SIGINT')
    await expect.poll(stderr).toContain('stopping')
    expect(child.exitCode).toBe(null)
    child.kill('SIGINT')
    expect(await exit).not.toEqual([0, null])
    expect(await slow.all).not.toContain('ended')
  })

  it('one app that cannot start is an exit code and no server', async () => {
    const file = await putArchive(join(await tmpDir(), 'bad.zapp'), entry, {
      'app.cjs': 'throw new Error("no database")',
    })
    await expect(run(file, '--port', '0')).rejects.toThrow(/ENTRY_LOAD[\s\S]*no database/)
  })

  it('a port that is taken is an exit code and a message that says what to do', async () => {
    const { host } = await start(await putArchive(join(await tmpDir(), 'a.zapp'), entry, says('x')))
    await expect(run((await makeApp()).file, '--port', String(host.address.port))).rejects.toThrow(
      /PORT_IN_USE[\s\S]*--port/,
    )
  })
})
