// @ts-nocheck: an app as anybody would write it, CommonJS without types.
// The conformance app as a fetch handler, with standard globals but for hashing.
const { createHash } = require('node:crypto')

const CHUNK = new Uint8Array(64 * 1024).fill(7)
const state = { produced: 0, consumed: 0, begun: [], aborted: [], closed: [] }
const waiting = new Map()
const signal = (name) => new Promise((resolve) => waiting.set(name, resolve))
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex')
const bytes = (text) => new TextEncoder().encode(text)
const stream = (source) => new Response(new ReadableStream(source, { highWaterMark: 0 }))

const pages = {
  '/inspect': (request, { pathname, search }) => {
    const { method } = request
    const headers = Object.fromEntries(request.headers)
    return Response.json({ method, url: pathname + search, baseUrl: headers['x-forwarded-prefix'], headers })
  },
  '/signal': (_, { search }) => {
    const name = search.slice(1)
    const there = waiting.has(name)
    waiting.get(name)?.()
    return new Response(String(there))
  },
  '/state': () => Response.json(state),
  '/parts': (_, { search }) =>
    stream({
      start(to) {
        to.enqueue(bytes('one'))
        signal(search.slice(1)).then(() => {
          to.enqueue(bytes('two'))
          to.close()
        })
      },
    }),
  '/echo': (request) => new Response(request.body),
  '/hash': async (request) => new Response(sha256(new Uint8Array(await request.arrayBuffer()))),
  '/bytes': (_, { search }) => {
    const body = new Uint8Array(Number(search.slice(1))).fill(7)
    return new Response(body, { headers: { 'X-Sha256': sha256(body), 'Content-Length': String(body.length) } })
  },
  '/flood': () => {
    state.produced = 0
    return stream({
      pull(to) {
        state.produced += CHUNK.length
        to.enqueue(CHUNK)
        if (state.produced >= 64 * 1024 * 1024) to.close()
      },
    })
  },
  '/swallow': async (request, { search }) => {
    state.consumed = 0
    for await (const chunk of request.body) {
      if (state.consumed === 0) await signal(search.slice(1))
      state.consumed += chunk.length
    }
    return new Response(String(state.consumed))
  },
  '/hang': (request, { search }) => {
    const name = search.slice(1)
    state.begun.push(name)
    request.signal.addEventListener('abort', () => state.closed.push(name))
    if (name.startsWith('silent')) return new Promise(() => {})
    return stream({ start: (to) => to.enqueue(bytes('begun')), pull: () => new Promise(() => {}) })
  },
  '/upload': async (request, { search }) => {
    const name = search.slice(1)
    await signal(name)
    try {
      for await (const _ of request.body);
    } catch {
      state.aborted.push(name)
    }
    return new Response('whole')
  },
  '/redirect': (request) => {
    const prefix = request.headers.get('x-forwarded-prefix') ?? ''
    return new Response(null, { status: 302, headers: { Location: `${prefix}/inspect` } })
  },
  '/absolute-redirect': () => new Response(null, { status: 302, headers: { Location: '/inspect' } }),
  '/cookies': () =>
    new Response(null, {
      headers: [
        ['Set-Cookie', 'a=1; Path=/'],
        ['Set-Cookie', 'b=2; HttpOnly'],
      ],
    }),
  '/status': (_, { search }) => new Response(null, { status: Number(search.slice(1)), headers: { ETag: '"x"' } }),
  '/trailers': () => new Response('body'),
  '/throw': () => {
    throw new Error('thrown')
  },
  '/reject': async () => {
    throw new Error('rejected')
  },
  '/break': () => {
    let begun = false
    return stream({
      async pull(to) {
        await new Promise(setImmediate)
        if (begun) to.error(new Error('broken'))
        else to.enqueue(bytes('half'))
        begun = true
      },
    })
  },
}

exports.fetch = (request) => {
  const url = new URL(request.url)
  return (pages[url.pathname] ?? pages['/inspect'])(request, url)
}
exports.upgrade = require(`${__dirname}/app.js`).upgrade
