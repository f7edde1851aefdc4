import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Files, makeArchive } from '../helpers/make-archive.ts'
import { isRunning, openFiles } from '../helpers/processes.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { startLoad } from '../host/load.ts'
import { open, readAll } from '../host/raw.ts'
import { home, makeApp, moveIn, putApp } from './apps.ts'
import { HostProcess, makePlace, withHost } from './host-process.ts'
import { promise } from './promise.ts'
import { atMost, exactly, type Figure, holds, none, number, tried } from './promise-line.ts'
import { sized } from './size.ts'
import { treeSizes } from './trees.ts'
import { msUntil, until } from './until.ts'

const workshop = await tmpDir()
const MB = 1024 * 1024

promise('R08', 'versions do not pile up', async () => {
  const place = await makePlace()
  const version = (n: number) =>
    makeArchive(
      workshop,
      { name: 'app', version: `${n}.0.0`, entry: { type: 'node', module: 'app.js', websocket: true } },
      {
        'app.js': `module.exports = (req, res) => res.end('hello')
          module.exports.upgrade = (req, socket) =>
            socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n')`,
      },
    )
  return withHost(place, async (host) => {
    await host.deploy(await version(0), '/app')
    const base = host.processes.length
    const sockets: Socket[] = []
    const begin = async () => {
      const socket = await open(host.port)
      socket.on('error', () => {})
      socket.write('GET /app/up HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      await Promise.race([once(socket, 'data'), once(socket, 'close')])
      sockets.push(socket)
    }
    await begin()
    const files = openFiles(host.pid)
    const times = sized(8, 50)
    const archives = []
    for (let i = 1; i <= times; i++) archives.push(await version(i))
    let [most, draining] = [0, 0]
    const look = async () => {
      // What was cut short for another one has a moment to end.
      await msUntil(() => host.processes.length - base <= 3, 500)
      most = Math.max(most, host.processes.length - base + 1)
      draining = Math.max(draining, (await host.app('/app')).draining)
    }
    const answers: Promise<'started' | 'superseded'>[] = []
    const start = performance.now()
    for (const file of archives) {
      answers.push(deployOrGiveWay(host, file))
      await Promise.all([begin(), begin(), look(), sleep(10_000 / 50)])
    }
    const seconds = (performance.now() - start) / 1000
    const started = (await Promise.all(answers)).filter((answer) => answer === 'started').length
    await msUntil(() => host.processes.length - base <= 2, 2000)
    const last = host.processes.length - base + 1
    const { version: live } = await host.app('/app')
    for (const socket of sockets) socket.destroy()
    await until(async () => (await host.app('/app')).draining === 0, 40_000).catch(() => {})
    // What has judged the archives ends a second after the last.
    await msUntil(() => host.processes.length <= base, 5000)
    const filesAfter = await leastFiles(host, files - 1)
    return [
      tried(
        `${times} redeploys in ${seconds.toFixed(1)} s, each with open WebSockets: ${started} of them were started`,
      ),
      holds('the last one serves', live === `${times}.0.0`),
      atMost('processes of the app, with the one that is being started:', most, 4),
      atMost('after the last switch:', last, 3),
      atMost('versions that drain:', draining, 2),
      exactly('processes more than before:', host.processes.length - base, 0),
      atMost('descriptors more than before:', filesAfter - files, 0),
    ]
  })
})

/** What waits while another one is started gives way to what comes after it. */
async function deployOrGiveWay(host: HostProcess, file: string): Promise<'started' | 'superseded'> {
  try {
    await host.deploy(file, '/app')
    return 'started'
  } catch (error) {
    if (String(error).includes('DEPLOY_SUPERSEDED')) return 'superseded'
    throw error
  }
}

/** Some are closed a moment later than they could be. */
async function leastFiles(host: HostProcess, enough: number): Promise<number> {
  await until(() => openFiles(host.pid) <= enough, 5000).catch(() => {})
  return openFiles(host.pid)
}

promise('R11', 'a disk that is full, and a crash, leave no part of a tree', async (notRun) => {
  const place = await makePlace()
  await putApp(place.apps, 'node', 'app', 'v0')
  const figures: Figure[] = []
  if (process.getuid?.() !== 0 || !canMount(place.cache)) notRun('a full disk: mounting a small one needs root')
  else {
    let [partial, lost, kept, live] = [0, 0, 0, 0]
    const most = sized(4, 24)
    const failures: string[] = []
    let requests = 0
    for (let size = 1; size <= most; size++) {
      // The new version needs about 10 MiB: its content, and the copies in its tree.
      const room = await makePlace()
      await putApp(room.apps, 'node', 'app', 'v0')
      execFileSync('mount', [
        '-t',
        'tmpfs',
        '-o',
        `size=${Math.round((size * 18) / most)}m,mode=700`,
        'tmpfs',
        room.cache,
      ])
      try {
        await withHost(room, async (host) => {
          const load = startLoad(host.port, [[home('/app')]])
          const before = treeSizes(room)
          await moveIn(await bigVersion('v1'), room.apps, 'app')
          await until(() => host.switches('/app') === 2 || host.told('failed', '/app') > 0)
          const after = treeSizes(room)
          partial += after.length - before.length - (host.switches('/app') - 1)
          if (host.switches('/app') === 2) live++
          else kept++
          const result = await load.stop()
          requests += result.requests
          failures.push(...result.failures)
          if ((await host.app('/app')).pids.length === 0) lost++
        })
      } finally {
        execFileSync('umount', ['-l', room.cache])
      }
    }
    figures.push(
      tried(`${most} sizes of disk: ${kept} too small, ${live} large enough`),
      none('partial trees on a full disk', partial),
      none('apps that were lost', lost),
      none('failed requests', failures.length, requests),
    )
  }
  const times = sized(3, 200)
  let [partial, down] = [0, 0]
  let host = await HostProcess.start(place)
  const [small = 0] = treeSizes(place)
  try {
    for (let i = 1; i <= times; i++) {
      const trees = treeSizes(place).length
      await moveIn(await bigVersion(`v${i}`), place.apps, 'app')
      // From the first byte of the tree's until some time after it is whole.
      await until(() => readdirSync(join(place.cache, 'v1/temp')).length > 0 || treeSizes(place).length > trees)
      await sleep(Math.random() * 200)
      host.kill('SIGKILL')
      await host.exited
      partial += treeSizes(place).filter((size) => size !== small && size !== small + BIG_FILES).length
      host = await HostProcess.start(place)
      if ((await host.app('/app')).pids.length === 0) down++
    }
  } finally {
    await host.stop()
  }
  return [
    ...figures,
    none('partial trees after a kill', partial, times),
    none('starts after it that served nothing', down, times),
    none('unfinished work left', readdirSync(join(place.cache, 'v1/temp')).length),
  ]
})

/** About 5 MiB that do not compress. */
const BIG_FILES = 80
async function bigVersion(version: string): Promise<string> {
  const files: Record<string, Uint8Array> = {}
  for (let i = 0; i < BIG_FILES; i++) files[`data/${i}.bin`] = crypto.getRandomValues(Buffer.alloc(60_000))
  return makeApp('node', 'app', version, {}, files)
}

function canMount(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'pipe' })
    execFileSync('umount', [folder])
    return true
  } catch {
    return false
  }
}

