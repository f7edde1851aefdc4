'use strict'
/*
 * Runs inside the Node program of a `server` entry, before the program does. CommonJS, because `--require` is there in
 * every version of Node and comes before programs of both kinds.
 *
 * - The first HTTP server that listens on a TCP port listens on a private Unix socket instead, whatever port and
 *   address the program has in its code. A server that closes makes room for the next: some programs try a port first.
 *   Such a server has nothing that answers, and until there is something the socket does not get its name: whoever
 *   waits for it would take the program for ready.
 * - When the process that started the program is gone, the program and what it started are ended: file descriptor 3 is
 *   a pipe that nobody writes to, and its end comes even where that process was killed.
 */
const { renameSync, rmSync } = require('node:fs')
const { Server: HttpServer } = require('node:http')
const { Server, Socket } = require('node:net')
const { dirname } = require('node:path')

/** For a handler of SIGTERM that saves something. */
const GRACE_MS = 2000

/** Events of an HTTP server whose listeners answer. */
const ANSWERS = ['request', 'upgrade', 'connect']

const path = process.env.ZAPP_LISTEN
if (path) {
  delete process.env.ZAPP_LISTEN
  redirectListen(path)
  endWithParent(path)
}

/** @param {string} path */
function redirectListen(path) {
  const { listen } = Server.prototype
  /** @type {import('node:net').Server | undefined} */
  let redirected
  Server.prototype.listen = /** @this {import('node:net').Server} @param {any[]} args */ function (...args) {
    const port = this instanceof HttpServer ? portOf(args) : undefined
    if (redirected || port === undefined) return listen.apply(this, /** @type {any} */ (args))
    redirected = this
    this.once('close', () => {
      redirected = undefined
    })
    // Programs print it.
    this.address = () => (this.listening ? { address: '127.0.0.1', family: 'IPv4', port } : null)
    const unnamed = `${path}.new`
    this.once('listening', () => whenAnswers(this, () => renameSync(unnamed, path)))
    const callback = args.at(-1)
    return listen.call(this, { path: unnamed }, ...(typeof callback === 'function' ? [callback] : []))
  }
}

/**
 * @param {import('node:net').Server} server that listens
 * @param {() => void} then called once: now, or when there is something that answers; never once the server is closed
 */
function whenAnswers(server, then) {
  let over = false
  const look = () => {
    if (over || !ANSWERS.some((event) => server.listenerCount(event) > 0)) return
    over = true
    then()
  }
  server.once('close', () => {
    over = true
  })
  // The event comes before the listener is there.
  server.on('newListener', () => setImmediate(look))
  look()
}

/**
 * The TCP port that arguments of `listen` ask for; undefined: they name a path, a handle or a descriptor.
 *
 * @param {any[]} args
 * @returns {number | undefined}
 */
function portOf([first]) {
  let port = first
  if (typeof first === 'object' && first !== null) {
    if (first._handle || first.handle || first.constructor.name === 'TCP' || first.fd >= 0) return undefined
    if (!('port' in first)) return undefined
    port = first.port
  }
  const number = port === undefined || port === null || typeof port === 'function' ? 0 : Number(port)
  if (!(number >= 0)) return undefined
  return number || Number(process.env.PORT)
}

/** @param {string} path */
function endWithParent(path) {
  const parent = new Socket({ fd: 3, readable: true, writable: false })
  parent.on('error', () => {})
  parent.on('close', () => {
    rmSync(dirname(path), { recursive: true, force: true })
    setTimeout(() => process.kill(-process.pid, 'SIGKILL'), GRACE_MS)
    process.kill(-process.pid, 'SIGTERM')
  })
  parent.resume().unref()
}
