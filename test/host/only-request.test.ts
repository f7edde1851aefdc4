import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openExchange } from '../../src/host/front/only-request.ts'
import { readHead } from '../../src/host/front/read-head.ts'
import { open } from './raw.ts'

const node = createServer()

beforeAll(async () => {
  node.listen(0, '127.0.0.1')
  await once(node, 'listening')
})
afterAll(() => node.close())

const seen = ({ method, url, httpVersion, httpVersionMajor, httpVersionMinor, ...rest }: IncomingMessage) => {
  const { headers, headersDistinct, rawHeaders, trailers, rawTrailers } = rest
  return {
    ...{ method, url, httpVersion, httpVersionMajor, httpVersionMinor },
    ...{ headers, headersDistinct, rawHeaders, trailers, rawTrailers },
  }
}

it.each([
  'GET / HTTP/1.0\r\n\r\n',
  'GET /a?b=%20 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  'HEAD / HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\nCookie: a=1\r\ncookie: b=2\r\nX: 1\r\nx:2\r\nAge: 1\r\nage: 2\r\n\r\n',
  '\r\nGET / HTTP/1.1\r\nhOsT:a \t\r\nAccept: \r\nX:\t\xe9 y: z\t\r\nConnection: close\r\nSet-Cookie: a\r\n\r\n',
])('%j is to an app what Node makes of it', async (text) => {
  const asked = once(node, 'request')
  const client = await open((node.address() as AddressInfo).port)
  client.write(text, 'latin1')
  const [byNode, res] = await asked
  const head = readHead(Buffer.from(text, 'latin1'))
  if (typeof head === 'string' || !head.only) throw new Error('this is not the only request of its connection')
  const [req] = openExchange(new Socket(), { ...head, only: head.only })
  expect(seen(req)).toEqual(seen(byNode))
  expect(await req.toArray()).toEqual([])
  res.end()
  client.destroy()
})
