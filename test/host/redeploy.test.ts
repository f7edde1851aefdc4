import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import type { AccessRecord } from '../../src/host/access-log.ts'
import { createDeployment } from '../../src/host/create-deployment.ts'
import type { Deployment } from '../../src/host/deployment.ts'
import { Front } from '../../src/host/front.ts'
import { refusal } from '../../src/host/reply.ts'
import { MemoryCache } from '../../src/mount/memory-cache.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { entry, stateDir } from './helper.ts'
import { startLoad, type Task } from './load.ts'
import { open, readAll, Talk } from './raw.ts'

const MB = 1024 * 1024

/** Says its version in a field and in the body; `/hash` the hash of what it gets, `/big` 10 MB, `/events` never ends. */
const app = (version: string) => ({
  'app.cjs': `
    const { createHash } = require('node:crypto')
    const big = Buffer.alloc(${10 * MB}, 'x')
    module.exports = (req, res) => {
      res.setHeader('X-Version', '${version}')
      if (req.url === '/pid') return res.end(String(process.pid))
      if (req.url === '/big') return res.end(big)
      if (req.url === '/events') {
        res.setHeader('Content-Type', 'text/event-stream')
        return res.write('data: ${version}\\n\\n')
      }
      const hash = createHash('sha256')
      req.on('data', (chunk) => hash.update(chunk))
      req.on('end', () => res.end(req.method === 'GET' ? '${version}' : hash.digest('hex')))
    }
    module.exports.upgrade = (req, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n')
      socket.on('data', (chunk) => socket.write('${version} ' + chunk))
      socket.on('end', () => socket.end())
    }`,
})

const pythonApp = (version: string) => ({
  'app.py': `import hashlib
def application(environ, start_response):
    start_response('200 OK', [('X-Version', '${version}'), ('Content-Type', 'text/plain')])
    if environ['PATH_INFO'] == '/big':
        return [b'x' * ${10 * MB}]
    body = environ['wsgi.input'].read()
    return [b'${version}' if environ['REQUEST_METHOD'] == 'GET' else hashlib.sha256(body).hexdigest().encode()]
`,
})

/** A front with deployments that the test switches. */
class Site {
  readonly records: AccessRecord[] = []
  /** Requests that workers have told of. */
  counted = 0
  readonly front: Front
  readonly #current = new Map<string, Deployment>()
  readonly #stopped: Promise<void>[] = []
  port = 0
  /** How often it was asked whose a request is. */
  found = 0

  constructor(single: boolean) {
    this.front = new Front({
      single,
      find: (path) => {
        this.found++
        const mount = `/${path.split('/')[1]}`
        const deployment = this.#current.get(mount)
        return deployment ? { app: { id: mount, version: '' }, deployment } : refusal(404, 'None.')
      },
      log: (record) => this.records.push(record),
    })
  }

  async listen(): Promise<this> {
    await this.front.listen([{ host: '127.0.0.1', port: 0 }])
    this.port = this.front.listeners[0]?.port ?? 0
    return this
  }

