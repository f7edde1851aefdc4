import { execFileSync } from 'node:child_process'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { entry, folderOf, start } from '../host/helper.ts'
import { ROOT } from './python.ts'

/* What python/tests/test_server_refusals.py sends to the server in Python, sent to the host: both must refuse it, alike. */

const PROGRAM = `
import json
from tests.test_server_refusals import REFUSED
print(json.dumps([[status, data.decode("latin-1")] for status, data in REFUSED]))
`

function statusOf(port: number, data: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.end(data, 'latin1'))
    socket.on('data', (part) => {
      answer += part.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(Number(answer.slice(9, 12))))
  })
}

/** Answers when the body is there: what is wrong with that, is found before. */
const APP = { 'app.cjs': 'module.exports = (req, res) => req.on("end", () => res.end("an app")).resume()' }

/** The status that Node's parser gives instead; 0: the connection ends without a word. */
const OTHERWISE: Readonly<Record<string, number>> = {
  // RFC 9112 §3 lets a server split the request line at any number of spaces.
  'GET  / HTTP/1.1\r\nHost: a\r\n\r\n': 200,
  // A line ends at CR LF only: what was sent is no whole head when it ends.
  'GET / HTTP/1.1\nHost: a\n\n': 0,
}

test('the host refuses what the server in Python refuses', async () => {
  const listed = execFileSync('python3', ['-c', PROGRAM], { cwd: join(ROOT, 'python'), encoding: 'utf8' })
  const rows: [number, string][] = JSON.parse(listed)
  // Node has wider limits of its own for what stands beside chunks.
  const common = rows.filter(([, data]) => !(data.includes('chunked') && data.length > 500))
  expect(common.length).toBeGreaterThan(60)
  const { host } = await start(await folderOf({ 'ROOT.zapp': [entry, APP] }))
  const otherwise: Record<string, number> = {}
  for (const [, data] of common) {
    const status = await statusOf(host.address.port, data)
    if (status < 400) otherwise[data] = status
  }
  expect(otherwise).toEqual(OTHERWISE)
})
