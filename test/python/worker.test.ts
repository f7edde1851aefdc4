import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { LATENCY_BUCKETS } from '../../src/host/metrics.ts'
import { type Report, type SentRecord, unpackRecord } from '../../src/host/workers/messages.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { ROOT } from './python.ts'

/* `python -m zapp worker`, started by Node over its IPC channel: what hosts rely on. */

type Message = { readonly type: string; readonly [key: string]: unknown }

const APP = `
import json, os, sys
def application(environ, start_response):
    length = 0
    while True:
        data = environ["wsgi.input"].read(65536)
        if not data: break
        length += len(data)
    seen = {key: value for key, value in environ.items() if isinstance(value, str)}
    seen["own"] = {"env": dict(os.environ), "path": sys.path, "pid": os.getpid()}
    body = json.dumps({**seen, "length": length}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
`
const MANIFEST = { entry: { type: 'wsgi', app: 'own_app:application' } }

const children: ChildProcess[] = []
const servers: Server[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const server of servers.splice(0)) server.close()
})

interface Worker {
  readonly child: ChildProcess
  readonly messages: Message[]
  readonly returned: Socket[]
  readonly socketPath: string
  readonly exit: Promise<unknown[]>
  /** Resolves with the next message of a type. */
  message(type: string): Promise<Message>
}

async function startWorker(options: readonly string[], source = APP): Promise<Worker> {
  const dir = await tmpDir()
  const file = await makeArchive(dir, { name: 'own', version: '1.0.0', ...MANIFEST }, { 'own_app.py': source })
  const tree = await tmpDir()
  await writeFile(join(tree, 'own_app.py'), source)
  const socketPath = join(dir, 's')
  const args = ['-m', 'zapp', 'worker', file, '--tree', tree, '--socket', socketPath, ...options]
  const env = { PATH: process.env.PATH, PYTHONPATH: join(ROOT, 'python'), OWN: 'value' }
  const child = spawn('python3', args, { env, cwd: tree, stdio: ['ignore', 'inherit', 'pipe', 'ipc'] })
  children.push(child)
  const messages: Message[] = []
  const returned: Socket[] = []
  child.on('message', (message: Message, handle) => {
    messages.push(message)
    if (handle) returned.push(handle as Socket)
    child.emit('told')
  })
  const exit = once(child, 'exit')
  async function message(type: string): Promise<Message> {
    for (;;) {
      const at = messages.findIndex((found) => found.type === type)
      if (at >= 0) return messages.splice(at, 1)[0]!
      await Promise.race([once(child, 'told'), exit.then((how) => Promise.reject(new Error(`ended: ${how}`)))])
    }
  }
  return { child, messages, returned, socketPath, exit, message }
}

/** A port whose connections are handed to the worker as they are accepted. */
async function handOver({ child }: Worker): Promise<number> {
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    child.send({ type: 'connection', head: '' }, socket)
  }).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: what the app has seen
  readonly seen: any
}

function ask(options: object, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = body ? { 'content-length': body.length } : {}
    const req = request({ method: body ? 'POST' : 'GET', headers, ...options }, async (res) => {
      const parts: Buffer[] = []
      for await (const part of res) parts.push(part as Buffer)
      const text = Buffer.concat(parts).toString()
      resolve({ status: res.statusCode ?? 0, seen: text.startsWith('{') ? JSON.parse(text) : text })
    })
    req.on('error', reject)
    req.end(body)
  })
}

