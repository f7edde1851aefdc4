import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openCache } from '../../src/cache/cache.ts'
import { listen, load, loadNode } from '../helpers/load.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { deferred } from '../helpers/wait.ts'

/** Answers `/slow` when the test says so. */
const slow = `
  let finish
  module.exports = (req, res) => {
    if (req.url === "/finish") { finish(); return res.end() }
    res.write("begun ")
    finish = () => res.end("ended")
  }`

describe('close()', () => {
  it('lets running requests end, and takes no more', async () => {
    const app = await loadNode(slow)
    const origin = await listen(app.listener)
    const answer = await fetch(`${origin}/slow`)
    let closed = false
    // A second app of the same content: the module is one, and this one is still open.
    const closing = app.close().then(() => {
      closed = true
    })
    const refused = await fetch(origin)
    expect([refused.status, refused.headers.get('connection')]).toEqual([503, 'close'])
    expect(closed).toBe(false)
    const reader = answer.body!.getReader()
    await reader.read()
    await reader.cancel()
    await closing
  })

  it('ends what does not end by itself', async () => {
    const app = await loadNode(slow)
    const origin = await listen(app.listener)
    const answer = await fetch(`${origin}/slow`)
    const ended = expect(answer.text()).rejects.toThrow()
    await app.close({ graceMs: 20 })
    await ended
  })

  it('does not wait for requests that were over before they came', async () => {
    const app = await loadNode('module.exports = () => { throw new Error("called") }', {
      onError: (error) => errors.push(error),
    })
    const errors: unknown[] = []
    const given = deferred()
    const origin = await listen(async (req, res) => {
      client.destroy()
      await once(res, 'close')
      app.listener(req, res)
      given.resolve()
    })
    const client = connect(Number(new URL(origin).port), '127.0.0.1')
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await given.promise
    await app.close({ graceMs: 600_000 })
    expect(errors).toEqual([])
  })

  it('may be hurried by a second call', async () => {
    const app = await loadNode(slow)
    const answer = await app.fetch(new Request('http://host/slow'))
    const first = app.close({ graceMs: 600_000 })
    await app.close({ graceMs: 0 })
    await first
    await expect(answer.text()).rejects.toThrow()
  })

  it('keeps the archive open for bodies that are being read', async () => {
    // Larger than what is kept in memory, and than what lies in buffers.
    const movie = Buffer.alloc(20_000_000, 'zapp')
    const app = await load({ routes: { '/': { static: 'public' } } }, { 'public/movie.mp4': movie })
    const answer = await app.fetch(new Request('http://host/movie.mp4'))
    const reader = answer.body!.getReader()
    let bytes = (await reader.read()).value!.length
    const closing = app.close()
    for (let next = await reader.read(); !next.done; next = await reader.read()) bytes += next.value.length
    expect(bytes).toBe(movie.length)
    await closing
  })

  it('lets the run tree go', async () => {
    const cache = join(await tmpDir(), 'cache')
    const app = await loadNode(slow, { cache })
    const open = await openCache({ dir: cache, budget: 0 })
    expect((await open.collect()).trees).toBe(0)
    await app.close()
    expect((await open.collect()).trees).toBe(1)
  })
})

describe('a client that goes away', () => {
  it('is seen by the app, and does not keep it from closing', async () => {
    const gone = deferred()
    Object.assign(globalThis, { onGone: gone.resolve })
    const app = await loadNode('module.exports = (req, res) => { res.write("x"); res.on("close", globalThis.onGone) }')
    const origin = new URL(await listen(app.listener))
    const socket = connect(Number(origin.port), '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    await once(socket, 'data')
    socket.destroy()
    await gone.promise
    await app.close({ graceMs: 600_000 })
  })
})
