import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'

/** A port of 127.0.0.1 that was free just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Whether somebody accepts connections; `at` is a port of 127.0.0.1 or the path of a Unix socket. */
export function accepts(at: number | string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = typeof at === 'number' ? connect(at, '127.0.0.1') : connect(at)
    socket.on('connect', () => resolve(true)).on('error', () => setTimeout(resolve, 20, false))
    socket.on('connect', () => socket.destroy())
  })
}