describe('python -m zapp worker', () => {
  it('answers for one entry point on its socket, and believes there who the client is', async () => {
    const worker = await startWorker(['--entry', 'main', '--mount', '/shop'])
    await worker.message('ready')
    const headers = {
      Host: 'inner',
      'X-Forwarded-For': '192.0.2.7',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': 'shop.example:8443',
      'X-Forwarded-Prefix': '/shop/caf%C3%A9',
    }
    const { seen } = await ask({ socketPath: worker.socketPath, path: '/a%20b?c', headers })
    const cafe = Buffer.from('/shop/café').toString('latin1')
    expect(seen).toMatchObject({ SCRIPT_NAME: cafe, PATH_INFO: '/a b', QUERY_STRING: 'c', REMOTE_ADDR: '192.0.2.7' })
    expect(seen).toMatchObject({ HTTP_HOST: 'shop.example:8443', SERVER_NAME: 'shop.example', SERVER_PORT: '8443' })
    // The app sees what was meant for it, and no way to the channel or to this package.
    expect(seen.own.env).toMatchObject({ OWN: 'value' })
    expect(Object.keys(seen.own.env).filter((name) => /NODE_CHANNEL|PYTHONPATH/.test(name))).toEqual([])
    expect(seen.own.path).not.toContain(join(ROOT, 'python'))

    worker.child.send({ type: 'drain', graceMs: 5000 })
    expect(await worker.exit).toEqual([0, null])
  })

  it('takes over connections, and trusts nobody on them', async () => {
    const worker = await startWorker(['--mount', '/shop'])
    await worker.message('ready')
    const port = await handOver(worker)
    const agent = new Agent({ keepAlive: true })
    const body = Buffer.alloc(10_000_000)
    const answers = await Promise.all(Array.from({ length: 16 }, () => ask({ port, agent, path: '/shop/up' }, body)))
    expect(answers.map(({ status, seen }) => [status, seen.length])).toEqual(Array(16).fill([200, body.length]))
    const headers = { 'X-Forwarded-For': '192.0.2.7', 'X-Forwarded-Prefix': '/evil', Proxy: 'evil' }
    const { seen } = await ask({ port, agent, path: '/shop/x', headers })
    expect(seen).toMatchObject({ SCRIPT_NAME: '/shop', PATH_INFO: '/x', REMOTE_ADDR: '127.0.0.1' })
    expect(JSON.stringify(seen)).not.toMatch(/evil|192\.0\.2\.7/)
    agent.destroy()
  })

  it('gives a connection back whose next request is for another app, and all when it is drained', async () => {
    const worker = await startWorker(['--mount', '/shop', '--threads', '2'])
    await worker.message('ready')
    worker.child.send({ type: 'territory', territory: { mount: '/shop', below: ['/shop/admin'] } })
    const port = await handOver(worker)
    const [one, two] = [connect(port), connect(port)]
    one.write(
      'GET /shop/ HTTP/1.1\r\nHost: a\r\nUser-Agent: Mozilla\r\n\r\nGET /shop/admin/x HTTP/1.1\r\nHost: a\r\n\r\nrest',
    )
    // The same fields: whose record comes first is not said.
    two.write('GET /shop/ HTTP/1.1\r\nHost: a\r\nUser-Agent: Mozilla\r\n\r\nGET /sho')
    expect(String(await once(one, 'data'))).toMatch(/^HTTP\/1\.1 200 /)
    expect((await worker.message('return')).head).toBe('GET /shop/admin/x HTTP/1.1\r\nHost: a\r\n\r\nrest')
    const { texts, records } = (await worker.message('access')) as unknown as { texts: string[]; records: SentRecord[] }
    expect(unpackRecord(records[0]!, texts, { id: 'shop', version: '' })).toMatchObject({
      ...{ peer: '127.0.0.1', method: 'GET', target: '/shop/', httpVersion: '1.1' },
      ...{
        referer: '',
        userAgent: 'Mozilla',
        status: 200,
        app: 'shop',
        aborted: false,
        id: expect.stringMatching(/^[0-9a-f]{12}-\w+$/),
      },
    })
    // It is whole: whoever has it now can answer on it.
    worker.returned[0]?.end('HTTP/1.1 204 From the host\r\n\r\n')
    expect(String(await once(one, 'data'))).toContain('204 From the host')

    await once(two, 'data')
    // Where nothing is logged it counts. The connection is handed over behind the message.
    worker.child.send({ type: 'accessLog', format: 'off' })
    const three = connect(port)
    three.write('GET /shop/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    await once(three, 'data')
    const { counts } = (await worker.message('report')) as unknown as Report
    expect(counts).toMatchObject({ requests: { '2xx': 1 }, bytes: expect.any(Number), seconds: expect.any(Number) })
    expect([counts.latency.length, counts.latency.reduce((sum, count) => sum + count)]).toEqual([
      LATENCY_BUCKETS.length + 1,
      1,
    ])
    worker.child.send({ type: 'drain', graceMs: 5000 })
    expect((await worker.message('return')).head).toBe('GET /sho')
    await worker.message('drained')
    // Until the host says that nothing more comes, it can be asked on the private socket.
    expect((await ask({ socketPath: worker.socketPath, path: '/shop/' })).status).toBe(200)
    worker.child.send({ type: 'end' })
    expect(await worker.exit).toEqual([0, null])
    for (const socket of [one, two, three, ...worker.returned]) socket.destroy()
  })

  it('accepts by itself where it is given the listening socket, until it is drained', async () => {
    const worker = await startWorker([])
    await worker.message('ready')
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    worker.child.send({ type: 'listen' }, server)
    worker.child.send({ type: 'territory', territory: { mount: '', below: [] } })
    server.close()
    const agent = new Agent({ keepAlive: true })
    const { seen } = await ask({ port, agent, path: '/x', headers: { 'X-Forwarded-For': '192.0.2.7' } })
    expect(seen).toMatchObject({ PATH_INFO: '/x', REMOTE_ADDR: '127.0.0.1', SERVER_PORT: String(port) })
    worker.child.send({ type: 'drain', graceMs: 5000, last: true })
    await worker.message('drained')
    await expect(ask({ port, path: '/' })).rejects.toThrow('ECONNREFUSED')
    worker.child.send({ type: 'end' })
    expect(await worker.exit).toEqual([0, null])
    agent.destroy()
  })

  it('says what is wrong with the app, and ends', async () => {
    const worker = await startWorker(['--entry', 'main'], 'raise RuntimeError("no database")')
    const { findings } = (await worker.message('failed')) as unknown as { findings: object[] }
    expect(findings).toMatchObject([{ code: 'ENTRY_LOAD', args: { reason: 'RuntimeError: no database' } }])
    expect(await worker.exit).toEqual([1, null])
  })

  it('asks to be replaced after its requests, and goes on until it is told', async () => {
    const worker = await startWorker(['--entry', 'main', '--max-requests', '5'])
    await worker.message('ready')
    for (let i = 0; i < 5; i++) await ask({ socketPath: worker.socketPath, path: '/' })
    await worker.message('retire')
    expect((await ask({ socketPath: worker.socketPath, path: '/' })).status).toBe(200)
    expect(worker.messages).toEqual([])
  })

  it('ends by itself when its parent has gone, and when it is told to', async () => {
    const orphan = await startWorker(['--entry', 'main'])
    await orphan.message('ready')
    orphan.child.disconnect()
    expect(await orphan.exit).toEqual([0, null])
    const told = await startWorker(['--entry', 'main'])
    await told.message('ready')
    told.child.kill('SIGTERM')
    expect(await told.exit).toEqual([0, null])
  })
})
