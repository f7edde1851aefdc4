import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { text as readText } from 'node:stream/consumers'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { openArchive } from '../../src/archive/archive.ts'
import { openCache } from '../../src/cache/cache.ts'
import { PythonWorker } from '../../src/runtimes/python-worker.ts'
import { freePort } from '../helpers/free-port.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { ROOT } from '../python/python.ts'
import { startProcess } from './helpers/server-process.ts'
import { venv } from './helpers/venv.ts'

/* zapp.load_asgi in servers that others have written, and the worker processes that are run by them. */

const python = await venv('uvicorn', 'hypercorn', 'gunicorn', 'fastapi', 'websockets')

const FASTAPI = `
import asyncio, contextlib, os
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
@contextlib.asynccontextmanager
async def lifespan(app):
    if os.environ.get("BROKEN"):
        raise RuntimeError("no database")
    yield {"pool": "open"}
    print("pool closed", flush=True)
app = FastAPI(lifespan=lifespan)
@app.get("/items/{name:path}", name="item")
def item(name: str, request: Request, q: str = ""):
    pool = getattr(request.state, "pool", None)
    seen = {"name": name, "q": q, "root": request.scope["root_path"], "path": request.url_for("item", name="x").path}
    client = request.client.host if request.client else None
    return {**seen, "scheme": request.url.scheme, "host": request.url.hostname, "client": client, "pool": pool}
@app.post("/size")
async def size(request: Request):
    return {"size": sum([len(part) async for part in request.stream()])}
@app.get("/slow")
async def slow():
    async def parts():
        for i in range(10):
            yield b"%d" % i
            await asyncio.sleep(0.05)
    return StreamingResponse(parts())
@app.websocket("/live")
@app.websocket("/closed")
async def live(socket: WebSocket):
    await socket.accept()
    await socket.send_text(socket.scope["root_path"] + "|" + await socket.receive_text())
`
const MANIFEST = {
  name: 'fast',
  entry: { type: 'asgi', app: 'main:app' },
  routes: {
    '/': { entry: 'main', headers: { 'X-Route': '1' } },
    '/live': { entry: 'main', websocket: true },
    '/api/*': { entry: 'main', strip: true },
    '/docs/*': { static: 'docs' },
  },
}
const FILES = { 'main.py': FASTAPI, 'docs/index.html': '<h1>docs</h1>', 'docs/big.bin': Buffer.alloc(3_000_000, 7) }

const stops: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})

const SERVERS: Readonly<Record<string, readonly string[]>> = {
  uvicorn: ['-m', 'uvicorn', 'site_fast:application', '--port', '{port}'],
  hypercorn: ['-m', 'hypercorn', 'site_fast:application', '--bind', '127.0.0.1:{port}'],
}

async function start(server: string, module: (file: string, options: string) => string) {
  const dir = await tmpDir()
  const file = await makeArchive(dir, MANIFEST, FILES)
  const options = `cache=${JSON.stringify(join(dir, 'cache'))}`
  await writeFile(join(dir, 'site_fast.py'), module(JSON.stringify(file), options))
  const port = await freePort()
  const argv = [python, ...SERVERS[server]!.map((word) => word.replace('{port}', String(port)))]
  const env = { PYTHONPATH: `${dir}:${join(ROOT, 'python')}`, PYTHONUNBUFFERED: '1' }
  const started = await startProcess(argv, { at: port, cwd: dir, env })
  stops.push(() => started.stop())
  return { ...started, url: `http://127.0.0.1:${port}` }
}

