// @ts-nocheck: an app as anybody would write it, CommonJS without types.
// What the conformance suite packs: plain node:http, nothing that knows of Zapp.
const { createHash, randomBytes } = require('node:crypto')

const CHUNK = randomBytes(64 * 1024)
const state = { produced: 0, consumed: 0, begun: [], aborted: [], closed: [] }
const waiting = new Map()

/** Resolves when another request asks for /signal?NAME. */
const signal = (name) => new Promise((resolve) => waiting.set(name, resolve))

const pages = {
  async '/inspect'(req, res) {
    const { method, url, originalUrl, baseUrl, headers, trailers } = req
    res.setHeader('Content-Type', 'application/json')
    res.end(JSON.stringify({ method, url, originalUrl, baseUrl, headers, trailers }))
  },
  async '/signal'(_, res, name) {
    res.end(String(waiting.has(name)))
    waiting.get(name)?.()
  },
  async '/state'(_, res) {
    res.end(JSON.stringify(state))
  },
  // Sends a second part only once the first has arrived.
  async '/parts'(_, res, name) {
    res.write('one')
    await signal(name)
    res.end('two')
  },
  // Answers with each chunk of the body as it comes.
  async '/echo'(req, res) {
    req.pipe(res)
  },
  async '/hash'(req, res) {
    const hash = createHash('sha256')
    for await (const chunk of req) hash.update(chunk)
    res.end(hash.digest('hex'))
  },
  async '/bytes'(_, res, size) {
    const hash = createHash('sha256')
    res.setHeader('Content-Length', size)
    res.setHeader('X-Sha256', hash.update(Buffer.alloc(Number(size), CHUNK)).digest('hex'))
    res.end(Buffer.alloc(Number(size), CHUNK))
  },
  async '/flood'(_, res) {
    state.produced = 0
    const produce = () => {
      while (state.produced < 64 * 1024 * 1024) {
        state.produced += CHUNK.length
        if (!res.write(CHUNK)) return res.once('drain', produce)
      }
      res.end()
    }
    produce()
  },
  // Reads one chunk and then nothing more until told to.
  async '/swallow'(req, res, name) {
    state.consumed = 0
    req.on('data', (chunk) => {
      const first = state.consumed === 0
      state.consumed += chunk.length
      if (!first) return
      req.pause()
      signal(name).then(() => req.resume())
    })
    req.on('end', () => res.end(String(state.consumed)))
  },
  async '/hang'(_req, res, name) {
    res.on('close', () => state.closed.push(name))
    if (name !== 'silent') res.write('begun')
    state.begun.push(name)
  },
  async '/upload'(req, res, name) {
    req.on('error', () => state.aborted.push(name))
    await signal(name)
    req.resume()
    req.on('end', () => res.end('whole'))
  },
  async '/redirect'(req, res) {
    res.writeHead(302, { Location: `${req.baseUrl ?? ''}/inspect` }).end()
  },
  async '/absolute-redirect'(_, res) {
    res.writeHead(302, { Location: '/inspect' }).end()
  },
  async '/cookies'(_, res) {
    res.setHeader('Set-Cookie', ['a=1; Path=/', 'b=2; HttpOnly'])
    res.end()
  },
  async '/status'(_, res, status) {
    res.writeHead(Number(status), { ETag: '"x"' }).end()
  },
  async '/trailers'(_, res) {
    res.writeHead(200, { Trailer: 'X-Late' })
    res.write('body')
    res.addTrailers({ 'X-Late': '1' })
    res.end()
  },
  async '/reject'() {
    throw new Error('rejected')
  },
  async '/break'(_, res) {
    res.write('half')
    setImmediate(() => res.destroy())
  },
}

const server = require('node:http').createServer((req, res) => {
  const [path, query = ''] = req.url.split('?')
  if (path === '/throw') throw new Error('thrown')
  const page = pages[path] ?? pages['/inspect']
  return page(req, res, query)
})

const { WebSocketServer } = require('ws')
new WebSocketServer({ server, path: '/ws' }).on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
})

// A plain listener for requests, so that what it throws is seen; the server for upgrades only.
const [listener] = server.listeners('request')
module.exports = (req, res) => listener(req, res)
module.exports.upgrade = (req, socket, head) => server.emit('upgrade', req, socket, head)
