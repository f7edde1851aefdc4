import { expect, it } from 'vitest'
import { readHead } from '../../src/host/front/read-head.ts'

const head = (line: string, ...fields: string[]) => `${[line, 'Host: a', ...fields].join('\r\n')}\r\n\r\n`

it.each([
  [head('GET / HTTP/1.1', 'Connection: close'), true],
  [head('GET / HTTP/1.1', 'connection:Close', 'Accept: */*'), true],
  [head('GET / HTTP/1.0'), true],
  ['GET / HTTP/1.0\r\n\r\n', true],
  [head('GET / HTTP/1.1'), false],
  [head('GET / HTTP/1.0', 'Connection: keep-alive'), false],
  [head('GET / HTTP/1.1', 'Connection: keep-alive', 'X-Connection: close'), false],
  [head('GET / HTTP/1.1', 'Connection: close, x-own'), false],
  [head('POST / HTTP/1.1', 'Connection: close', 'Content-Length: 9'), false],
  [head('POST / HTTP/1.1', 'Transfer-Encoding: chunked', 'Connection: close'), false],
  [head('GET / HTTP/1.0', 'Upgrade: websocket'), false],
  [`${head('GET / HTTP/1.1', 'Connection: close')}GET`, false],
  [head('GET / HTTP/1.1') + head('GET / HTTP/1.1', 'Connection: close'), false],
  [head('GET / HTTP/1.1', 'Connection: close').slice(0, -2), false],
  [head('BREW / HTTP/1.1', 'Connection: close'), false],
  [head('GET / HTTP/1.1', 'Connection: close', 'X-A : b'), false],
  [head('GET / HTTP/1.1', 'Connection: close', 'X-A: b', ' c'), false],
  [head('GET / HTTP/1.1', 'Connection: close', 'X-A: \x01'), false],
  [head('GET / HTTP/1.1', 'Connection: close', `X-A: ${'a'.repeat(16_384)}`), false],
])('whether %j is all that comes over its connection: %s', (text, isOnly) => {
  expect(readHead(Buffer.from(text))).toMatchObject({ target: '/', only: isOnly ? expect.anything() : undefined })
})
