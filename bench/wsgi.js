/**
 * WSGI apps that say hello, plain and in Flask: `python -m zapp serve` and `zapp serve` beside gunicorn (sync and gthread), two
 * processes each, in one run. Only the ratios mean something: the figures change with the machine and its other work.
 *
 *   npm run build && node bench/wsgi.js [--rounds 5] [--python /usr/bin/python3]
 *
 * Needs `wrk`, and a Python with gunicorn and Flask (Debian: gunicorn, python3-flask); what is missing is left out. 32
 * connections; no access log, as gunicorn has none. The servers take turns, a second each, and the median of the rounds
 * counts.
 */
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'

const run = promisify(execFile)
const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, python: { type: 'string', default: '/usr/bin/python3' } },
})
const PROCESSES = '2'
const THREADS = '4'

/** The same module for everyone: `application` in hello_app.py. @type {Record<string, string>} */
const APPS = {
  'plain WSGI': `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]
`,
  Flask: `
from flask import Flask
application = Flask(__name__)
@application.get("/")
def hello():
    return "hello"
`,
}

/** @type {Record<string, (folder: string, port: number) => string[]>} Commands. */
const SERVERS = {
  'python -m zapp serve': (folder, port) => [
    ...[values.python, '-m', 'zapp', 'serve', join(folder, 'hello.zapp'), '--port', `${port}`, '--quiet'],
    ...['--processes', PROCESSES, '--threads', THREADS, '--cache', join(folder, 'cache')],
  ],
  'zapp serve': (folder, port) => [
    ...[
      process.execPath,
      fileURLToPath(new URL('../bin/zapp.js', import.meta.url)),
      'serve',
      join(folder, 'hello.zapp'),
    ],
    ...['--port', `${port}`, '--cache', join(folder, 'node-cache'), '--data', join(folder, 'data')],
  ],
  'gunicorn sync': (folder, port) => gunicorn(folder, port, []),
  'gunicorn gthread': (folder, port) => gunicorn(folder, port, ['--worker-class', 'gthread', '--threads', THREADS]),
}

/** @param {string} folder @param {number} port @param {string[]} options */
function gunicorn(folder, port, options) {
  const own = ['--workers', PROCESSES, '--bind', `127.0.0.1:${port}`, '--chdir', folder, ...options]
  return [values.python, '-m', 'gunicorn', '--log-level', 'error', ...own, 'hello_app:application']
}

/** @param {string} folder @param {string} source */
async function write(folder, source) {
  const { compress } = await dist('archive/compress.js')
  const { writeArchive } = await dist('archive/writer.js')
  const entry = { type: 'wsgi', app: 'hello_app:application' }
  const workers = { processes: Number(PROCESSES), threads: Number(THREADS) }
  const manifest = { zapp: 1, name: 'hello', version: '1.0.0', entry, workers }
  await writeFile(join(folder, 'hello_app.py'), source)
  await writeArchive(join(folder, 'hello.zapp'), async (/** @type {any} */ writer) => {
    await writer.text('zapp.json', Buffer.from(JSON.stringify(manifest)))
    await writer.file({ path: 'hello_app.py', mode: 0o644, ...compress(Buffer.from(source), true) })
  })
}

/** @param {string} path */
function dist(path) {
  return import(new URL(`../dist/${path}`, import.meta.url).href)
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  server.close()
  await once(server, 'close')
  return port
}

/** Resolves when the app answers. @param {number} port */
async function answers(port) {
  for (let tries = 0; tries < 200; tries++) {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
    if (answer?.ok) return
    await sleep(50)
  }
  throw new Error(`nobody answers on ${port}`)
}

/** Requests in a second. @param {number} port */
async function measure(port) {
  const { stdout } = await run('wrk', ['-t1', '-c32', '-d1s', `http://127.0.0.1:${port}/`])
  if (/Non-2xx/.test(stdout)) throw new Error(stdout)
  return Number(/Requests\/sec:\s+([0-9.]+)/.exec(stdout)?.[1])
}

/** @param {readonly number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/** @param {string} name @param {string} source @param {readonly string[]} names */
async function compare(name, source, names) {
  const folder = await mkdtemp(join(tmpdir(), 'zapp-bench-'))
  const servers = []
  try {
    await write(folder, source)
    for (const server of names) {
      const port = await freePort()
      const [program = '', ...args] = SERVERS[server]?.(folder, port) ?? []
      const PYTHONPATH = fileURLToPath(new URL('../python', import.meta.url))
      const env = { ...process.env, PYTHONPATH, ZAPP_PYTHON: values.python }
      const child = spawn(program, args, { env, stdio: 'ignore' })
      servers.push({ server, child, port, rates: /** @type {number[]} */ ([]) })
      await answers(port)
    }
    // The first round warms up and does not count.
    for (let round = 0; round <= Number(values.rounds); round++) {
      for (const { port, rates } of servers) {
        const rate = await measure(port)
        if (round > 0) rates.push(rate)
      }
    }
    const zapp = median(servers[0]?.rates ?? [])
    console.log(`\n${name}, ${PROCESSES} processes`)
    console.table(
      servers.map(({ server, rates }) => {
        const rate = median(rates)
        return { server, 'requests/s': Math.round(rate), '÷ first': Number((rate / zapp).toFixed(2)) }
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

/** @param {string} module */
function has(module) {
  const found = spawnSync(values.python, ['-c', `import ${module}`]).status === 0
  if (!found) console.log(`${values.python} has no ${module}: left out`)
  return found
}

const names = Object.keys(SERVERS).filter((name) => !name.startsWith('gunicorn') || has('gunicorn'))
for (const [name, source] of Object.entries(APPS)) {
  if (name !== 'Flask' || has('flask')) await compare(name, source, names)
}
