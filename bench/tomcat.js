/**
 * From the start of the process to the first answer, processor time and resident memory then: `zapp serve` with one small
 * Express app, which runs in a process of its own, beside Tomcat 10 with one servlet, in one run, in turns.
 *
 * Memory is told in three ways, of all processes of a server together. Rss counts a page of Node's program once for each
 * process that has it mapped; Pss divides it between all processes of the machine, this program among them; "once" counts
 * it once, and is what the server would free if it ended: the honest one.
 *
 *   npm run build && node bench/tomcat.js [--rounds 5]
 *
 * Needs Debian's tomcat10 and a JDK (apt-get install tomcat10 openjdk-17-jdk-headless).
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { freePort } from './helpers/free-port.js'

const run = promisify(execFile)
const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } })
const CATALINA_HOME = '/usr/share/tomcat10'

const SERVLET = `
import jakarta.servlet.annotation.WebServlet;
import jakarta.servlet.http.*;
@WebServlet("/")
public class Hello extends HttpServlet {
  protected void doGet(HttpServletRequest req, HttpServletResponse res) throws java.io.IOException {
    res.setContentType("text/plain");
    res.getWriter().print("hello");
  }
}`

/** One Host, one Connector, no shutdown port. @param {number} port */
const SERVER_XML = (port) => `<Server port="-1">
  <Service name="Catalina">
    <Connector port="${port}" address="127.0.0.1" protocol="HTTP/1.1"/>
    <Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps" unpackWARs="true"/></Engine>
  </Service>
</Server>`

/** @param {string} folder @param {number} port */
async function prepareTomcat(folder, port) {
  const base = join(folder, 'tomcat')
  const classes = join(folder, 'war', 'WEB-INF', 'classes')
  for (const dir of ['conf', 'logs', 'temp', 'webapps', 'work']) await mkdir(join(base, dir), { recursive: true })
  await mkdir(classes, { recursive: true })
  await writeFile(join(folder, 'Hello.java'), SERVLET)
  const api = join(CATALINA_HOME, 'lib', 'servlet-api.jar')
  await run('javac', ['-cp', api, '-d', classes, join(folder, 'Hello.java')])
  await run('jar', ['cf', join(base, 'webapps', 'ROOT.war'), '-C', join(folder, 'war'), '.'])
  await writeFile(join(base, 'conf', 'server.xml'), SERVER_XML(port))
  await run('cp', [join('/etc/tomcat10', 'web.xml'), join(base, 'conf', 'web.xml')])
  const java = ['-cp', `${CATALINA_HOME}/bin/bootstrap.jar:${CATALINA_HOME}/bin/tomcat-juli.jar`]
  const places = [
    `-Dcatalina.home=${CATALINA_HOME}`,
    `-Dcatalina.base=${base}`,
    `-Djava.io.tmpdir=${join(base, 'temp')}`,
  ]
  // Unpacked anew each time, as at a first start.
  const clean = () => rm(join(base, 'webapps', 'ROOT'), { recursive: true, force: true })
  return { clean, argv: () => ['java', ...java, ...places, 'org.apache.catalina.startup.Bootstrap', 'start'] }
}

/** @param {string} folder @param {number} port */
async function prepareZapp(folder, port) {
  const project = join(folder, 'hello')
  const modules = join(project, 'node_modules')
  await mkdir(modules, { recursive: true })
  await writeFile(
    join(project, 'package.json'),
    '{ "name": "hello", "version": "1.0.0", "dependencies": { "express": "^5" } }',
  )
  await writeFile(
    join(project, 'app.js'),
    "const app = require('express')()\napp.get('/', (req, res) => res.send('hello'))\nmodule.exports = app\n",
  )
  await run('npm', ['install', '--silent', '--no-audit', '--no-fund'], { cwd: project })
  const archive = join(folder, 'hello.zapp')
  const bin = join(root, 'bin/zapp.js')
  await run(process.execPath, [bin, 'pack', project, '-o', archive])
  // Another cache each time, not one that was just emptied: where ext4 has removed a thousand files it makes new ones more
  // slowly for a while.
  let caches = 0
  const clean = async () => void caches++
  const places = ['--port', String(port), '--data', join(folder, 'data')]
  const argv = () => [process.execPath, bin, 'serve', archive, ...places, '--cache', join(folder, `cache-${caches}`)]
  return { clean, argv }
}

