/**
 * From the start of the process to the first answer, and resident memory then: `zapp serve` with one small Express app
 * beside Tomcat 10 with one servlet, in one run, in turns.
 *
 *   npm run build && node bench/tomcat.js [--rounds 5]
 *
 * Needs Debian's tomcat10 and a JDK (apt-get install tomcat10 openjdk-17-jdk-headless).
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'

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
  // Unpacked anew each time, as at a first start: Zapp's cache is emptied too.
  const clean = () => rm(join(base, 'webapps', 'ROOT'), { recursive: true, force: true })
  return { clean, argv: ['java', ...java, ...places, 'org.apache.catalina.startup.Bootstrap', 'start'] }
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
  const cache = join(folder, 'cache')
  const clean = () => rm(cache, { recursive: true, force: true })
  const places = ['--port', String(port), '--cache', cache, '--data', join(folder, 'data')]
  return { clean, argv: [process.execPath, bin, 'serve', archive, ...places] }
}

/** @param {{ clean: () => Promise<void>, argv: string[] }} server @param {number} port @param {boolean} fresh */
async function measure({ clean, argv }, port, fresh) {
  if (fresh) await clean()
  const start = performance.now()
  const [program = '', ...args] = argv
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
    return { ms, memory: await resident(child.pid ?? 0) }
  } finally {
    process.kill(-(child.pid ?? 0), 'SIGTERM')
    await exited
  }
}

/** Resident bytes of a process and all below it. @param {number} leader @returns {Promise<number>} */
async function resident(leader) {
  const all = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name))
  let total = 0
  for (const pid of all) {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    const parents = await ancestors(status)
    if (Number(pid) !== leader && !parents.includes(leader)) continue
    const [, pages = '0'] = (await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => '')).split(' ')
    total += Number(pages) * 4096
  }
  return total
}

/** @param {string} stat @returns {Promise<number[]>} */
async function ancestors(stat) {
  const parents = []
  for (let text = stat; text !== ''; ) {
    const parent = Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1])
    if (!(parent > 1)) break
    parents.push(parent)
    text = await readFile(`/proc/${parent}/stat`, 'utf8').catch(() => '')
  }
  return parents
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address())
  await new Promise((done) => probe.close(done))
  return port
}

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
    /** @type {Record<string, { ms: number, memory: number }[]>} */
    const seen = Object.fromEntries(servers.map(({ name }) => [name, []]))
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const { name, port, server } of servers) seen[name]?.push(await measure(server, port, fresh))
    }
    const [zapp, tomcat] = servers.map(({ name }) => {
      const rows = seen[name] ?? []
      return { ms: median(rows.map(({ ms }) => ms)), memory: median(rows.map(({ memory }) => memory)) }
    })
    if (!zapp || !tomcat) continue
    console.log(fresh ? 'first start, nothing unpacked' : 'start again')
    const line = (/** @type {string} */ name, /** @type {{ ms: number, memory: number }} */ { ms, memory }) =>
      console.log(`  ${name.padEnd(12)} ${Math.round(ms)} ms  ${Math.round(memory / 1e6)} MB`)
    line('zapp serve', zapp)
    line('Tomcat 10', tomcat)
    console.log(`  ratio        ${(zapp.ms / tomcat.ms).toFixed(2)}     ${(zapp.memory / tomcat.memory).toFixed(2)}`)
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
