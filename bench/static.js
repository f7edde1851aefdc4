/**
 * Static files: Zapp beside bare `node:http` that answers from memory, and beside nginx where there is one, in one run.
 * Only the ratios mean something: the figures change with the machine and its other work.
 *
 *   npm run build && node bench/static.js [--rounds 5]
 *
 * Needs `wrk`. Each server is one process (nginx: one worker); 32 connections are kept alive. The servers take turns,
 * a second each, and the median of the rounds counts, so that what else the machine does meets all of them.
 */
import { execFile, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { gzipSync } from 'node:zlib'

const run = promisify(execFile)
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' } },
})
/** @param {string} path */
const dist = (path) => import(new URL(`../dist/${path}`, import.meta.url).href)

const CASES = [
  { name: '35 KB, identity', path: '/page.html', header: 'Accept-Encoding: identity' },
  { name: '12 KB, gzip', path: '/script.js', header: 'Accept-Encoding: gzip' },
]

/** Words of a small vocabulary: compresses about as well as real pages do. @param {number} length */
function text(length) {
  let seed = 42
  let out = ''
  while (out.length < length) {
    seed = (seed * 1103515245 + 12345) % 2 ** 31
    out += `${(seed % 9973).toString(36)}${seed % 11 === 0 ? '\n' : ' '}`
  }
  return Buffer.from(out.slice(0, length))
}

const FILES = { 'page.html': text(35 * 1024), 'script.js': text(28_500) }

/** @type {Record<string, (folder: string) => Promise<void>>} What a child process serves; it tells its port. */
const SERVERS = {
  /** What must be said, and no more. */
  async node() {
    const page = FILES['page.html']
    const script = gzipSync(FILES['script.js'])
    listen((req, res) => {
      if (req.url === '/page.html') {
        res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Length': page.length })
        res.end(page)
      } else {
        res.writeHead(200, {
          'Content-Type': 'text/javascript; charset=utf-8',
          'Content-Length': script.length,
          'Content-Encoding': 'gzip',
        })
        res.end(script)
      }
    })
  },
  /** With the fields of a static server: the cost of node:http's own that a smaller answer would not have. */
  async 'node, same fields'() {
    const page = FILES['page.html']
    const script = gzipSync(FILES['script.js'])
    const more = {
      'Accept-Ranges': 'bytes',
      ETag: '"AAECAwQFBgcICQoLDA0ODw-gz"',
      'Cache-Control': 'no-cache',
      Vary: 'Accept-Encoding',
      'X-Content-Type-Options': 'nosniff',
    }
    const ofPage = { 'Content-Type': 'text/html; charset=utf-8', 'Content-Length': page.length, ...more }
    const ofScript = {
      'Content-Type': 'text/javascript; charset=utf-8',
      'Content-Length': script.length,
      'Content-Encoding': 'gzip',
      ...more,
    }
    listen((req, res) => {
      const isPage = req.url === '/page.html'
      res.writeHead(200, isPage ? ofPage : ofScript)
      res.end(isPage ? page : script)
    })
  },
  async zapp(folder) {
    const { openArchive } = await dist('archive/archive.js')
    const { createMount } = await dist('mount/mount.js')
    const { nodeRequest } = await dist('mount/node-request.js')
    const { sendAnswer } = await dist('mount/node-response.js')
    const mount = await createMount(await openArchive(join(folder, 'site.zapp')))
    listen(async (req, res) => sendAnswer(await mount.answer(nodeRequest(req, '')), req, res))
  },
}

/** @param {import('node:http').RequestListener} listener */
function listen(listener) {
  const server = createServer(listener).listen(0, '127.0.0.1', () => {
    process.send?.(/** @type {import('node:net').AddressInfo} */ (server.address()).port)
  })
}

