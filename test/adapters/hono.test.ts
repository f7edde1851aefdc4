import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { expect, it } from 'vitest'
import { zapp } from '../../src/adapters/hono.ts'
import { loadNode } from '../helpers/load.ts'
import { conformance } from './conformance.ts'

// As everybody runs it: with its own Request and Response for the whole process.
conformance({
  name: 'Hono on Node, with global objects replaced',
  mount: '/shop',
  sockets: true,
  upgrades: true,
  outside: 'outer',
  async start(app) {
    const outer = new Hono().all('/shop/*', zapp(app)).all('*', (c) => c.text('outer'))
    const { server, port } = await new Promise<{ server: Server; port: number }>((resolve) => {
      const server = serve({ fetch: outer.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => {
        resolve({ server, port })
      }) as Server
      server.on('upgrade', app.upgrade)
    })
    return {
      port,
      fetch: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init),
      async close() {
        server.closeAllConnections()
        server.close()
      },
    }
  },
})

it('reports what the app breaks off, and not what a client does', async () => {
  const app = await loadNode(`module.exports = (req, res) => { if (req.url === '/break') res.destroy() }`)
  const errors: unknown[] = []
  const outer = new Hono().use(zapp(app)).onError((error, c) => {
    errors.push(error)
    return c.text('failed', 500)
  })
  const abort = new AbortController()
  const pending = outer.request('/hang', { signal: abort.signal })
  abort.abort()
  expect((await pending).status).toBe(499)
  expect(errors).toEqual([])
  expect((await outer.request('/break')).status).toBe(500)
  expect(errors).toHaveLength(1)
})
