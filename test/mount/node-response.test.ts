import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import { createMount } from '../../src/mount/mount.ts'
import { makeArchive } from './helpers/make-archive.ts'
import { CountingSource, observed, settled, until } from './helpers/observed.ts'
import { sendLine, serveMount } from './helpers/server.ts'

const SIZE = 64 * 1024 * 1024
/** What a kernel may hold for one loopback connection, with room to spare: a small part of the file. */
const BUFFERED = SIZE / 3

const content = Buffer.alloc(SIZE)
for (let i = 0; i < SIZE; i += 4096) content.writeUInt32LE(i, i)
const archiveBytes = makeArchive(
  { zapp: 1, name: 'large', version: '1.0.0', routes: { '/': { static: 'public' } } },
  {
    'public/large.bin': { content, method: 'stored' },
    'public/hello.txt': { content: 'hello', method: 'stored' },
  },
)

async function setUp() {
  const source = new CountingSource(archiveBytes)
  const { archive, streams } = observed(await openArchive(source))
  const { port, sent } = await serveMount(await createMount(archive))
  // The first request has the entry verified: from here on reads are for clients.
  expect((await sendLine(port, 'GET /large.bin', { Range: 'bytes=0-0' })).status).toBe(206)
  source.count = 0
  streams.length = 0
  sent.length = 0
  return { source, streams, sent, port }
}

function openSlowly(port: number, line = 'GET /large.bin') {
  const socket = connect(port, '127.0.0.1')
  socket.write(`${line} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n`)
  return socket
}

test('a reader that does not read stops the reading', async () => {
  const { source, sent, port } = await setUp()
  const socket = openSlowly(port).pause()
  await until(() => source.count > 0)
  expect(await settled(() => source.count)).toBeLessThan(BUFFERED)

  // It goes on where it stopped, and nothing is lost.
  const all = Buffer.concat(await socket.toArray())
  const body = all.subarray(all.indexOf('\r\n\r\n') + 4)
  expect(body).toHaveLength(SIZE)
  const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
  expect(hash(body)).toBe(hash(content))
  expect(source.count).toBe(SIZE)
  await sent[0]
})

test('a client that goes away ends the reading, and that is no error', async () => {
  const { source, streams, sent, port } = await setUp()
  const socket = openSlowly(port)
  await once(socket, 'data')
  socket.destroy()
  await until(() => sent.length === 1)
  await sent[0]
  expect(streams).toHaveLength(1)
  expect(streams[0]?.destroyed).toBe(true)
  expect(await settled(() => source.count)).toBeLessThan(BUFFERED)
})

test('content that breaks in the middle destroys the connection', async () => {
  const { source, sent, port } = await setUp()
  source.failAfter = 1024 * 1024
  const chunks: Buffer[] = []
  const socket = openSlowly(port).on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => {})
  await once(socket, 'close')
  expect(Buffer.concat(chunks).length).toBeLessThan(SIZE)
  await expect(sent[0]).rejects.toThrow('the disk is gone')
})

test('HEAD of a large file opens nothing', async () => {
  const { source, streams, port } = await setUp()
  const { status, headers, body } = await sendLine(port, 'HEAD /large.bin')
  expect([status, headers.get('content-length'), body.length]).toEqual([200, String(SIZE), 0])
  expect(streams).toHaveLength(0)
  expect(source.count).toBe(0)
})

test('a part of a large file', async () => {
  const { port } = await setUp()
  const { status, headers, body } = await sendLine(port, 'GET /large.bin', { Range: `bytes=${SIZE - 5000}-` })
  expect([status, headers.get('content-length')]).toEqual([206, '5000'])
  expect(body.equals(content.subarray(SIZE - 5000))).toBe(true)
})

test('small answers come in one piece, with Content-Length and without chunks', async () => {
  const { port } = await setUp()
  const { headers, body } = await sendLine(port, 'GET /hello.txt')
  expect(body.toString()).toBe('hello')
  expect(headers.get('content-length')).toBe('5')
  expect(headers.get('transfer-encoding')).toBeNull()
})

test('a connection is kept between answers of every kind', async () => {
  const { port } = await setUp()
  const socket = connect(port, '127.0.0.1')
  const targets = ['GET /hello.txt', 'HEAD /hello.txt', 'GET /nothing', 'POST /hello.txt', 'GET /%00', 'GET /hello.txt']
  const bytes = socket.toArray()
  targets.forEach((line, i) => {
    const last = i === targets.length - 1 ? 'Connection: close\r\n' : ''
    socket.write(`${line} HTTP/1.1\r\nHost: shop.example\r\n${last}\r\n`)
  })
  const text = Buffer.concat(await bytes).toString()
  expect([...text.matchAll(/HTTP\/1\.1 ([0-9]+)/g)].map(([, status]) => status)).toEqual([
    '200',
    '200',
    '404',
    '405',
    '400',
    '200',
  ])
})
