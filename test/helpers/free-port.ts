import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/**
 * Below what systems give to outgoing connections (Linux from 32768, others from 49152): one of those could take the port
 * before the server that is told it has started.
 */
const FIRST = 20_000
const END = 32_000

/** A port of 127.0.0.1 that was free just now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, END)
    const probe = createServer().listen(port, '127.0.0.1')
    const isFree = await once(probe, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    probe.close()
    await once(probe, 'close')
    return port
  }
}

/** Whether somebody accepts connections; `at` is a port of 127.0.0.1 or the path of a Unix socket. */
export function accepts(at: number | string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = typeof at === 'number' ? connect(at, '127.0.0.1') : connect(at)
    socket.on('connect', () => resolve(true)).on('error', () => setTimeout(resolve, 20, false))
    socket.on('connect', () => socket.destroy())
  })
}
