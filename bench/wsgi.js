/**
 * WSGI apps that say hello, plain and in Flask: `zapp serve` and `python -m zapp serve` beside gunicorn, uWSGI and Apache's
 * mod_wsgi, in one run. Only the ratios mean something: the figures change with the machine and its other work; what a
 * request takes of the processor changes least.
 *
 *   npm run build && node bench/wsgi.js [--rounds 5] [--only Flask] [--python /usr/bin/python3]
 *
 * Needs `wrk` and Linux, and Debian's gunicorn, python3-flask, uwsgi-plugin-python3, apache2 and libapache2-mod-wsgi-py3; what
 * is missing is left out. Two processes of four threads for everyone (gunicorn sync has one), 32 connections, and no
 * access log but where it says so. The servers take turns, a second each, and the median of the rounds counts.
 */
import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { answers } from './helpers/answers.js'
import { cpuTime } from './helpers/cpu-time.js'
import { dist } from './helpers/dist.js'
import { freePort } from './helpers/free-port.js'
import { spawnServer } from './helpers/spawn-server.js'

const run = promisify(execFile)
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
    python: { type: 'string', default: '/usr/bin/python3' },
  },
})
const PROCESSES = '2'
const THREADS = '4'
const CONNECTIONS = 32
const MODULES = '/usr/lib/apache2/modules'

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

/**
 * @typedef {{ needs?: () => boolean, path?: string, start: (folder: string, port: number) => string[] | Promise<string[]> }} Server
 * @type {Record<string, Server>} Commands.
 */
const SERVERS = {
  'zapp serve': { start: (folder, port) => zapp(folder, port, 'apps/hello.zapp', ['--access-log', 'off']) },
  'zapp serve, with its access log': { start: (folder, port) => zapp(folder, port, 'apps/hello.zapp', []) },
  'zapp serve, a folder': {
    path: '/hello/',
    start: (folder, port) => zapp(folder, port, 'apps', ['--access-log', 'off', '--state', join(folder, 'state')]),
  },
  'python -m zapp serve': {
    start: (folder, port) => [
      ...[values.python, '-m', 'zapp', 'serve', join(folder, 'apps/hello.zapp'), '--port', `${port}`, '--quiet'],
      ...['--processes', PROCESSES, '--threads', THREADS, '--cache', join(folder, 'cache')],
    ],
  },
  'gunicorn sync': { needs: () => has('gunicorn'), start: (folder, port) => gunicorn(folder, port, []) },
  'gunicorn gthread': {
    needs: () => has('gunicorn'),
    start: (folder, port) => gunicorn(folder, port, ['--worker-class', 'gthread', '--threads', THREADS]),
  },
  uWSGI: {
    needs: () => runs('uwsgi', '--version'),
    start: (folder, port) => [
      ...['uwsgi', '--plugin', 'python3', '--http-socket', `127.0.0.1:${port}`, '--master', '--die-on-term'],
      ...[
        '--processes',
        PROCESSES,
        '--threads',
        THREADS,
        '--disable-logging',
        '--chdir',
        folder,
        '--module',
        'hello_app',
      ],
    ],
  },
  'mod_wsgi embedded': { needs: hasModWsgi, start: (folder, port) => apache(folder, port, false) },
  'mod_wsgi daemon': { needs: hasModWsgi, start: (folder, port) => apache(folder, port, true) },
}

/** @param {string} folder @param {number} port @param {string} what @param {string[]} options */
function zapp(folder, port, what, options) {
  const own = ['--cache', join(folder, 'node-cache'), '--data', join(folder, 'data'), '--port', `${port}`, ...options]
  return [
    process.execPath,
    fileURLToPath(new URL('../bin/zapp.js', import.meta.url)),
    'serve',
    join(folder, what),
    ...own,
  ]
}

/** @param {string} folder @param {number} port @param {string[]} options */
function gunicorn(folder, port, options) {
  const own = ['--workers', PROCESSES, '--bind', `127.0.0.1:${port}`, '--chdir', folder, ...options]
  return [values.python, '-m', 'gunicorn', '--log-level', 'error', ...own, 'hello_app:application']
}

