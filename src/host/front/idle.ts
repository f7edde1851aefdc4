import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Connections on which nothing runs, as Node sees it: a head that has come in part is a request. What Node would do to
 * them is kept from them.
 */
export function idleOf(server: Server, sockets: Iterable<Socket>): Socket[] {
  const idle: Socket[] = []
  for (const socket of sockets) {
    socket.destroy = () => {
      idle.push(socket)
      return socket
    }
  }
  server.closeIdleConnections()
  // Back to the method of its class.
  for (const socket of sockets) Reflect.deleteProperty(socket, 'destroy')
  return idle
}
