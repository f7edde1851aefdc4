import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
// @ts-expect-error: no types are installed for it, and none are needed
import express4 from 'express4'
// @ts-expect-error
import express5 from 'express5'
import { express } from '../../src/adapters/express.ts'
import { attach } from '../../src/adapters/node-http.ts'
import { conformance, type Running } from './conformance.ts'

async function serve(server: Server): Promise<Running> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    fetch: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init),
    async close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

conformance({
  name: 'node:http',
  mount: '/shop',
  sockets: true,
  upgrades: true,
  start(app) {
    const server = createServer()
    attach(server, app)
    return serve(server)
  },
})

for (const [name, framework] of [
  ['Express 4', express4],
  ['Express 5', express5],
] as const) {
  conformance({
    name: `${name}, which cuts the mount off`,
    mount: '',
    sockets: true,
    upgrades: false,
    outside: 'outer',
    start(app) {
      const outer = framework()
      outer.use('/shop', express(app))
      outer.use((_: unknown, res: { send(body: string): void }) => res.send('outer'))
      return serve(createServer(outer))
    },
  })

  conformance({
    name: `${name}, which does not`,
    mount: '/shop',
    sockets: true,
    upgrades: true,
    outside: 'outer',
    start(app) {
      const outer = framework()
      outer.use(express(app))
      outer.use((_: unknown, res: { send(body: string): void }) => res.send('outer'))
      return serve(createServer(outer).on('upgrade', app.upgrade))
    },
  })
}

conformance({
  name: 'fetch',
  mount: '/shop',
  sockets: false,
  upgrades: false,
  async start(app) {
    return {
      port: 0,
      fetch: (path, init) => app.fetch(new Request(`http://shop.example${path}`, init)),
      close: async () => {},
    }
  },
})