  /** The new version is up before the old one is told to end. @returns resolves when the old one is gone */
  async deploy(mount: string, version: string, graceMs = 30_000): Promise<{ gone: Promise<void> }> {
    const isPython = mount === '/python'
    const file = await makeArchive(
      await tmpDir(),
      { entry: isPython ? { type: 'wsgi', app: 'app:application' } : { ...entry.entry, websocket: true }, name: 'app' },
      isPython ? pythonApp(version) : app(version),
    )
    const archive = await openArchive(file)
    const deployment = createDeployment(
      {
        ...{ manifest: archive.manifest, file, digest: `sha256:${version}` },
        ...{ archive: async () => archive, release: () => archive.close() },
      },
      {
        ...{ mount, config: {}, cache: join(stateDir, 'cache'), data: join(stateDir, 'data', mount) },
        ...{ onError: () => {}, onLog: () => {} },
        ...{ app: { id: mount, version }, accessLog: () => 'off' },
        onRestart: () => {},
        onReport: ({ counts }) => {
          this.counted += counts.requests['2xx'] ?? 0
        },
      },
      { front: this.front, wakes: (work) => work(), memory: new MemoryCache() },
    )
    await deployment.start()
    const old = this.#current.get(mount)
    this.#current.set(mount, deployment)
    this.front.claim(
      [...this.#current].map(([path, one]) => ({ host: '', mount: path, deployment: one, failed: false })),
    )
    await this.front.ready()
    const gone = old?.stop(graceMs) ?? Promise.resolve()
    this.#stopped.push(gone)
    return { gone }
  }

  pids(mount: string): readonly number[] {
    return this.#current.get(mount)?.pids ?? []
  }

  async close(): Promise<void> {
    const closed = this.front.close()
    this.front.cut()
    await closed
    await Promise.all([...this.#current.values()].map((deployment) => deployment.stop(0)))
    await Promise.all(this.#stopped)
  }
}

const sites: Site[] = []
const descriptors = () => readdirSync('/proc/self/fd').length
let before = 0
const openSite = async (single = false) => {
  before = descriptors()
  const site = await new Site(single).listen()
  sites.push(site)
  return site
}
afterEach(async () => {
  await Promise.all(sites.splice(0).map((site) => site.close()))
  await vi.waitUntil(() => descriptors() <= before)
})

const body = randomBytes(10 * MB)
const hash = createHash('sha256').update(body).digest('hex')
const small = Buffer.from('a small body')
const smallHash = createHash('sha256').update(small).digest('hex')

const isFrom = (mount: string): Task => ({
  method: 'GET',
  target: `${mount}/`,
  check: ({ status, headers, text }) =>
    status === 200 && headers.get('x-version') === text ? undefined : `${status} ${headers.get('x-version')} ${text}`,
})
const upload = (mount: string, content: Buffer, expected: string): Task => ({
  method: 'POST',
  target: `${mount}/hash`,
  body: content,
  check: ({ status, text }) => (status === 200 && text === expected ? undefined : `${status} ${text}`),
})
const download = (mount: string): Task => ({
  method: 'GET',
  target: `${mount}/big`,
  check: ({ status, length }) => (status === 200 && length === 10 * MB ? undefined : `${status} ${length} bytes`),
})

const LAST = 'GET /a/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'

describe('a redeploy', () => {
  it('fails no request: GET, POST, 10 MB up and down, connections of one app and of two', async () => {
    const site = await openSite()
    await site.deploy('/a', 'a0')
    await site.deploy('/b', 'b0')
    const load = startLoad(site.port, [
      ...Array.from({ length: 6 }, () => [isFrom('/a'), upload('/a', small, smallHash)]),
      ...Array.from({ length: 3 }, () => [isFrom('/a'), isFrom('/b'), upload('/b', small, smallHash)]),
      [upload('/a', body, hash), download('/a')],
      [download('/b'), isFrom('/b'), upload('/b', body, hash)],
    ])
    for (let i = 1; i <= 2; i++) {
      const { gone } = await site.deploy('/a', `a${i}`)
      await site.deploy('/b', `b${i}`)
      await gone
      const answered = load.requests
      await expect.poll(() => load.requests, { timeout: 10_000 }).toBeGreaterThan(answered + 50)
    }
    const { requests, failures } = await load.stop()
    expect(failures).toEqual([])
    expect(requests).toBeGreaterThan(100)
  })

  it('fails no request where processes accept connections by themselves; one that dies leaves them waiting', async () => {
    const site = await openSite(true)
    await site.deploy('/a', 'a0')
    const load = startLoad(site.port, [
      ...Array.from({ length: 4 }, () => [isFrom('/a'), upload('/a', small, smallHash)]),
      [upload('/a', body, hash), download('/a')],
    ])
    for (let i = 1; i <= 2; i++) {
      await (await site.deploy('/a', `a${i}`)).gone
      expect((await Talk.open(site.port).then((talk) => talk.ask(LAST))).body).toBe(`a${i}`)
    }
    expect((await load.stop()).failures).toEqual([])

    const [pid = 0] = site.pids('/a')
    process.kill(pid, 'SIGKILL')
    await expect.poll(() => site.pids('/a')).toEqual([])
    expect((await Talk.open(site.port).then((talk) => talk.ask(LAST))).body).toBe('a2')
  })

  it('fails no request of a Python app, on its own connections and on those that it shares with Node', async () => {
    const site = await openSite()
    await site.deploy('/a', 'a0')
    await site.deploy('/python', 'p0')
    const load = startLoad(site.port, [
      ...Array.from({ length: 4 }, () => [isFrom('/python'), upload('/python', small, smallHash)]),
      [isFrom('/a'), isFrom('/python'), upload('/a', small, smallHash), upload('/python', small, smallHash)],
      [upload('/python', body, hash), download('/python')],
    ])
    for (let i = 1; i <= 2; i++) {
      await (await site.deploy('/python', `p${i}`)).gone
      const answered = load.requests
      await expect.poll(() => load.requests, { timeout: 10_000 }).toBeGreaterThan(answered + 50)
    }
    const { requests, failures } = await load.stop()
    expect(failures).toEqual([])
    // Each of them was told of, also those that Python answered on connections of its own.
    await expect.poll(() => site.records.length + site.counted).toBeGreaterThanOrEqual(requests)
  })

  it('an idle connection is answered by the new version, the old process is gone', async () => {
    const site = await openSite()
    await site.deploy('/a', 'a0')
    const talk = await Talk.open(site.port)
    expect((await talk.ask('GET /a/ HTTP/1.1\r\nHost: x\r\n\r\n')).body).toBe('a0')
    const [old] = site.pids('/a')
    await (await site.deploy('/a', 'a1')).gone
    expect(() => process.kill(old ?? 0, 0)).toThrow()
    expect((await talk.ask('GET /a/ HTTP/1.1\r\nHost: x\r\n\r\n')).body).toBe('a1')
    talk.socket.destroy()
  })

  it('streams of events and WebSockets go on until the limit, then end in their own way', async () => {
    const site = await openSite()
    await site.deploy('/a', 'a0')
    const [events, socket] = [await open(site.port), await open(site.port)]
    const [allEvents, allOfSocket] = [readAll(events), readAll(socket)]
    events.write('GET /a/events HTTP/1.1\r\nHost: x\r\n\r\n')
    socket.write('GET /a/up HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    await Promise.all([once(events, 'data'), once(socket, 'data')])
    const { gone } = await site.deploy('/a', 'a1', 1500)
    socket.write('still')
    await once(socket, 'data')
    await gone
    expect(await allOfSocket).toMatch(/^HTTP\/1\.1 101 [\s\S]*\r\n\r\na0 still$/)
    expect(await allEvents).toMatch(/data: a0\n\n\r\n0\r\n\r\n$/)
  })

  it('of a process that does not answer: what it may have read gets 502, the rest goes to the next', async () => {
    const site = await openSite()
    await site.deploy('/a', 'a0')
    const [pid = 0] = site.pids('/a')
    process.kill(pid, 'SIGSTOP')
    const talks = await Promise.all(Array.from({ length: 8 }, () => Talk.open(site.port)))
    const answers = talks.map((talk) => talk.ask('GET /a/ HTTP/1.1\r\nHost: x\r\n\r\n'))
    await expect.poll(() => site.found).toBe(talks.length)
    process.kill(pid, 'SIGKILL')
    const statuses = (await Promise.all(answers)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 502)).toHaveLength(1)
    expect(statuses.filter((status) => status === 200)).toHaveLength(7)
    for (const { socket } of talks) socket.destroy()
  })
})
