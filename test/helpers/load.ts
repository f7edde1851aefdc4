import { createServer, type RequestListener, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { type App, type LoadOptions, loadApp } from '../../src/runtimes/load.ts'
import { type Files, makeArchive } from './make-archive.ts'
import { tmpDir } from './tmp.ts'

const apps: App[] = []
const servers: Server[] = []

/** Packs and loads an app; closed after the test. Without `options.cache` it has a cache of its own. */
export async function load(manifest: Record<string, unknown>, files: Files, options: LoadOptions = {}): Promise<App> {
  const dir = await tmpDir()
  const archive = await makeArchive(dir, manifest, files)
  const app = await loadApp(archive, { cache: join(dir, 'cache'), data: join(dir, 'data'), ...options })
  apps.push(app)
  return app
}

/** One `node` entry, in app.js or app.mjs. */
export function loadNode(code: string, options: LoadOptions = {}, manifest: Record<string, unknown> = {}) {
  const module = /^(?:import|export) /m.test(code) ? 'app.mjs' : 'app.js'
  return load({ entry: { type: 'node', module }, ...manifest }, { [module]: code }, options)
}

/** Listens on a free port until the test ends. */
export async function listen(server: Server | RequestListener): Promise<string> {
  const made = typeof server === 'function' ? createServer(server) : server
  servers.push(made)
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(made.address() as AddressInfo).port}`
}

/** The target exactly as it is given: `fetch` would normalise it. */
export function rawGet(origin: string, path: string): Promise<{ status: number; body: string }> {
  const { hostname, port } = new URL(origin)
  return new Promise((resolve, reject) => {
    const req = request({ hostname, port, path }, (res) => {
      let body = ''
      res.setEncoding('utf8').on('data', (text) => {
        body += text
      })
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body })).on('error', reject)
    })
    req.on('error', reject).end()
  })
}

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
  await Promise.all(apps.splice(0).map((app) => app.close({ graceMs: 0 })))
})
