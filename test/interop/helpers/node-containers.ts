import { join } from 'node:path'
import { serve } from '../../../src/host/serve.ts'
import { loadApp } from '../../../src/runtimes/load.ts'
import { CONTAINERS, type Running } from '../../adapters/containers.ts'
import { newPlace } from './place.ts'

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
export const zappServe: NodeContainer = {
  name: 'zapp serve',
  async start(path, mount) {
    const { dir, cache } = await newPlace()
    const host = await serve({ apps: [{ path, mount }], port: 0, cache, data: join(dir, 'data') })
    return { port: host.address.port, fetch, close: () => host.close({ drainMs: 0 }) }
  },
}
