/**
 * `zapp serve` beside a bare `node` with the same handler, and two apps on one connection beside nginx in front of two
 * nodes, in one run. Only the ratios mean something: the figures change with the machine and its other work. Requests/s
 * tell of the client too: one that is faster than a server sleeps, and the server pays for waking it with every response.
 * What a request takes of the processor is told beside them, of all processes of a server together.
 *
 *   npm run build && node bench/host.js [--rounds 5]
 *
 * Needs `wrk`, and nginx for its part. The servers take turns, a second each, and the median of the rounds counts.
 */
import { execFile, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { cpuTime } from './helpers/cpu-time.js'
import { dist } from './helpers/dist.js'
import { freePort } from './helpers/free-port.js'

const run = promisify(execFile)
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, only: { type: 'string' } },
})

const require = (/** @type {string} */ name) => JSON.stringify(fileURLToPath(import.meta.resolve(name)))
/** @type {Record<string, string>} */
const APPS = {
  plain: 'module.exports = (req, res) => res.end("hello")',
  express: `const app = require(${require('express5')})()\napp.get(/.*/, (req, res) => res.send("hello"))\nmodule.exports = app`,
}

/**
 * @typedef {{ folder: string, app: string }} Context
 * @type {Record<string, (context: Context) => unknown>} What a child process serves; it tells its port.
 */
const SERVERS = {
  async node({ folder, app }) {
    const { default: handler } = await import(await write(folder, `${app}.cjs`, APPS[app] ?? ''))
    const server = createServer(handler).listen(0, '127.0.0.1', () => tell(server))
  },
  'zapp serve, one app': async ({ folder, app }) => zapp(await archive(folder, app, 'one')),
  'zapp serve, one app, no log': async ({ folder, app }) => zapp(await archive(folder, app, 'one'), 'off'),
  async 'zapp serve, a folder'({ folder, app }) {
    await archive(join(folder, 'apps'), app, 'one')
    await archive(join(folder, 'apps'), app, 'two')
    return zapp(join(folder, 'apps'))
  },
  async 'nginx, two nodes'({ folder, app }) {
    const file = await write(folder, `${app}.cjs`, APPS[app] ?? '')
    const listen = `require('node:http').createServer(require(process.argv[1])).listen(process.argv[2])`
    const sockets = ['one', 'two'].map((name) => join(folder, `${name}.sock`))
    const nodes = sockets.map((socket) => spawn(process.execPath, ['-e', listen, file, socket]))
    const port = await freePort()
    const upstreams = sockets.map((socket, i) => `upstream u${i} { server unix:${socket}; keepalive 64; }`)
    const locations = ['one', 'two'].map((name, i) => `location /${name} { proxy_pass http://u${i}; }`)
    const config = await write(
      folder,
      'nginx.conf',
      `daemon off; ${process.getuid?.() === 0 ? 'user root;' : ''} worker_processes 1; pid ${folder}/nginx.pid; error_log /dev/null; events {}
      http { access_log off; proxy_http_version 1.1; proxy_set_header Connection ""; keepalive_requests 1000000;
      ${upstreams.join('\n')} server { listen 127.0.0.1:${port}; ${locations.join('\n')} } }`,
    )
    const nginx = spawn('nginx', ['-c', config, '-p', folder], { stdio: 'ignore' })
    process.once('SIGTERM', () => {
      for (const child of [...nodes, nginx]) child.kill()
      process.exit()
    })
    await new Promise((resolve) => setTimeout(resolve, 500))
    process.send?.(port)
  },
}

/** @type {Record<string, { app: string, url: string | string[], close?: boolean, servers: string[] }>} */
const CASES = {
  'Express, kept alive': {
    app: 'express',
    url: '/one',
    servers: ['node', 'zapp serve, one app', 'zapp serve, a folder'],
  },
  'plain, kept alive': {
    app: 'plain',
    url: '/one',
    servers: ['node', 'zapp serve, one app, no log', 'zapp serve, one app', 'zapp serve, a folder'],
  },
  'plain, a connection for each request': {
    app: 'plain',
    url: '/one',
    close: true,
    servers: ['node', 'zapp serve, one app', 'zapp serve, a folder'],
  },
  'plain, two apps in turn on each connection': {
    app: 'plain',
    url: ['/one', '/two'],
    servers: ['nginx, two nodes', 'zapp serve, a folder'],
  },
}

