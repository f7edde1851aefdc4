/**
 * Scripts that say hello over CGI, in shell, Perl, Python and C: `zapp serve` beside Apache's mod_cgid and a server of
 * node:http that spawns, and what the system takes to start such a script without any server. Only the ratios mean
 * something: the figures change with the machine and its other work; what a request takes of the processor changes least.
 *
 *   npm run build && node bench/cgi.js [--rounds 5] [--only sh]
 *
 * Needs `wrk`, Linux and Debian's apache2; and a compiler, without which C is left out. 8 connections are kept alive. The
 * servers take turns, two seconds each, and the median of the rounds counts. What mod_cgid's scripts themselves take of the
 * processor is told to nobody: the system takes leave of them.
 */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
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
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, only: { type: 'string' } },
})

/** @type {Record<string, string>} */
const SCRIPTS = {
  sh: '#!/bin/sh\necho "Content-Type: text/plain"\necho\necho hello\n',
  perl: '#!/usr/bin/perl\nprint "Content-Type: text/plain\\n\\nhello\\n";\n',
  python: '#!/usr/bin/python3\nprint("Content-Type: text/plain\\n\\nhello")\n',
  c: '#include <stdio.h>\nint main(void) { return puts("Content-Type: text/plain\\n\\nhello") < 0; }\n',
}
const CONNECTIONS = 8
const MODULES = '/usr/lib/apache2/modules'

/** @type {Record<string, (folder: string, port: number) => Promise<import('node:child_process').ChildProcess>>} */
const SERVERS = {
  'zapp serve': zapp,
  'child_process.spawn': async (folder, port) => {
    return spawnServer([process.execPath, fileURLToPath(import.meta.url), 'spawn', folder, `${port}`])
  },
  'Apache mod_cgid': apache,
}

/** @param {string} folder @param {number} port */
async function zapp(folder, port) {
  const { compress } = await dist('archive/compress.js')
  const { writeArchive } = await dist('archive/writer.js')
  const archive = join(folder, 'hello.zapp')
  const manifest = {
    ...{ zapp: 1, name: 'hello', version: '1.0.0' },
    entry: { type: 'cgi', dir: 'cgi-bin', concurrency: CONNECTIONS },
    routes: { '/cgi-bin/*': { entry: 'main', strip: true } },
  }
  const script = await readFile(join(folder, 'cgi-bin', 'hello'))
  await writeArchive(archive, async (/** @type {any} */ writer) => {
    await writer.text('zapp.json', Buffer.from(JSON.stringify(manifest)))
    await writer.folder('cgi-bin/')
    await writer.file({ path: 'cgi-bin/hello', mode: 0o755, ...compress(script, true) })
  })
  const cli = fileURLToPath(new URL('../bin/zapp.js', import.meta.url))
  const folders = ['--cache', join(folder, 'cache'), '--data', join(folder, 'data')]
  const options = ['serve', archive, '--port', `${port}`, '--access-log', 'off', ...folders]
  return spawnServer([process.execPath, cli, ...options])
}

/** No limits, no checks, no environment: what starting a program costs Node. @param {string} folder @param {number} port */
function bare(folder, port) {
  const script = join(folder, 'cgi-bin', 'hello')
  const server = createServer((_, res) => {
    const child = spawn(script, { stdio: ['ignore', 'pipe', 'ignore'], env: {} })
    /** @type {Buffer[]} */
    const chunks = []
    child.stdout.on('data', (chunk) => chunks.push(chunk))
    child.on('close', () => {
      const output = Buffer.concat(chunks)
      res.writeHead(200, { 'Content-Type': 'text/plain' })
      res.end(output.subarray(output.indexOf('\n\n') + 2))
    })
  })
  server.listen(port, '127.0.0.1')
}

/** @param {string} folder @param {number} port */
async function apache(folder, port) {
  const file = join(folder, 'apache.conf')
  await writeFile(
    file,
    `${['mpm_event', 'authz_core', 'cgid', 'alias'].map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
    ${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
    ServerRoot ${folder}\nDefaultRuntimeDir ${folder}\nPidFile ${folder}/pid\nErrorLog ${folder}/error.log
    ServerName localhost\nListen 127.0.0.1:${port}\nScriptSock ${folder}/cgid\nMaxKeepAliveRequests 0
    ScriptAlias /cgi-bin/ ${folder}/cgi-bin/\n<Directory />\nRequire all granted\n</Directory>\n`,
  )
  return spawnServer(['apache2', '-f', file, '-DFOREGROUND'])
}