describe.each(Object.keys(SERVERS))('an archive with a FastAPI app in %s', (name) => {
  test.each(['', '/shop'])('loaded for "%s"', async (mount) => {
    const load = (file: string, options: string) =>
      `import zapp\napplication = zapp.load_asgi(${file}, ${JSON.stringify(mount)}, ${options})\n`
    const server = await start(name, load)
    const { url } = server
    const item = await (await fetch(`${url}${mount}/items/a%20b?q=%2F`)).json()
    expect(item).toMatchObject({ name: 'a b', q: '/', root: mount, path: `${mount}/items/x`, pool: 'open' })
    const stripped = await (await fetch(`${url}${mount}/api/items/c`)).json()
    expect(stripped).toMatchObject({ name: 'c', root: `${mount}/api`, path: `${mount}/api/items/x` })
    expect((await fetch(`${url}${mount}/items/a`)).headers.get('x-route')).toBe('1')
    const size = await fetch(`${url}${mount}/size`, { method: 'POST', body: Buffer.alloc(5_000_000) })
    expect(await size.json()).toEqual({ size: 5_000_000 })
    expect(await (await fetch(`${url}${mount}/slow`)).text()).toBe('0123456789')

    const page = await fetch(`${url}${mount}/docs`)
    expect([page.url, await page.text()]).toEqual([`${url}${mount}/docs/`, '<h1>docs</h1>'])
    const etag = page.headers.get('etag')!
    expect((await fetch(`${url}${mount}/docs/`, { headers: { 'If-None-Match': etag } })).status).toBe(304)
    expect((await (await fetch(`${url}${mount}/docs/big.bin`)).arrayBuffer()).byteLength).toBe(3_000_000)
    expect((await fetch(`${url}${mount}/docs/nothing`)).status).toBe(404)
    expect(await rawStatus(url, `${mount}/%2e%2e/zapp.json`)).toBe(400)
    if (mount) expect((await fetch(`${url}/shopping`)).status).toBe(404)

    expect(await greet(`${url}${mount}/live`)).toBe(`${mount}|hello`)
    expect(await greet(`${url}${mount}/closed`)).toBe('refused with 403')
    await server.stop()
    expect(server.log()).toContain('pool closed')
  })

  test('mounted in another app, which hands no lifespan on', async () => {
    const outer = (file: string, options: string) => `
import zapp
from starlette.applications import Starlette
from starlette.routing import Mount
application = Starlette(routes=[Mount("/out/shop", app=zapp.load_asgi(${file}, ${options}))])
`
    const { url } = await start(name, outer)
    const item = await (await fetch(`${url}/out/shop/items/a%2fb`)).json()
    expect(item).toMatchObject({ name: 'a/b', root: '/out/shop', path: '/out/shop/items/x', pool: null })
    expect((await fetch(`${url}/out/shop/docs`)).url).toBe(`${url}/out/shop/docs/`)
    expect(await greet(`${url}/out/shop/live`)).toBe('/out/shop|hello')
  })
})

test.each(['uvicorn', 'hypercorn'])('python -m zapp serve runs it by %s, in several processes', async (server) => {
  const dir = await tmpDir()
  const file = await makeArchive(dir, MANIFEST, FILES)
  const port = await freePort()
  const hide = `import sys; sys.modules.update(${server === 'uvicorn' ? '{}' : '{"uvicorn": None}'})`
  const code = `${hide}; from zapp.__main__ import main; sys.exit(main())`
  const flags = ['--port', String(port), '--mount', '/shop', '--processes', '2', '--cache', join(dir, 'cache')]
  const argv = [python, '-c', code, 'serve', file, ...flags]
  const started = await startProcess(argv, { at: port, cwd: dir, env: { PYTHONPATH: join(ROOT, 'python') }, own: true })
  stops.push(() => started.stop())
  const url = `http://127.0.0.1:${port}/shop`
  // It says so when all of its processes are ready.
  await expect.poll(started.log).toContain(`${url}/\n`)
  expect(await (await fetch(`${url}/items/a`)).json()).toMatchObject({ root: '/shop', pool: 'open' })
  // What is running when it is told to end is answered to its end.
  const slow = await fetch(`${url}/slow`)
  const stopped = started.stop()
  expect(await slow.text()).toBe('0123456789')
  await stopped
  expect(started.log()).not.toContain('Traceback')
  expect(started.log().match(/pool closed/g)).toHaveLength(2)
})