promise('R12', 'to run out of descriptors does not end the host', async () => {
  const place = await makePlace()
  await putApp(place.apps, 'node', 'app', 'v1')
  await putApp(place.apps, 'page', 'page', 'v1')
  return withHost(
    place,
    async (host) => {
      const sockets: Socket[] = []
      const clients = 500
      for (let i = 0; i < clients; i++) {
        const socket = await open(host.port)
        socket.on('error', () => {})
        socket.write(`GET /${i % 2 ? 'app' : 'page'}/ HTTP/1.1\r\nHost: localhost\r\n\r\n`)
        sockets.push(socket)
      }
      await sleep(2000)
      const [alive, most] = [isRunning(host.pid), isRunning(host.pid) ? openFiles(host.pid) : 0]
      for (const socket of sockets) socket.destroy()
      const answers = async (path: string) =>
        (await fetch(`http://127.0.0.1:${host.port}${path}`, { signal: AbortSignal.timeout(2000) })).ok
      const ms = await msUntil(async () => (await answers('/app/')) && (await answers('/page/')), 20_000)
      return [
        tried(`${clients} clients, 128 descriptors, ${most} of them in use at the end`),
        holds('the host runs on', alive && isRunning(host.pid)),
        atMost('it answers again after', ms, 5000, ' ms'),
      ]
    },
    { prefix: ['sh', '-c', 'ulimit -n 128; exec "$@"', 'sh'] },
  )
})

