import { loadApp } from '../../../src/runtimes/load.ts'
import { CONTAINERS, type Running } from '../../adapters/containers.ts'
import { freePort } from '../../helpers/free-port.ts'
import { newPlace } from './place.ts'
import { startServe } from './zapp-serve.ts'

/** What runs the archive of a Node app: the containers of test/adapters, and `zapp serve`. */
export interface NodeContainer {
  readonly name: string
  start(archive: string, mount: string): Promise<Running>
}

/** Those that are told the mount by the loader can also be at the root. */
export function nodeContainers(mount: string): NodeContainer[] {
  const able = CONTAINERS.filter((one) => mount === '/shop' || (one.mount === '/shop' && one.name !== 'Hono on Node'))
  return [
    zappServe,
    ...able.map(({ name, mount: said, start }) => ({
      name,
      async start(archive: string) {
        const { cache, data } = await newPlace()
        const app = await loadApp(archive, { mount: mount && said, cache, data })
        const running = await start(app)
        const close = async () => {
          await running.close()
          await app.close({ graceMs: 0 })
        }
        return { ...running, close }
      },
    })),
  ]
}

/** Runs apps of both languages. */
export const zappServe = {
  name: 'zapp serve',
  async start(archive: string, mount: string) {
    const port = await freePort()
    const server = await startServe(archive, mount, await newPlace(), port)
    return { port, ...server, fetch, close: server.stop }
  },
}
