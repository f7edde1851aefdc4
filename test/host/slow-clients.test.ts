import type { IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { AccessRecord } from '../../src/host/access-log.ts'
import { RequestServer, type RequestServerOptions } from '../../src/host/front/request-server.ts'
import type { Patience } from '../../src/host/front/slow-clients.ts'
import { open, parseResponse, readAll } from './raw.ts'

const servers: { readonly listener: Server; readonly requests: RequestServer }[] = []
afterEach(() => {
  for (const { listener, requests } of servers.splice(0)) {
    listener.close()
    requests.destroy()
  }
})

/** As in a worker, with less patience: bytes a second, and ms. */
async function serve(
  handle: (req: IncomingMessage, res: ServerResponse) => void,
  patience: Partial<Patience> = {},
  options: Partial<RequestServerOptions> = {},
) {
  const records: AccessRecord[] = []
  const requests = new RequestServer({
    find: () => ({ app: { id: '/a', version: '1' }, deployment: { handle, upgrade: (_, socket) => socket.destroy() } }),
    log: (record) => records.push(record),
    patience: { bodyRate: 1000, bodyMs: 300, takeMs: 500, lookMs: 50, ...patience },
    ...options,
  })
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => requests.accept(socket))
  servers.push({ listener, requests })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  return { port: (listener.address() as AddressInfo).port, records }
}

const POST = 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n'
const count = (req: IncomingMessage, res: ServerResponse) => {
  let length = 0
  req.on('data', (chunk) => (length += chunk.length)).on('end', () => res.end(String(length)))
}
/** Sends a text again and again. @returns ends that, and says how much it was */
const trickle = (socket: { write(text: string): unknown }, text: string) => {
  let sent = 0
  const timer = setInterval(() => {
    socket.write(text)
    sent += text.length
  }, 20)
  return () => {
    clearInterval(timer)
    return sent
  }
}

describe('a client that sends a body', () => {
  it('a few bytes at a time is answered 408 and ends; one that is fast enough has all the time it needs', async () => {
    const { port, records } = await serve(count)
    const [slow, fast] = [await open(port), await open(port)]
    const answers = [readAll(slow), readAll(fast)] as const
    for (const socket of [slow, fast]) socket.write(POST)
    // 50 bytes a second, and 10,000.
    const stops = [trickle(slow, 'x'), trickle(fast, 'x'.repeat(200))]
    const refused = await answers[0]
    expect(parseResponse(refused)).toMatchObject({ status: 408, headers: { connection: 'close' } })
    await expect.poll(() => records).toMatchObject([{ status: 408, app: '/a', aborted: false }])
    const [, sent = 0] = stops.map((stop) => stop())
    fast.write('x'.repeat(100_000 - sent))
    expect(parseResponse(await answers[1])).toMatchObject({ status: 200, body: '100000' })
  })

  it('which the app does not read is not to blame', async () => {
    const held: (() => void)[] = []
    const { port } = await serve((req, res) => {
      if (req.method === 'PUT') held.push(() => count(req, res))
      else count(req, res)
    })
    const [waits, slow] = [await open(port), await open(port)]
    const answers = [readAll(waits), readAll(slow)] as const
    waits.write(POST.replace('POST', 'PUT') + 'x'.repeat(99_999))
    await expect.poll(() => held.length).toBe(1)
    slow.write(POST)
    // By then the other one would have been refused, too.
    expect(parseResponse(await answers[1]).status).toBe(408)
    held[0]?.()
    waits.write('x')
    expect(parseResponse(await answers[0])).toMatchObject({ status: 200, body: '100000' })
  })

  it('after its answer, slowly, is cut', async () => {
    const { port } = await serve((_, res) => res.end('early'))
    const socket = await open(port)
    const answer = readAll(socket)
    socket.write(POST.replace('Connection: close\r\n', ''))
    const stop = trickle(socket, 'x')
    expect(parseResponse(await answer)).toMatchObject({ status: 200, body: 'early' })
    stop()
  })

  it('may take as long as it likes where the rate is 0', async () => {
    const { port } = await serve(count, { bodyRate: 0 })
    const slow = await open(port)
    const answer = readAll(slow)
    slow.write(POST)
    const { port: other } = await serve(count)
    const refused = await open(other)
    const ended = readAll(refused)
    refused.write(POST)
    await ended
    slow.write('x'.repeat(100_000))
    expect(parseResponse(await answer).status).toBe(200)
  })
})

describe('a client that takes a response', () => {
  it('no further is cut; one that is slow, but takes it, gets all', async () => {
    const body = 'x'.repeat(20_000_000)
    const { port, records } = await serve((_, res) => res.end(body))
    const [stalled, slow] = [await open(port), await open(port)]
    for (const socket of [stalled, slow]) socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    stalled.pause()
    let bytes = 0
    const taken = new Promise<void>((resolve) => slow.once('close', () => resolve()))
    slow.on('data', (chunk) => {
      bytes += chunk.length
      slow.pause()
      setTimeout(() => slow.resume(), 2)
    })
    await taken
    expect(bytes).toBeGreaterThan(body.length)
    // Of the other one, what the system had for it arrives still.
    await expect.poll(() => records.length, { timeout: 20_000 }).toBe(2)
    const rest = readAll(stalled)
    stalled.resume()
    expect((await rest).length).toBeLessThan(body.length)
  })
})

it('a client that sends no more, and to which nothing is sent, is taken for gone', async () => {
  const { port, records } = await serve(() => {}, { halfOpenMs: 200 }, { halfOpen: true })
  const socket = await open(port)
  const answer = readAll(socket)
  socket.end('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  expect(await answer).toBe('')
  await expect.poll(() => records).toMatchObject([{ status: 0, aborted: true }])
})