/** With an access log, which nobody keeps, or `off`. @param {string} path @param {'zapp' | 'off'} [accessLog] */
async function zapp(path, accessLog = 'zapp') {
  const { serve } = await dist('host/serve.js')
  const folder = join(tmpdir(), 'zapp-bench-cache')
  const { createWriteStream } = await import('node:fs')
  const out = createWriteStream('/dev/null')
  const host = await serve({
    ...{ apps: [{ path }], port: 0, accessLog, cache: join(folder, 'cache'), data: join(folder, 'data') },
    log: (/** @type {any} */ event) => {
      if (event.type === 'access') out.write(`${event.lines}\n`)
    },
  })
  process.once('SIGTERM', () => host.close({ drainMs: 0 }).then(() => process.exit()))
  process.send?.(host.address.port)
}

/** @param {string} folder @param {string} app @param {string} name @returns {Promise<string>} */
async function archive(folder, app, name) {
  await mkdir(folder, { recursive: true })
  const { compress } = await dist('archive/compress.js')
  const { writeArchive } = await dist('archive/writer.js')
  const file = join(folder, `${name}.zapp`)
  const manifest = { zapp: 1, name, version: '1.0.0', entry: { type: 'node', module: 'app.cjs' } }
  await writeArchive(file, async (/** @type {any} */ writer) => {
    await writer.text('zapp.json', Buffer.from(JSON.stringify(manifest)))
    await writer.file({ path: 'app.cjs', mode: 0o644, ...compress(Buffer.from(APPS[app] ?? ''), true) })
  })
  return file
}

/** @param {string} folder @param {string} name @param {string} text */
async function write(folder, name, text) {
  await writeFile(join(folder, name), text)
  return join(folder, name)
}

/** @param {import('node:net').Server} server */
function tell(server) {
  process.send?.(/** @type {import('node:net').AddressInfo} */ (server.address()).port)
}

/** One second of requests. @param {{ pid: number, port: number, folder: string }} server @param {{ url: string | string[], close?: boolean }} what */
async function measure({ pid, port, folder }, { url, close }) {
  const urls = [url].flat()
  const script = await write(
    folder,
    'wrk.lua',
    `local paths = { ${urls.map((path) => JSON.stringify(path)).join(', ')} }
    local i = 0
    request = function() i = i + 1; return wrk.format("GET", paths[i % #paths + 1]${close ? ', { Connection = "close" }' : ''}) end`,
  )
  const before = cpuTime(pid)
  const { stdout } = await run('wrk', ['-t1', '-c32', '-d1s', '-s', script, `http://127.0.0.1:${port}/`])
  if (/Non-2xx|Socket errors: .*(read|write|timeout) [1-9]/.test(stdout) && !close) throw new Error(stdout)
  const micros = (cpuTime(pid) - before) * 1000
  const [, count] = /(\d+) requests in/.exec(stdout) ?? []
  const [, rate] = /Requests\/sec:\s+([0-9.]+)/.exec(stdout) ?? []
  return { rate: Number(rate), micros: micros / Number(count) }
}

/** @param {readonly number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/** @param {string} name */
async function compare(name) {
  const what = CASES[name]
  if (!what) return
  /** @type {{ server: string, child: import('node:child_process').ChildProcess, folder: string, pid: number, port: number, rates: number[], micros: number[] }[]} */
  const servers = []
  try {
    for (const server of what.servers) {
      const folder = await mkdtemp(join(tmpdir(), 'zapp-bench-'))
      // A session of its own for everyone, as the host gives to its workers: Linux divides its time by sessions.
      const child = fork(fileURLToPath(import.meta.url), ['serve', server, folder, what.app], { detached: true })
      const [port] = await once(child, 'message')
      servers.push({ server, child, folder, pid: child.pid ?? 0, port, rates: [], micros: [] })
    }
    // The first round warms up and does not count.
    for (let round = 0; round <= Number(values.rounds); round++) {
      for (const server of servers) {
        const { rate, micros } = await measure(server, what)
        if (round === 0) continue
        server.rates.push(rate)
        server.micros.push(micros)
      }
    }
    const [first, firstMicros] = [median(servers[0]?.rates ?? []), median(servers[0]?.micros ?? [])]
    console.log(`\n${name}`)
    console.table(
      servers.map(({ server, rates, micros }) => {
        const [rate, each] = [median(rates), median(micros)]
        return {
          server,
          'requests/s': Math.round(rate),
          [`÷ ${servers[0]?.server}`]: Number((rate / first).toFixed(2)),
          'µs/request': Number(each.toFixed(1)),
          '÷': Number((firstMicros / each).toFixed(2)),
        }
      }),
    )
  } finally {
    for (const { child, folder } of servers) {
      const ended = once(child, 'close')
      child.kill()
      await ended
      await rm(folder, { recursive: true, force: true })
    }
  }
}

const [mode, server, folder, app] = positionals
if (mode === 'serve' && server && folder && app) await SERVERS[server]?.({ folder, app })
else for (const name of Object.keys(CASES)) if (!values.only || name.includes(values.only)) await compare(name)