/** As `zapp emit mod_wsgi` has it, but with the app itself where that names the loader. @param {string} folder @param {number} port @param {boolean} daemon */
async function apache(folder, port, daemon) {
  const file = join(folder, `apache-${daemon ? 'daemon' : 'embedded'}.conf`)
  const modules = [daemon ? 'mpm_event' : 'mpm_worker', 'authz_core', 'wsgi'].map(
    (name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`,
  )
  const group = daemon ? 'hello' : '%{GLOBAL}'
  const lines = [
    ...modules,
    process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : '',
    `ServerRoot ${folder}\nDefaultRuntimeDir ${folder}\nPidFile ${file}.pid\nErrorLog ${folder}/error.log`,
    `ServerName localhost\nListen 127.0.0.1:${port}\nMaxKeepAliveRequests 0\nWSGISocketPrefix ${file}`,
    // A thread for each connection: with fewer it often stands still. In front of daemons it has as many as it likes.
    daemon
      ? ''
      : `ServerLimit ${PROCESSES}\nStartServers ${PROCESSES}\nMaxRequestWorkers ${CONNECTIONS}\nMaxSpareThreads ${CONNECTIONS}`,
    daemon ? '' : `ThreadsPerChild ${CONNECTIONS / Number(PROCESSES)}\nMinSpareThreads 1`,
    daemon ? `WSGIDaemonProcess hello processes=${PROCESSES} threads=${THREADS} lang=C.UTF-8 locale=C.UTF-8` : '',
    `WSGIScriptAlias / ${folder}/hello_app.py process-group=${group} application-group=%{GLOBAL}`,
    `<Directory ${folder}>\nRequire all granted\nWSGIPassAuthorization On\n</Directory>`,
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  return ['apache2', '-f', file, '-DFOREGROUND']
}

/** @param {string} folder @param {string} source */
async function write(folder, source) {
  const { compress } = await dist('archive/compress.js')
  const { writeArchive } = await dist('archive/writer.js')
  const entry = { type: 'wsgi', app: 'hello_app:application' }
  const workers = { processes: Number(PROCESSES), threads: Number(THREADS) }
  // Apache's processes are another user's.
  await chmod(folder, 0o755)
  await writeFile(join(folder, 'hello_app.py'), source)
  await mkdir(join(folder, 'apps'))
  // Where there are two apps, the host has to look where a connection goes.
  for (const name of ['hello', 'other']) {
    const manifest = { zapp: 1, name, version: '1.0.0', entry, workers }
    await writeArchive(join(folder, 'apps', `${name}.zapp`), async (/** @type {any} */ writer) => {
      await writer.text('zapp.json', Buffer.from(JSON.stringify(manifest)))
      await writer.file({ path: 'hello_app.py', mode: 0o644, ...compress(Buffer.from(source), true) })
    })
  }
}

/** One second of requests, and what of the processor they took. @param {string} url @param {number} pid @param {boolean} keepsAlive */
async function measure(url, pid, keepsAlive) {
  const before = cpuTime(pid)
  const headers = keepsAlive ? [] : ['-H', 'Connection: close']
  const { stdout } = await run('wrk', ['-t1', `-c${CONNECTIONS}`, '-d1s', ...headers, url])
  if (/Non-2xx/.test(stdout)) throw new Error(stdout)
  const count = Number(/(\d+) requests in/.exec(stdout)?.[1])
  return {
    rate: Number(/Requests\/sec:\s+([0-9.]+)/.exec(stdout)?.[1]),
    micros: ((cpuTime(pid) - before) * 1000) / count,
  }
}

/** @param {readonly number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/** @param {string} name @param {string} source @param {readonly [string, Server][]} peers */
async function compare(name, source, peers) {
  const folder = await mkdtemp(join(tmpdir(), 'zapp-bench-'))
  const servers = []
  try {
    await write(folder, source)
    for (const [server, { path = '/', start }] of peers) {
      const port = await freePort()
      const PYTHONPATH = fileURLToPath(new URL('../python', import.meta.url))
      const env = { ...process.env, PYTHONPATH, ZAPP_PYTHON: values.python }
      const child = spawnServer(await start(folder, port), env)
      const url = `http://127.0.0.1:${port}${path}`
      servers.push({ server, child, url })
      await answers(url, 'hello')
    }
    for (const keepsAlive of [true, false]) {
      const results = servers.map(() => /** @type {Awaited<ReturnType<typeof measure>>[]} */ ([]))
      // The first round warms up and does not count.
      for (let round = 0; round <= Number(values.rounds); round++) {
        for (const [i, { child, url }] of servers.entries()) {
          const result = await measure(url, child.pid ?? 0, keepsAlive)
          if (round > 0) results[i]?.push(result)
        }
      }
      print(`${name}, ${keepsAlive ? 'kept alive' : 'a connection for each request'}`, servers, results)
    }
  } finally {
    for (const { child } of servers) {
      const ended = once(child, 'close')
      child.kill()
      await ended
    }
    await rm(folder, { recursive: true, force: true })
  }
}

/** @param {string} title @param {readonly { server: string }[]} servers @param {readonly { rate: number, micros: number }[][]} results */
function print(title, servers, results) {
  const rows = servers.map(({ server }, i) => {
    const result = results[i] ?? []
    return { server, rate: median(result.map(({ rate }) => rate)), micros: median(result.map(({ micros }) => micros)) }
  })
  const [first] = rows
  console.log(`\n${title}`)
  console.table(
    rows.map(({ server, rate, micros }) => ({
      server,
      'requests/s': Math.round(rate),
      '÷ first': Number((rate / (first?.rate ?? 0)).toFixed(2)),
      'CPU µs/request': Math.round(micros),
    })),
  )
}

/** @param {string} module */
function has(module) {
  return runs(values.python, '-c', `import ${module}`)
}

/** @param {string} program @param {string[]} args */
function runs(program, ...args) {
  return spawnSync(program, args).status === 0
}

function hasModWsgi() {
  return runs('test', '-e', `${MODULES}/mod_wsgi.so`)
}

const peers = Object.entries(SERVERS).filter(([name, { needs = () => true }]) => {
  const found = needs()
  if (!found) console.log(`${name} is not on this machine: left out`)
  return found
})
for (const [name, source] of Object.entries(APPS)) {
  if (values.only && name !== values.only) continue
  if (name !== 'Flask' || has('flask')) await compare(name, source, peers)
}