describe('worker processes', () => {
  async function worker(server: string, manifest: object, options: object = {}) {
    const dir = await tmpDir()
    const file = await makeArchive(dir, { ...MANIFEST, ...manifest }, { ...FILES, 'plain.py': PLAIN })
    const archive = await openArchive(file)
    const cache = await openCache({ dir: join(dir, 'cache') })
    const tree = (await cache.runTree(archive)).root
    await archive.close()
    const lines: string[] = []
    const env = { PATH: process.env.PATH!, LANG: 'C.UTF-8' }
    const onLine = (_: string, text: string) => lines.push(text)
    const place = { python, file, tree, name: 'main', entry: 'main', env }
    const spec = { ...place, threads: 2, server, timeout: 60_000, onLine, onLimit: () => {} }
    const started = await PythonWorker.start({ ...spec, ...options })
    stops.push(() => started.stop(0))
    return { started, lines }
  }

  const headers = {
    Host: 'inside',
    'X-Forwarded-Host': 'shop.example',
    'X-Forwarded-For': '192.0.2.7',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Prefix': '/caf%C3%A9/api',
  }
  const told = { scheme: 'https', host: 'shop.example', client: '192.0.2.7' }

  describe.each(['uvicorn', 'hypercorn'])('%s', (server) => {
    test('believes the front, and drains', async () => {
      const { started, lines } = await worker(server, {})
      const seen = JSON.parse(await ask(started, '/items/a%20b', headers))
      expect(seen).toMatchObject({
        ...told,
        name: 'a b',
        root: '/café/api',
        path: '/café/api/items/x',
        pool: 'open',
      })
      expect(JSON.parse(await ask(started, '/items/b', {}))).toMatchObject({ root: '', scheme: 'http' })
      const slow = await begin(started, '/slow', {})
      await started.stop(20_000)
      expect(await slow.text()).toBe('0123456789')
      expect(lines).toContain('pool closed')
    })

    test('answers for the whole app', async () => {
      const { started } = await worker(server, {}, { entry: undefined, mount: '/shop' })
      expect(await ask(started, '/shop/docs/', {})).toBe('<h1>docs</h1>')
      expect(JSON.parse(await ask(started, '/shop/items/a', {}))).toMatchObject({ root: '/shop', name: 'a' })
    })

    test('asks to be replaced behind its number of requests, and serves on', async () => {
      const { started } = await worker(server, {}, { maxRequests: 3 })
      for (let i = 0; i < 4; i++) await ask(started, '/items/a', {})
      await started.worn
      expect(JSON.parse(await ask(started, '/items/b', {})).name).toBe('b')
    })

    test('is never ready where its startup fails, and says why', async () => {
      const env = { PATH: process.env.PATH!, BROKEN: '1' }
      await expect(worker(server, {}, { env })).rejects.toMatchObject({
        code: 'ENTRY_LOAD',
        message: expect.stringContaining('no database'),
      })
    })
  })

  const PLAIN = `
import time
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/slow":
        return (str(i).encode() for i in range(10) if not time.sleep(0.05))
    keys = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "SERVER_PORT")
    return ["|".join(environ[key] for key in keys).encode("latin-1")]
`
  const wsgi = { entry: { type: 'wsgi', app: 'plain:application' }, routes: {} }

  test('gunicorn believes the front, and drains', async () => {
    const { started } = await worker('gunicorn', wsgi)
    expect(await ask(started, '/a%20b?q=%2F', headers)).toBe('/café/api|/a b|q=%2F|192.0.2.7|https|shop.example|443')
    const slow = await begin(started, '/slow', {})
    await started.stop(20_000)
    expect(await slow.text()).toBe('0123456789')
  })

  test('gunicorn tells why the app does not load', async () => {
    const broken = { entry: { type: 'wsgi', app: 'nothing:application' }, routes: {} }
    await expect(worker('gunicorn', broken)).rejects.toMatchObject({
      code: 'ENTRY_LOAD',
      message: expect.stringContaining("No module named 'nothing'"),
    })
  })

  test('end with the process that has started them', async () => {
    const { started } = await worker('uvicorn', {})
    started.child.disconnect()
    await started.ended
    const { started: gunicorn } = await worker('gunicorn', wsgi)
    gunicorn.child.disconnect()
    await gunicorn.ended
  })
})

/** Resolves when the answer has begun. */
async function begin({ upstream: { target } }: PythonWorker, path: string, headers: Record<string, string>) {
  const { socketPath } = target as { socketPath: string }
  const asked = request({ socketPath, path, headers, agent: false }).end()
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return { text: () => readText(answer) }
}

async function ask(worker: PythonWorker, path: string, headers: Record<string, string>): Promise<string> {
  return (await begin(worker, path, headers)).text()
}

/** `fetch` would resolve the path. */
function rawStatus(url: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, { path }, (res) => resolve(res.resume().statusCode!))
      .on('error', reject)
      .end()
  })
}

/** What the app says to a hello on a WebSocket, or how it is refused. */
function greet(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace(/^http/, 'ws'))
    socket.on('open', () => socket.send('hello'))
    socket.on('message', (data) => {
      resolve(String(data))
      socket.terminate()
    })
    socket.on('unexpected-response', (_, res) => {
      resolve(`refused with ${res.statusCode}`)
      socket.terminate()
    })
    socket.on('error', reject)
  })
}