/** Requests, and what of the processor they took. @param {string} url @param {number} pid @param {number} seconds */
async function measure(url, pid, seconds) {
  const before = cpuTime(pid)
  const { stdout } = await run('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, url])
  if (/Non-2xx|Socket errors: .*(read|write) [1-9]/.test(stdout)) throw new Error(stdout)
  const count = Number(/(\d+) requests in/.exec(stdout)?.[1])
  return { rate: Number(/Requests\/sec:\s+([0-9.]+)/.exec(stdout)?.[1]), ms: (cpuTime(pid) - before) / count }
}

/** As many scripts at once, started by a shell: no server, no HTTP. @param {string} script */
async function withoutServer(script) {
  const before = cpuTime(process.pid)
  const start = performance.now()
  const loop = `i=0; while [ $i -lt 50 ]; do ${script} >/dev/null; i=$((i+1)); done`
  await Promise.all(Array.from({ length: CONNECTIONS }, () => run('sh', ['-c', loop])))
  const count = CONNECTIONS * 50
  return { rate: count / ((performance.now() - start) / 1000), ms: (cpuTime(process.pid) - before) / count }
}

/** @param {readonly number[]} numbers */
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN

/** @param {string} name */
async function compare(name) {
  const folder = await mkdtemp(join(tmpdir(), 'zapp-bench-'))
  await chmod(folder, 0o755)
  await mkdir(join(folder, 'cgi-bin'))
  const script = join(folder, 'cgi-bin', 'hello')
  const source = name === 'c' ? join(folder, 'hello.c') : script
  await writeFile(source, SCRIPTS[name] ?? '')
  if (name === 'c') execFileSync('cc', ['-O2', '-o', script, source])
  await chmod(script, 0o755)
  /** @type {{ server: string, child?: import('node:child_process').ChildProcess, measure: (seconds: number) => Promise<{ rate: number, ms: number }> }[]} */
  const rows = []
  try {
    for (const [server, start] of Object.entries(SERVERS)) {
      const port = await freePort()
      const url = `http://127.0.0.1:${port}/cgi-bin/hello`
      const child = await start(folder, port)
      rows.push({ server, child, measure: (seconds) => measure(url, child.pid ?? 0, seconds) })
      await answers(url, 'hello\n')
    }
    rows.push({ server: 'no server: a shell starts them', measure: () => withoutServer(script) })
    const results = rows.map(() => /** @type {{ rate: number, ms: number }[]} */ ([]))
    // The first round warms up, which takes Node some hundreds of requests, and does not count.
    for (let round = 0; round <= Number(values.rounds); round++) {
      for (const [i, { measure }] of rows.entries()) {
        const result = await measure(round > 0 ? 2 : 6)
        if (round > 0) results[i]?.push(result)
      }
    }
    const rates = results.map((result) => median(result.map(({ rate }) => rate)))
    console.log(`\n${name}`)
    console.table(
      rows.map(({ server }, i) => ({
        server,
        'requests/s': Math.round(rates[i] ?? 0),
        'zapp ÷ it': Number(((rates[0] ?? 0) / (rates[i] ?? 0)).toFixed(2)),
        'CPU ms/request': Number(median(results[i]?.map(({ ms }) => ms) ?? []).toFixed(2)),
      })),
    )
  } finally {
    for (const { child } of rows) {
      if (!child) continue
      const ended = once(child, 'close')
      child.kill()
      await ended
    }
    await rm(folder, { recursive: true, force: true })
  }
}

function hasCompiler() {
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    console.log('there is no compiler: C is left out')
    return false
  }
}

const [mode, folder, port] = positionals
if (mode === 'spawn' && folder) bare(folder, Number(port))
else {
  for (const name of Object.keys(SCRIPTS)) {
    if (values.only ? name === values.only : name !== 'c' || hasCompiler()) await compare(name)
  }
}
