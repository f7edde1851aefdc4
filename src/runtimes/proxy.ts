import { type ClientRequest, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { MountedRequest } from './place.ts'
import { requestFields, responseFields } from './proxy-fields.ts'
import { hasBody, isHostField } from './request-head.ts'
import { refuseUpgrade } from './upgrade.ts'
import type { Upstream } from './upstream.ts'
import { writeHead } from './write-head.ts'

/** May be asked again when the connection turned out to be closed, RFC 9110 §9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

/**
 * Lets a program answer a request: both bodies run as they come and no faster than the other side takes them; each
 * side's breaking off is passed to the other. Trailers are not passed on.
 *
 * @throws whatever keeps the program from giving a whole answer. What was sent until then stays sent.
 */
export async function proxyRequest(upstream: Upstream, req: MountedRequest, res: ServerResponse): Promise<void> {
  if (!isHostField(req.headers.host ?? 'localhost')) return void res.writeHead(400, { Connection: 'close' }).end()
  const answer = await ask(upstream, req, res, true)
  if (answer === undefined) return
  try {
    writeHead(res, answer.statusCode ?? 0, answer.statusMessage, responseFields(answer))
  } catch (error) {
    answer.destroy()
    throw error
  }
  await sendBody(answer, res)
}

/** A pipeline would do, but it makes and aborts a signal for every answer: a third of all the work. */
function sendBody(answer: IncomingMessage, res: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const breakOff = (error: Error) => {
      reject(error)
      res.destroy()
    }
    answer.once('error', breakOff)
    res.once('error', breakOff).once('close', () => {
      // Where the answer is not whole, the client has gone, and nobody is there to be told.
      answer.destroy()
      resolve()
    })
    answer.pipe(res)
  })
}

/** undefined: the client has gone before there was an answer. */
function ask(
  upstream: Upstream,
  req: MountedRequest,
  res: ServerResponse,
  reuse: boolean,
): Promise<IncomingMessage | undefined> {
  return new Promise((resolve, reject) => {
    const body = hasBody(req)
    const { method = 'GET' } = req
    const isRepeatable = !body && IDEMPOTENT.has(method)
    const client = httpRequest({
      ...upstream.target,
      method,
      path: req.url,
      headers: requestFields(req),
      // On a fresh connection it cannot happen that the program closes it for being idle while we send.
      agent: reuse && isRepeatable ? upstream.agent : upstream.freshAgent,
    })
    const close = () => {
      req.unpipe(client)
      req.resume()
      if (res.writableFinished && client.writableFinished) return
      client.destroy()
      resolve(undefined)
    }
    res.once('close', close)
    const send = () => void req.pipe(client)
    client.on('information', ({ statusCode, headers }) => {
      if (statusCode === 103 && headers.link && req.httpVersion === '1.1') writeHints(res, headers.link)
    })
    let answered = false
    client.once('response', (answer) => {
      answered = true
      resolve(answer)
    })
    client.once('upgrade', (_, socket) => {
      socket.destroy()
      reject(new Error('it switched protocols without being asked'))
    })
    client.on('error', (error: NodeJS.ErrnoException) => {
      if (!isRepeatable || !client.reusedSocket || answered || res.destroyed || error.code !== 'ECONNRESET')
        return reject(error)
      res.off('close', close)
      ask(upstream, req, res, false).then(resolve, reject)
    })
    if (!body) client.end()
    // Not before there is a connection: where there is none, the whole body is still there for another attempt.
    else client.once('socket', (socket) => (socket.connecting ? socket.once('connect', send) : send()))
  })
}

function writeHints(res: ServerResponse, link: string | string[]): void {
  try {
    res.writeEarlyHints({ link })
  } catch {
    // Only a hint, and not one that can be sent.
  }
}

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
  const fields = [...responseFields(answer), ...connection]
  let text = `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n`
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`
  return `${text}\r\n`
}
