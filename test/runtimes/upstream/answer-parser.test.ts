import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { BadAnswer } from '../../../src/runtimes/bad-answer.ts'
import { AnswerParser } from '../../../src/runtimes/upstream/answer-parser.ts'

interface Read {
  readonly hints: number[]
  readonly status: number | undefined
  readonly reason: string
  readonly fields: readonly string[]
  readonly body: string
  readonly isWhole: boolean
}

/** What is read of an answer that comes in these parts, after which the connection ends. */
function readParts(parts: readonly string[], toHead = false): Read & { staysOpen: boolean } {
  const parser = new AnswerParser()
  const hints: number[] = []
  let [status, reason, fields, body, isWhole] = [
    undefined as number | undefined,
    '',
    [] as readonly string[],
    '',
    false,
  ]
  const listener = {
    onInformation: (head: { status: number }) => void hints.push(head.status),
    onHead(head: { status: number; reason: string; fields: readonly string[] }) {
      ;({ status, reason, fields } = head)
    },
    onBody(bytes: Buffer, isLast: boolean) {
      if (isWhole) throw new Error('more than the whole')
      body += bytes.toString('latin1')
      isWhole = isLast
    },
  }
  parser.expect(listener, toHead)
  for (const part of parts) {
    const bytes = Buffer.from(part, 'latin1')
    parser.read(bytes)
    // They are not good for longer.
    bytes.fill('!')
  }
  const { staysOpen } = parser
  parser.end()
  return { hints, status, reason, fields, body, isWhole, staysOpen }
}

const close: (() => void)[] = []
afterEach(() => {
  for (const work of close.splice(0)) work()
})

/** The same, as Node's own client reads it. */
async function readByNode(answer: string, method: string): Promise<Read | 'refused'> {
  const server = createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(answer, 'latin1')))
  close.push(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const hints: number[] = []
  const asked: ClientRequest = request({ host: '127.0.0.1', port, method, agent: false })
  asked.on('information', ({ statusCode }) => hints.push(statusCode)).on('error', () => {})
  asked.on('upgrade', (_, socket) => asked.emit('error', new Error('it switched')) && socket.destroy()).end()
  try {
    const [res] = (await once(asked, 'response')) as [IncomingMessage]
    let body = ''
    let isWhole = true
    try {
      for await (const chunk of res.setEncoding('latin1')) body += chunk
    } catch {
      isWhole = false
    }
    const { statusCode: status, statusMessage: reason = '', rawHeaders: fields } = res
    return { hints, status, reason, fields, body, isWhole }
  } catch {
    return 'refused'
  }
}

const ok = (fields: string, body = '') => `HTTP/1.1 200 OK\r\n${fields}\r\n${body}`
const LARGE = 'x'.repeat(100_000)

