/**
 * Entries that say hello: `fetch` beside @hono/node-server, `server` beside a plain proxy of twenty lines, both beside
 * bare `node:http`, in one run. Only the ratios mean something: the figures change with the machine and its other work.
 *
 *   npm run build && node bench/entries.js [--rounds 5]
 *
 * Needs `wrk`; 32 connections are kept alive. The servers take turns, a second each, and the median of the rounds counts.
 */
import { execFile, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, createServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { dist } from './helpers/dist.js'

const run = promisify(execFile)
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' } },
})

/** The same handler for everyone: Response is the global one of the process that it runs in. */
const FETCH = 'export default () => new Response("hello")'
const SERVER = 'require("node:http").createServer((_, res) => res.end("hello")).listen(process.env.PORT)'

/** @type {Record<string, Record<string, (folder: string) => unknown>>} What a child process serves; it tells its port. */
const CASES = {
  'entry of type fetch': {
    zapp: (folder) => zapp(folder, { type: 'fetch', module: 'app.mjs' }, { 'app.mjs': FETCH }),
    node: bare,
    '@hono/node-server': () => hono(true),
    '@hono/node-server, globals left alone': () => hono(false),
  },
  'entry of type server': {
    zapp: (folder) => zapp(folder, { type: 'server', run: ['{node}', 'app.js'] }, { 'app.js': SERVER }),
    node: bare,
    'plain proxy': proxy,
  },
}

function bare() {
  listen(createServer((_, res) => res.end('hello')))
}

/** @param {boolean} overrideGlobalObjects */
async function hono(overrideGlobalObjects) {
  const { createAdaptorServer } = await import('@hono/node-server')
  const { default: fetch } = await import(`data:text/javascript,${encodeURIComponent(FETCH)}`)
  listen(createAdaptorServer({ fetch, overrideGlobalObjects }))
}

/** A proxy in front of a program in another process, which keeps its connections over a Unix socket. @param {string} folder */
async function proxy(folder) {
  const socketPath = join(folder, 'plain')
  const child = spawn(process.execPath, ['-e', SERVER], { env: { ...process.env, PORT: socketPath } })
  process.once('SIGTERM', () => process.exit(child.kill() ? 0 : 1))
  const agent = new Agent({ keepAlive: true })
  const server = createServer((req, res) => {
    const { method, url: path, headers } = req
    const client = request({ socketPath, agent, method, path, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 0, answer.headers)
      answer.pipe(res)
    })
    client.on('error', () => res.destroy())
    req.pipe(client)
  })
  listen(server)
}

/** @param {string} folder @param {object} entry @param {Record<string, string>} files */
async function zapp(folder, entry, files) {
  const { compress } = await dist('archive/compress.js')
  const { writeArchive } = await dist('archive/writer.js')
  const { loadApp } = await dist('index.js')
  const archive = join(folder, 'hello.zapp')
  await writeArchive(archive, async (/** @type {any} */ writer) => {
    await writer.text('zapp.json', Buffer.from(JSON.stringify({ zapp: 1, name: 'hello', version: '1.0.0', entry })))
    for (const [path, text] of Object.entries(files)) {
      await writer.file({ path, mode: 0o644, ...compress(Buffer.from(text), true) })
    }
  })
  const app = await loadApp(archive, { cache: join(folder, 'cache'), data: join(folder, 'data') })
  process.once('SIGTERM', () => app.close({ graceMs: 0 }).then(() => process.exit()))
  listen(createServer(app.listener))
}

/** @param {import('node:net').Server} server */
function listen(server) {
  server.listen(0, '127.0.0.1', () => {
    process.send?.(/** @type {import('node:net').AddressInfo} */ (server.address()).port)
  })
}

/** Requests in a second. @param {number} port */
async function measure(port) {
  const { stdout } = await run('wrk', ['-t1', '-c32', '-d1s', `http://127.0.0.1:${port}/`])
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout)
  return Number(/Requests\/sec:\s+([0-9.]+)/.exec(stdout)?.[1])
}

/** @param {readonly number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/** @param {string} name */
async function compare(name) {
  const folder = await mkdtemp(join(tmpdir(), 'zapp-bench-'))
  /** @type {{ server: string, child: import('node:child_process').ChildProcess, port: number, rates: number[] }[]} */
  const servers = []
  try {
    for (const server of Object.keys(CASES[name] ?? {})) {
      const child = fork(fileURLToPath(import.meta.url), [name, server, folder])
      const [port] = await once(child, 'message')
      servers.push({ server, child, port, rates: [] })
    }
    // The first round warms up and does not count.
    for (let round = 0; round <= Number(values.rounds); round++) {
      for (const { port, rates } of servers) {
        const rate = await measure(port)
        if (round > 0) rates.push(rate)
      }
    }
    const zapp = median(servers[0]?.rates ?? [])
    console.log(`\n${name}`)
    console.table(
      servers.map(({ server, rates }) => {
        const rate = median(rates)
        return { server, 'requests/s': Math.round(rate), 'zapp ÷ it': Number((zapp / rate).toFixed(2)) }
      }),
    )
  } finally {
    for (const { child } of servers) {
      const ended = once(child, 'close')
      child.kill()
      await ended
    }
    await rm(folder, { recursive: true, force: true })
  }
}

const [name, server, folder] = positionals
if (name !== undefined && server !== undefined && folder !== undefined) await CASES[name]?.[server]?.(folder)
else for (const name of Object.keys(CASES)) await compare(name)
