/**
 * A shell script that says hello over CGI: zapp beside Apache's mod_cgid, a server of node:http that spawns, and what the
 * system takes to start such a script without any server. Only the ratios mean something: the figures change with the
 * machine and its other work.
 *
 *   npm run build && node bench/cgi.js [--rounds 5]
 *
 * Needs `wrk` and Debian's apache2; 8 connections are kept alive. The servers take turns, two seconds each, and the median
 * of the rounds counts.
 */
import { execFile, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect, createServer as createProbe } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'

const run = promisify(execFile)
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' } },
})

const SCRIPT = '#!/bin/sh\necho "Content-Type: text/plain"\necho\necho hello\n'
const CONNECTIONS = 8
const MODULES = '/usr/lib/apache2/modules'

/** @type {Record<string, (folder: string) => unknown>} What a child process serves; it tells its port. */
const SERVERS = {
  zapp,
  'child_process.spawn': bare,
}

/** @param {string} folder */
async function zapp(folder) {
  const { compress } = await dist('archive/compress.js')
  const { writeArchive } = await dist('archive/writer.js')
  const { loadApp } = await dist('index.js')
  const archive = join(folder, 'hello.zapp')
  const manifest = {
    ...{ zapp: 1, name: 'hello', version: '1.0.0' },
    entry: { type: 'cgi', dir: 'cgi-bin', concurrency: CONNECTIONS },
    routes: { '/cgi-bin/*': { entry: 'main', strip: true } },
  }
  await writeArchive(archive, async (/** @type {any} */ writer) => {
    await writer.text('zapp.json', Buffer.from(JSON.stringify(manifest)))
    await writer.folder('cgi-bin/')
    await writer.file({ path: 'cgi-bin/hello', mode: 0o755, ...compress(Buffer.from(SCRIPT), true) })
  })
  const app = await loadApp(archive, { cache: join(folder, 'cache'), data: join(folder, 'data') })
  process.once('SIGTERM', () => app.close({ graceMs: 0 }).then(() => process.exit()))
  listen(createServer(app.listener))
}

/** No limits, no checks, no environment: what starting a program costs Node. @param {string} folder */
function bare(folder) {
  const script = join(folder, 'cgi-bin', 'hello')
  listen(
    createServer((_, res) => {
      const child = spawn(script, { stdio: ['ignore', 'pipe', 'ignore'], env: {} })
      /** @type {Buffer[]} */
      const chunks = []
      child.stdout.on('data', (chunk) => chunks.push(chunk))
      child.on('close', () => {
        const output = Buffer.concat(chunks)
        res.writeHead(200, { 'Content-Type': 'text/plain' })
        res.end(output.subarray(output.indexOf('\n\n') + 2))
      })
    }),
  )
}

/** @param {string} folder @returns {Promise<{ port: number, child: import('node:child_process').ChildProcess }>} */
async function apache(folder) {
  const probe = createProbe().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address())
  probe.close()
  await once(probe, 'close')
  const file = join(folder, 'apache.conf')
  await writeFile(
    file,
    `${['mpm_event', 'authz_core', 'cgid', 'alias'].map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
    ${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
    ServerRoot ${folder}\nDefaultRuntimeDir ${folder}\nPidFile ${folder}/pid\nErrorLog ${folder}/error.log
    ServerName localhost\nListen 127.0.0.1:${port}\nScriptSock ${folder}/cgid\nMaxKeepAliveRequests 0
    ScriptAlias /cgi-bin/ ${folder}/cgi-bin/\n<Directory />\nRequire all granted\n</Directory>\n`,
  )
  const child = spawn('apache2', ['-f', file, '-DFOREGROUND'], { stdio: ['ignore', 'ignore', 'inherit'] })
  while (!(await accepts(port))) if (child.exitCode !== null) throw new Error('apache2 did not start')
  return { port, child }
}

/** @param {number} port @returns {Promise<boolean>} */
function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(true)).on('error', () => setTimeout(resolve, 20, false))
    socket.on('connect', () => socket.destroy())
  })
}

/** @param {string} path */
function dist(path) {
  return import(new URL(`../dist/${path}`, import.meta.url).href)
}

/** @param {import('node:net').Server} server */
function listen(server) {
  server.listen(0, '127.0.0.1', () => {
    process.send?.(/** @type {import('node:net').AddressInfo} */ (server.address()).port)
  })
}

/** Requests in a second. @param {number} port */
async function measure(port) {
  const { stdout } = await run('wrk', ['-t1', `-c${CONNECTIONS}`, '-d2s', `http://127.0.0.1:${port}/cgi-bin/hello`])
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout)
  return Number(/Requests\/sec:\s+([0-9.]+)/.exec(stdout)?.[1])
}

/** Scripts in a second, as many at once, started by a shell: no server, no HTTP. @param {string} script */
async function withoutServer(script) {
  const start = performance.now()
  const loop = `i=0; while [ $i -lt 100 ]; do ${script} >/dev/null; i=$((i+1)); done`
  await Promise.all(Array.from({ length: CONNECTIONS }, () => run('sh', ['-c', loop])))
  return (CONNECTIONS * 100) / ((performance.now() - start) / 1000)
}

/** @param {readonly number[]} numbers */
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN

async function compare() {
  const folder = await mkdtemp(join(tmpdir(), 'zapp-bench-'))
  await chmod(folder, 0o755)
  await mkdir(join(folder, 'cgi-bin'))
  const script = join(folder, 'cgi-bin', 'hello')
  await writeFile(script, SCRIPT)
  await chmod(script, 0o755)
  /** @type {{ server: string, child: import('node:child_process').ChildProcess, port: number, rates: number[] }[]} */
  const servers = []
  try {
    for (const server of Object.keys(SERVERS)) {
      const child = fork(fileURLToPath(import.meta.url), [server, folder])
      const [port] = await once(child, 'message')
      servers.push({ server, child, port, rates: [] })
    }
    servers.push({ server: 'Apache mod_cgid', rates: [], ...(await apache(folder)) })
    /** @type {number[]} */
    const alone = []
    // The first round warms up and does not count.
    for (let round = 0; round <= Number(values.rounds); round++) {
      for (const { port, rates } of servers) {
        const rate = await measure(port)
        if (round > 0) rates.push(rate)
      }
      if (round > 0) alone.push(await withoutServer(script))
    }
    const rates = [...servers.map(({ server, rates }) => ({ server, rate: median(rates) }))]
    rates.push({ server: 'no server: a shell starts them', rate: median(alone) })
    const [{ rate: ours } = { rate: Number.NaN }] = rates
    console.table(
      rates.map(({ server, rate }) => {
        return { server, 'requests/s': Math.round(rate), 'zapp ÷ it': Number((ours / rate).toFixed(2)) }
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

const [server, folder] = positionals
if (server !== undefined && folder !== undefined) await SERVERS[server]?.(folder)
else await compare()