/** @param {string} folder */
async function makeSite(folder) {
  const { writeArchive } = await dist('archive/writer.js')
  const { compress } = await dist('archive/compress.js')
  await mkdir(join(folder, 'public'))
  await writeArchive(join(folder, 'site.zapp'), async (/** @type {any} */ writer) => {
    const manifest = { zapp: 1, name: 'site', version: '1.0.0', routes: { '/': { static: 'public' } } }
    await writer.text('zapp.json', Buffer.from(JSON.stringify(manifest)))
    await writer.folder('public/')
    for (const [name, bytes] of Object.entries(FILES)) {
      await writer.file({ path: `public/${name}`, mode: 0o644, ...compress(bytes, true) })
      await writeFile(join(folder, 'public', name), bytes)
      await writeFile(join(folder, 'public', `${name}.gz`), gzipSync(bytes))
    }
  })
}

/** @param {string} name @param {string} folder */
async function startNode(name, folder) {
  const child = fork(fileURLToPath(import.meta.url), [name, folder])
  const [port] = await once(child, 'message')
  return { port, stop: () => stop(child) }
}

/** @param {string} folder */
async function startNginx(folder) {
  const probe = createTcpServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address())
  probe.close()
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder};`)
  const config = `${process.getuid?.() === 0 ? 'user root;' : ''} daemon off; worker_processes 1; pid ${folder}/nginx.pid;
    events {} http { access_log off; sendfile on; tcp_nopush on; open_file_cache max=100; keepalive_requests 1000000000;
    include /etc/nginx/mime.types; ${temporary.join(' ')}
    server { listen 127.0.0.1:${port}; root ${folder}/public; gzip_static on; } }`
  await writeFile(join(folder, 'nginx.conf'), config)
  const child = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'])
  await once(child, 'spawn')
  while (!(await fetch(`http://127.0.0.1:${port}/page.html`).catch(() => undefined))) {
    if (child.exitCode !== null) throw new Error('nginx did not start')
  }
  return { port, stop: () => stop(child) }
}

/** @param {import('node:child_process').ChildProcess} child */
async function stop(child) {
  const ended = once(child, 'close')
  child.kill()
  await ended
}

/** Requests in a second. @param {number} port @param {{path: string, header: string}} test */
async function measure(port, { path, header }) {
  const url = `http://127.0.0.1:${port}${path}`
  const { stdout } = await run('wrk', ['-t1', '-c32', '-d1s', '-H', header, url])
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout)
  return Number(/Requests\/sec:\s+([0-9.]+)/.exec(stdout)?.[1])
}

/** @param {number[]} values */
function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

async function main() {
  const has = (/** @type {string} */ name) =>
    run('sh', ['-c', `command -v ${name}`]).then(
      () => true,
      () => false,
    )
  if (!(await has('wrk'))) throw new Error('this benchmark needs wrk: apt-get install wrk')
  const folder = await mkdtemp(join(tmpdir(), 'zapp-bench-'))
  /** @type {Record<string, Awaited<ReturnType<typeof startNode>>>} */
  const servers = {}
  try {
    await makeSite(folder)
    for (const name of Object.keys(SERVERS)) servers[name] = await startNode(name, folder)
    if (await has('nginx')) servers.nginx = await startNginx(folder)
    for (const test of CASES) {
      /** @type {Record<string, number[]>} */
      const rates = {}
      // The first round warms up and does not count.
      for (let round = 0; round <= Number(values.rounds); round++) {
        for (const [name, { port }] of Object.entries(servers)) {
          const rate = await measure(port, test)
          if (round > 0) rates[name] = [...(rates[name] ?? []), rate]
        }
      }
      console.log(`\n${test.name}`)
      const zapp = median(rates.zapp ?? [])
      console.table(
        Object.entries(rates).map(([server, all]) => {
          const rate = median(all)
          return { server, 'requests/s': Math.round(rate), 'zapp ÷ it': Number((zapp / rate).toFixed(2)) }
        }),
      )
    }
  } finally {
    await Promise.all(Object.values(servers).map((server) => server.stop()))
    await rm(folder, { recursive: true, force: true })
  }
}

const [server, folder] = positionals
if (server !== undefined && folder !== undefined) await SERVERS[server]?.(folder)
else await main()