/** @param {{ clean: () => Promise<void>, argv: () => string[] }} server @param {number} port @param {boolean} fresh */
async function measure({ clean, argv }, port, fresh) {
  if (fresh) await clean()
  const start = performance.now()
  const [program = '', ...args] = argv()
  const child = spawn(program, args, { stdio: 'ignore', detached: true })
  const exited = once(child, 'exit')
  try {
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
      if (answer?.ok && (await answer.text()) === 'hello') break
      if (performance.now() - start > 60_000) throw new Error(`${program} does not answer`)
      await sleep(5)
    }
    const ms = performance.now() - start
    return { ms, ...(await usage(child.pid ?? 0)) }
  } finally {
    process.kill(-(child.pid ?? 0), 'SIGTERM')
    await exited
  }
}

/** Of a process and all below it: ms of processors, MB of memory. @param {number} leader */
async function usage(leader) {
  const sum = { cpu: 0, rss: 0, pss: 0, once: 0 }
  /** What is resident of a part of a file, in kB. @type {Map<string, number>} */
  const shared = new Map()
  for (const pid of await descendants(leader)) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // proc(5): user and system time in ticks of 10 ms, its own and of children that have ended.
    sum.cpu += [11, 12, 13, 14].reduce((ticks, at) => ticks + Number(fields[at] ?? 0), 0) * 10
    let part = ''
    let resident = 0
    for (const line of (await readFile(`/proc/${pid}/smaps`, 'utf8').catch(() => '')).split('\n')) {
      const mapping = /^[0-9a-f]+-[0-9a-f]+ \S+ (\S+) (\S+) (\d+)/.exec(line)
      if (mapping) part = mapping[3] === '0' ? '' : mapping.slice(1).join(' ')
      const [, name, kB] = /^(Rss|Pss|Anonymous):\s+(\d+) kB/.exec(line) ?? []
      if (name === 'Rss') sum.rss += resident = Number(kB)
      if (name === 'Pss') sum.pss += Number(kB)
      if (name !== 'Anonymous') continue
      const own = part === '' ? resident : Number(kB)
      sum.once += own
      shared.set(part, Math.max(shared.get(part) ?? 0, resident - own))
    }
  }
  for (const kB of shared.values()) sum.once += kB
  const { cpu, ...memory } = sum
  const [rss = 0, pss = 0, once = 0] = [memory.rss, memory.pss, memory.once].map((kiB) => (kiB * 1024) / 1e6)
  return { cpu, rss, pss, once }
}

/** @param {number} leader @returns {Promise<number[]>} with the leader */
async function descendants(leader) {
  /** @type {Map<number, number[]>} */
  const children = new Map()
  for (const name of (await readdir('/proc')).filter((one) => /^[0-9]+$/.test(one))) {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  /** @param {number} one @returns {number[]} */
  const below = (one) => [one, ...(children.get(one) ?? []).flatMap(below)]
  return below(leader)
}

const FIGURES = /** @type {const} */ (['ms', 'cpu', 'rss', 'pss', 'once'])
/** @typedef {Record<typeof FIGURES[number], number>} Figures */

/** @param {Figures[]} rows @returns {Figures} */
function medians(rows) {
  const { ms, cpu, rss, pss, once } = Object.fromEntries(
    FIGURES.map((name) => [name, median(rows.map((row) => row[name]))]),
  )
  return /** @type {Figures} */ ({ ms, cpu, rss, pss, once })
}

/** @param {string} name @param {string[]} cells */
const line = (name, ...cells) => console.log(`  ${name.padEnd(12)}${cells.map((cell) => cell.padStart(13)).join('')}`)

/** @param {number[]} numbers */
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0

const folder = await mkdtemp(join(tmpdir(), 'zapp-bench-'))
try {
  const [zappPort, tomcatPort] = [await freePort(), await freePort()]
  const servers = [
    { name: 'zapp serve', port: zappPort, server: await prepareZapp(folder, zappPort) },
    { name: 'Tomcat 10', port: tomcatPort, server: await prepareTomcat(folder, tomcatPort) },
  ]
  for (const fresh of [true, false]) {
    /** @type {Record<string, Figures[]>} */
    const seen = Object.fromEntries(servers.map(({ name }) => [name, []]))
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const { name, port, server } of servers) seen[name]?.push(await measure(server, port, fresh))
    }
    const [zapp, tomcat] = servers.map(({ name }) => medians(seen[name] ?? []))
    if (!zapp || !tomcat) continue
    console.log(fresh ? 'first start, nothing unpacked' : 'start again')
    line('', 'first answer', 'processor', 'Rss', 'Pss', 'once')
    for (const [name, { ms, cpu, rss, pss, once }] of /** @type {const} */ ([
      ['zapp serve', zapp],
      ['Tomcat 10', tomcat],
    ])) {
      line(
        name,
        ...[ms, cpu].map((one) => `${Math.round(one)} ms`),
        ...[rss, pss, once].map((one) => `${Math.round(one)} MB`),
      )
    }
    line('ratio', ...FIGURES.map((figure) => (zapp[figure] / tomcat[figure]).toFixed(2)))
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
