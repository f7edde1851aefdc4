import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'

/** RFC 6455 §4.1. Any other protocol is not switched to (Q12). From Node 24.9 on the server asks before it does. */
export function isWebSocket(req: IncomingMessage): boolean {
  return req.method === 'GET' && req.httpVersion === '1.1' && req.headers.upgrade?.toLowerCase() === 'websocket'
}

const ABOUT_UPGRADE: ReadonlySet<string> = new Set(['upgrade', 'connection', 'http2-settings'])

/**
 * Goes on as if no upgrade had been asked for, as RFC 9110 §7.8 has it: clients that try `h2c` with each first request
 * (Java's does) expect the plain answer. A Node that cannot be told so (before 24.9) has taken its parser off already; so
 * the request is written anew, without what offered the upgrade, and read once more.
 */
export function replayWithoutUpgrade(server: Server, req: IncomingMessage, socket: Duplex, head: Buffer): void {
  const options =
    req.headers.connection?.split(',').filter((option) => !ABOUT_UPGRADE.has(option.trim().toLowerCase())) ?? []
  let text = `${req.method} ${req.url} HTTP/${req.httpVersion}\r\n`
  for (let i = 0; i < req.rawHeaders.length; i += 2) {
    const [name = '', value = ''] = req.rawHeaders.slice(i, i + 2)
    if (!ABOUT_UPGRADE.has(name.toLowerCase())) text += `${name}: ${value}\r\n`
  }
  if (options.length > 0) text += `Connection: ${options.join(',')}\r\n`
  server.emit('connection', socket)
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]))
  socket.resume()
}

/** Tells later which status went out first on a connection that was handed to somebody else. 0: none. */
export function watchStatus(socket: Duplex): () => number {
  let status = 0
  const { write, end } = socket
  const look = (chunk: unknown) => {
    const [, code] =
      /^HTTP\/1\.1 ([0-9]{3}) /.exec(Buffer.isBuffer(chunk) ? chunk.toString('latin1', 0, 13) : String(chunk)) ?? []
    status = Number(code ?? 0)
    socket.write = write
    socket.end = end
  }
  socket.write = ((...args: Parameters<typeof write>) => {
    look(args[0])
    return write.apply(socket, args)
  }) as typeof write
  socket.end = ((...args: Parameters<typeof end>) => {
    look(args[0])
    return end.apply(socket, args)
  }) as typeof end
  return () => status
}
