import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { ServedConnection } from './served-connection.ts'

/** What `http.Server` reads a connection with. */
interface Parser {
  onIncoming(req: IncomingMessage, keepAlive: boolean): number
  /** Takes it out of the server's list of connections. */
  remove(): void
}

/** llhttp: no body follows, and what comes behind the head is not for the parser. */
const UPGRADE = 2

/**
 * Asks of every request on a connection of `http.Server` whether it goes elsewhere. One that does is taken for an upgrade:
 * the parser stops exactly behind its head, whatever its method and body, and the server emits `upgrade` with the bytes
 * that follow.
 */
export function leaveAt(socket: Socket, leaves: (req: IncomingMessage) => boolean): void {
  const { parser } = socket as Socket & { parser: Parser }
  const { onIncoming } = parser
  parser.onIncoming = (req, keepAlive) => {
    if (req.method === 'CONNECT' || !leaves(req)) return onIncoming.call(parser, req, keepAlive)
    Object.assign(req, { upgrade: true })
    return UPGRADE
  }
}

/** The server that reads a connection does not look after it any more: it would end it for being idle. */
export function forget(socket: Socket): void {
  const { parser } = socket as Socket & { parser?: Parser | null }
  parser?.remove()
  socket.setTimeout(0)
}

/** The head of a request as bytes, for another parser. Only for one whose fields were not changed. */
export function requestBytes({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`
  return Buffer.from(`${text}\r\n`, 'latin1')
}

/** Goes on when the answers that run on a connection are sent, unless it ends before; its parser is gone. */
export function afterAnswers({ socket, running }: ServedConnection, go: () => void): void {
  // The parser did so: an answer that the client is slow to take waits for it.
  socket.on('drain', () => running[0]?.res?.emit('drain'))
  const look = () => {
    if (socket.destroyed) return
    const last = running.at(-1)?.res
    if (last) last.once('close', () => setImmediate(look))
    else go()
  }
  look()
}
