import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { type Host, type HostEvent, serve } from '../../src/host/serve.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { venv } from './helpers/venv.ts'

/* Apps of the package index's frameworks in `zapp serve`, each by the server that the manifest names. */

const python = await venv('flask>=3,<4', 'fastapi', 'uvicorn[standard]', 'hypercorn', 'gunicorn')
const dir = await tmpDir()
const { ZAPP_PYTHON } = process.env
process.env.ZAPP_PYTHON = python
afterAll(() => {
  if (ZAPP_PYTHON === undefined) delete process.env.ZAPP_PYTHON
  else process.env.ZAPP_PYTHON = ZAPP_PYTHON
})

let host: Host | undefined
afterEach(async () => {
  await host?.close({ drainMs: 0 })
  host = undefined
})

async function served(manifest: Record<string, unknown>, code: string) {
  const archive = await makeArchive(dir, { name: 'notes', ...manifest }, { 'app.py': code })
  const events: HostEvent[] = []
  host = await serve({
    apps: [{ path: archive, mount: '/shop' }],
    port: 0,
    cache: join(dir, 'cache'),
    data: join(dir, 'data'),
    log: (event) => events.push(event),
  })
  const { url } = host.address
  const log = () => events.flatMap((event) => (event.type === 'log' ? [event.line.text] : [])).join('\n')
  return { url: `${url}shop`, log }
}

const FLASK = `from flask import Flask, request, redirect, session, url_for
import os
app = Flask(__name__)
app.secret_key = 'secret'
@app.get('/')
def home(): return f"{url_for('home', _external=True)} {os.getpid()}"
@app.post('/upload')
def upload(): return str(len(request.get_data()))
@app.get('/go')
def go(): return redirect(url_for('home'))
@app.get('/fails')
def fails(): raise RuntimeError('no such note')
`

const FASTAPI = `from fastapi import FastAPI, Request, WebSocket
app = FastAPI()
@app.get('/')
async def home(request: Request):
    return {'root': request.scope['root_path'], 'url': str(request.url), 'client': request.client.host}
@app.post('/upload')
async def upload(request: Request): return len(await request.body())
@app.websocket('/socket')
async def socket(websocket: WebSocket):
    await websocket.accept()
    await websocket.send_text('got ' + await websocket.receive_text())
    await websocket.close()
`

const body = Buffer.alloc(1_000_000, 'x')

describe.each([undefined, 'gunicorn'])('Flask 3, run by %s', (server) => {
  test('answers under a mount, and tells its errors', async () => {
    const workers = { processes: 2, threads: 2, ...(server && { server }) }
    const { url, log } = await served({ entry: { type: 'wsgi', app: 'app:app' }, workers }, FLASK)
    expect(await (await fetch(`${url}/`)).text()).toMatch(new RegExp(`^${url}/ [0-9]+$`))
    expect(await (await fetch(`${url}/upload`, { method: 'POST', body })).text()).toBe('1000000')
    expect((await fetch(`${url}/go`, { redirect: 'manual' })).headers.get('location')).toBe('/shop/')
    expect((await fetch(`${url}/fails`)).status).toBe(500)
    await expect.poll(log).toMatch(/RuntimeError: no such note/)
    const many = await Promise.all(Array.from({ length: 100 }, async () => (await fetch(`${url}/`)).status))
    expect(new Set(many)).toEqual(new Set([200]))
  })
})

describe.each([undefined, 'uvicorn', 'hypercorn'])('FastAPI, run by %s', (server) => {
  test('answers under a mount, and takes WebSockets', async () => {
    const entry = { type: 'asgi', app: 'app:app', websocket: true }
    const { url } = await served({ entry, ...(server && { workers: { server } }) }, FASTAPI)
    expect(await (await fetch(`${url}/`)).json()).toMatchObject({ root: '/shop', client: '127.0.0.1' })
    expect(await (await fetch(`${url}/upload`, { method: 'POST', body })).text()).toBe('1000000')
    const socket = new WebSocket(`${url.replace('http', 'ws')}/socket`)
    const answer = new Promise<string>((resolve, reject) => {
      socket.on('message', (data) => resolve(String(data))).on('error', reject)
    })
    socket.on('open', () => socket.send('hello'))
    expect(await answer).toBe('got hello')
  })
})
