import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { MountedRequest } from '../place.ts'
import { isHostField } from '../request-head.ts'
import { refuseUpgrade } from '../upgrade.ts'
import { requestFields, responseFields } from './proxy-fields.ts'
import type { Upstream } from './upstream.ts'

/**
 * Lets a program take an upgrade to WebSocket. Whatever it answers but 101 is passed on, and closes the connection.
 *
 * @throws what keeps the program from answering
 */
export async function proxyUpgrade(
  upstream: Upstream,
  req: MountedRequest,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  socket.on('error', () => socket.destroy())
  if (!isHostField(req.headers.host ?? '')) return refuseUpgrade(socket, 400, 'Host is missing or no host.\n')
  const client = httpRequest({
    ...upstream.target,
    path: req.url,
    headers: [...requestFields(req), 'Connection', 'Upgrade', 'Upgrade', 'websocket'],
    agent: false,
  })
  socket.once('close', () => client.destroy())
  const answered = answerOf(client)
  client.end()
  const [answer, far, rest] = await answered
  if (socket.destroyed) return void far?.destroy()
  if (far === undefined) {
    socket.write(headOf(answer, ['Connection', 'close']))
    await pipeline(answer, socket).catch(() => socket.destroy())
    return
  }
  if (answer.headers.upgrade?.toLowerCase() !== 'websocket') {
    far.destroy()
    throw new Error('it switched to another protocol')
  }
  far.on('error', () => far.destroy()).once('close', () => socket.destroy())
  socket.once('close', () => far.destroy())
  socket.write(headOf(answer, ['Connection', 'Upgrade', 'Upgrade', 'websocket']))
  if (rest && rest.length > 0) socket.write(rest)
  if (head.length > 0) far.write(head)
  far.pipe(socket).pipe(far)
}

type Answered = readonly [answer: IncomingMessage, socket?: Duplex, head?: Buffer]

function answerOf(client: ClientRequest): Promise<Answered> {
  return new Promise((resolve, reject) => {
    client.once('upgrade', (answer, socket, head) => resolve([answer, socket, head]))
    client.once('response', (answer) => resolve([answer]))
    client.on('error', reject)
  })
}

function headOf(answer: IncomingMessage, connection: readonly string[]): string {
  const fields = [...responseFields(answer.rawHeaders, answer.headers.connection), ...connection]
  let text = `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n`
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`
  return `${text}\r\n`
}
