import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { ping } from '../../src/runtimes/ping.ts'

const servers: Server[] = []
afterEach(() => servers.splice(0).forEach((server) => void server.close()))

async function listen(server: Server, port = 0) {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

/** Whether it resolves; else it would be for ever. */
const answers = (target: { host: string; port: number }) => ping(target, new AbortController().signal).then(() => true)

describe('ping', () => {
  it('takes any answer, and any end of its connection', async () => {
    const closing = createServer((socket) => void socket.once('data', () => socket.destroy()))
    const resetting = createServer((socket) => void socket.once('data', () => socket.resetAndDestroy()))
    for (const server of [closing, resetting]) expect(await answers(await listen(server))).toBe(true)
  })

  it('is answered by a server of Node without the app', async () => {
    let asked = 0
    expect(await answers(await listen(createHttpServer(() => void asked++)))).toBe(true)
    expect(asked).toBe(0)
  })

  it('asks again where it found nobody', async () => {
    const target = await listen(createServer())
    await new Promise((resolve) => servers.pop()?.close(resolve))
    const told = answers(target)
    await new Promise((resolve) => connect(target).once('error', resolve))
    await listen(
      createServer((socket) => void socket.end()),
      target.port,
    )
    expect(await told).toBe(true)
  })

  it('ends with its signal, where nothing is said', async () => {
    const asking = new AbortController()
    const target = await listen(createServer((socket) => void socket.once('data', () => asking.abort())))
    await ping(target, asking.signal)
    expect(asking.signal.aborted).toBe(true)
  })
})