const ANSWERS: [name: string, answer: string, method?: string][] = [
  ['with its length', ok('Content-Length: 5\r\n', 'hello')],
  ['without a body', ok('Content-Length: 0\r\n')],
  ['that is large', ok(`Content-Length: ${LARGE.length}\r\n`, LARGE)],
  ['that breaks off', ok('Content-Length: 9\r\n', 'abc')],
  ['in chunks', ok('Transfer-Encoding: chunked\r\n', '3\r\nabc\r\nA;x="1"\r\n0123456789\r\n0\r\n\r\n')],
  ['in chunks, with trailers', ok('Transfer-Encoding: Chunked\r\n', '1\r\na\r\n00\r\nX: 1\r\nHost: evil\r\n\r\n')],
  ['in chunks that break off', ok('Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n')],
  ['in chunks without their end', ok('Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n0\r\n')],
  ['that ends with its connection', ok('', 'all of it')],
  ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nall of it'],
  ['of HTTP/1.0 that may go on', 'HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok'],
  ['without a reason', 'HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n'],
  ['with an empty reason', 'HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n'],
  ['with a status of its own', 'HTTP/1.1 799 A \xe4 b\r\nContent-Length: 0\r\n\r\n'],
  ['to HEAD', ok('Content-Length: 5\r\n'), 'HEAD'],
  ['to HEAD, in chunks', ok('Transfer-Encoding: chunked\r\n'), 'HEAD'],
  ['that is 204', 'HTTP/1.1 204 No Content\r\n\r\n'],
  ['that is 304 and tells a length', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'],
  [
    'after hints',
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: <a>\r\n\r\n${ok('Content-Length: 1\r\n', 'a')}`,
  ],
  [
    'with fields of every kind',
    ok("a: 1\r\nA:2\r\n!#$%&'*+-.^_`|~9:\t b\tc \t\r\nx:\r\ny: \xe4\r\nContent-Length: 0\r\n"),
  ],
]

const REFUSED: [name: string, answer: string][] = [
  ['another protocol', 'hello\r\n\r\n'],
  ['HTTP/0.9', '<html>\r\n\r\n'],
  ['HTTP/2', 'HTTP/2 200\r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['101 that nobody asked for', 'HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n'],
  ['a space before the colon', ok('Content-Length : 0\r\n')],
  ['a field without a name', ok(': a\r\n')],
  ['a line that is no field', ok('Content-Length\r\n')],
  ['NUL', ok('X: a\0b\r\nContent-Length: 0\r\n')],
  ['CR within a value', ok('X: a\rb\r\nContent-Length: 0\r\n')],
  ['two lengths', ok('Content-Length: 3\r\nContent-Length: 4\r\n', 'abcd')],
  ['the same length twice', ok('Content-Length: 3\r\nContent-Length: 3\r\n', 'abc')],
  ['a list of lengths', ok('Content-Length: 3, 3\r\n', 'abc')],
  ['a length that is signed', ok('Content-Length: +3\r\n', 'abc')],
  ['a length that is empty', ok('Content-Length:\r\n', 'abc')],
  ['a length and chunks', ok('Content-Length: 3\r\nTransfer-Encoding: chunked\r\n', '3\r\nabc\r\n0\r\n\r\n')],
  ['a chunk without a size', ok('Transfer-Encoding: chunked\r\n', '\r\nabc\r\n0\r\n\r\n')],
  ['a chunk size in other digits', ok('Transfer-Encoding: chunked\r\n', '0x3\r\nabc\r\n0\r\n\r\n')],
  ['a chunk that is longer than its size', ok('Transfer-Encoding: chunked\r\n', '2\r\nabc\r\n0\r\n\r\n')],
  ['a head without end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(17_000)}`],
]

describe('an answer', () => {
  it.each(ANSWERS)('%s is read as Node reads it', async (_, answer, method = 'GET') => {
    const { staysOpen, ...read } = readParts([answer], method === 'HEAD')
    expect(read).toEqual(await readByNode(answer, method))
    expect(read.status).toBeDefined()
  })

  it.each(ANSWERS)('%s is the same however it is cut', (_, answer, method = 'GET') => {
    const whole = readParts([answer], method === 'HEAD')
    const cuts = answer.length < 1000 ? [...answer].keys() : [1, 40, 65_536, answer.length - 1]
    for (const at of cuts) expect(readParts([answer.slice(0, at), answer.slice(at)], method === 'HEAD')).toEqual(whole)
    if (answer.length < 1000) expect(readParts([...answer], method === 'HEAD')).toEqual(whole)
  })

  it.each(REFUSED)('that is none: %s', async (_, answer) => {
    expect(() => readParts([answer])).toThrow(BadAnswer)
    const byNode = await readByNode(answer, 'GET')
    expect(byNode === 'refused' || !byNode.isWhole).toBe(true)
  })

  it('with a status below 100 is none: no server would send it on', () => {
    expect(() => readParts(['HTTP/1.1 000 No\r\nContent-Length: 0\r\n\r\n'])).toThrow(BadAnswer)
  })

  it('whose transfer coding is not chunked is none: it would be passed on without being decoded', () => {
    expect(() => readParts([ok('Transfer-Encoding: gzip\r\n', 'abc')])).toThrow(BadAnswer)
    expect(() => readParts([ok('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n')])).toThrow(BadAnswer)
  })

  it('that says more than was asked for is not trusted any further', () => {
    expect(() => readParts([ok('Content-Length: 1\r\n', 'ab')])).toThrow('more than was asked')
    expect(() => new AnswerParser().read(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'))).toThrow('more than was asked')
  })

  it('may have trailers, but not without end', () => {
    const trailers = 'X: 12345678\r\n'.repeat(2000)
    expect(() => readParts([ok('Transfer-Encoding: chunked\r\n', `0\r\n${trailers}`)])).toThrow('trailers')
  })
})

it.each([
  [ok('Content-Length: 0\r\n'), true],
  [ok('Content-Length: 0\r\nConnection: X-One, Close\r\n'), false],
  [ok('Content-Length: 0\r\nConnection: X-One\r\nconnection: close\r\n'), false],
  [ok('Content-Length: 0\r\nConnection: keep-alive\r\n'), true],
  [ok('Transfer-Encoding: chunked\r\n', '0\r\n\r\n'), true],
  [ok('', 'to the end'), false],
  ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', false],
  ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n', true],
])('after %j a connection may carry another: %s', (answer, expected) => {
  expect(readParts([answer]).staysOpen).toBe(expected)
})