const SLOW: Files = {
  'app.js': `
    const big = Buffer.alloc(${10 * MB}, 'x')
    module.exports = (req, res) => {
      if (req.url === '/never') return res.write('begun')
      if (req.url === '/big') return res.end(big)
      let length = 0
      req.on('data', (chunk) => { length += chunk.length })
      req.on('end', () => setTimeout(() => res.end('all ' + length), 1000))
    }`,
}

promise('R14', 'to be told to stop is no failure: what was begun is finished', async () => {
  const place = await makePlace()
  const manifest = { name: 'app', entry: { type: 'node', module: 'app.js' } }
  await moveIn(await makeArchive(workshop, manifest, SLOW), place.apps, 'app')
  const host = await HostProcess.start(place)
  const body = 'y'.repeat(MB)
  const active = [
    ...Array.from({ length: 40 }, () => ({ head: 'GET /app/slow HTTP/1.1', body: '', right: 'all 0' })),
    ...Array.from({ length: 8 }, () => ({ head: 'POST /app/slow HTTP/1.1', body, right: 'all 1048576' })),
    ...Array.from({ length: 4 }, () => ({ head: 'GET /app/big HTTP/1.1', body: '', right: 'x'.repeat(10 * MB) })),
  ]
  const answers = await Promise.all(
    active.map(async ({ head, body }) => {
      const socket = await open(host.port)
      socket.write(`${head}\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`)
      if (body) socket.write(body)
      // A reader that takes its time.
      if (head.includes('big')) socket.pause()
      return { socket, answer: readAll(socket) }
    }),
  )
  await sleep(500)
  const begun = performance.now()
  host.kill('SIGTERM')
  await sleep(300)
  const refused = await open(host.port).then(
    (socket) => {
      socket.destroy()
      return false
    },
    () => true,
  )
  for (const { socket } of answers) socket.resume()
  const texts = await Promise.all(answers.map(({ answer }) => answer))
  const { code } = await host.exited
  const ms = performance.now() - begun
  const free = createServer().listen(host.port, '127.0.0.1')
  const isFree = await Promise.race([once(free, 'listening').then(() => true), once(free, 'error').then(() => false)])
  free.close()

  const forced = await HostProcess.start(place)
  const socket = await open(forced.port)
  socket.on('error', () => {})
  socket.write('GET /app/never HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await once(socket, 'data')
  forced.kill('SIGTERM')
  await sleep(300)
  const waits = forced.child.exitCode === null
  const second = performance.now()
  forced.kill('SIGTERM')
  await forced.exited
  const wrong = texts.filter((text, i) => !text.endsWith(`\r\n${active[i]!.right}`)).length
  return [
    none('active requests that were cut', wrong, active.length),
    holds('new connections are refused meanwhile', refused),
    atMost('it ended after', ms, 10_500, ' ms'),
    exactly('with exit code', code ?? -1, 0),
    holds('its port is free at once', isFree),
    holds('with a request that never ends it waits', waits),
    atMost('until a second signal ends it in', performance.now() - second, 1000, ' ms'),
  ]
})

promise('R16', 'to go back is instant', async () => {
  const place = await makePlace()
  return withHost(place, async (host) => {
    for (const version of ['v1', 'v2', 'v3']) await host.deploy(await makeApp('express', 'app', version), '/app')
    // Some 300 requests/s: what is measured is the host, not how long a machine that is saturated takes for anything.
    const asked = { ...home('/app'), pauseMs: 5 }
    const load = startLoad(host.port, [[asked], [asked]])
    const times = sized(5, 50)
    const took: number[] = []
    for (let i = 0; i < times; i++) {
      const start = performance.now()
      const { version } = await host.rollback('/app')
      took.push(performance.now() - start)
      if (version === '') throw new Error('nothing serves')
      // There is nothing before the first: forward again, and what can be gone back to is warm again.
      await host.deploy(await makeApp('express', 'app', `v${4 + i}`), '/app')
    }
    const { requests, failures } = await load.stop()
    return [
      none('failed requests', failures.length, requests),
      tried(`${times} rollbacks, in the middle ${number(took.sort((a, b) => a - b)[times >> 1] ?? 0)} ms`),
      atMost('the slowest took', Math.max(...took), 500, ' ms'),
    ]
  })
})
