import { setTimeout as sleep } from 'node:timers/promises'
import { type Files, makeArchive } from '../helpers/make-archive.ts'
import { isRunning } from '../helpers/processes.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { startLoad } from '../host/load.ts'
import { open } from '../host/raw.ts'
import { home, moveIn, putApp } from './apps.ts'
import { makePlace, withHost } from './host-process.ts'
import { promise } from './promise.ts'
import { atMost, holds, none, tried } from './promise-line.ts'
import { sized } from './size.ts'
import { until } from './until.ts'

/*
 * Two promises of which most is waiting: for broken apps to be given up, and for the limit of a drain.
 */

const health = { path: '/', timeout: '3s' }
const node = (code: string): [object, Files] => [
  { entry: { type: 'node', module: 'app.js' }, health },
  { 'app.js': code },
]
const server = (run: string[], files: Files): [object, Files] => [{ entry: { type: 'server', run }, health }, files]

const BROKEN: Record<string, [manifest: object, files: Files]> = {
  throws: node('throw new Error("no database")'),
  'exits with 0': node('process.exit(0)'),
  'never becomes ready': node('module.exports = () => {}'),
  'another socket': server(['python3', 'app.py'], {
    'app.py': 'import socket, time\nserver = socket.create_server(("127.0.0.1", 0))\ntime.sleep(600)',
  }),
  'slow by 30 s': server(['node', 'app.js'], {
    'app.js':
      'setTimeout(() => require("node:http").createServer((_, res) => res.end()).listen(process.env.PORT), 30000)',
  }),
  'a port, but no HTTP': server(['node', 'app.js'], {
    'app.js': 'require("node:net").createServer(() => {}).listen(process.env.PORT)',
  }),
  'answers 500': node('module.exports = (_, res) => { res.statusCode = 500; res.end() }'),
  'forks without end, up to 40': server(['sh', 'app.sh', '0'], {
    'app.sh': 'n=$1; [ "$n" -ge 40 ] || sh app.sh $((n + 1)) &\nsleep 600\n',
  }),
  'out of memory': server(['node', '--max-old-space-size=32', 'app.js'], {
    'app.js': 'const all = []; for (;;) all.push(Array.from({ length: 1000 }, Math.random))',
  }),
  // A module that is not there is refused as an archive (R03): here it is one that the code asks for.
  'no such file': node('require("./gone.js")'),
  ...sized({}, { 'hangs while it is loaded': node('for (;;);') }),
}

promise(
  'R04',
  'an app that crashes at its start, or never gets ready, replaces nothing',
  async () => {
    const place = await makePlace()
    const workshop = await tmpDir()
    const names = Object.keys(BROKEN)
    const mounts = names.map((_, i) => `/app${i}`)
    for (const i of names.keys()) await putApp(place.apps, 'node', `app${i}`, 'v1')
    return withHost(place, async (host) => {
      const before = await host.apps()
      const running = host.processes.length
      const load = startLoad(host.port, [mounts.slice(0, 5).map(home), mounts.slice(5).map(home)])
      for (const [i, [manifest, files]] of Object.values(BROKEN).entries()) {
        const file = await makeArchive(workshop, { name: `app${i}`, version: '2.0.0', ...manifest }, files)
        await moveIn(file, place.apps, `app${i}`)
      }
      const refused = async () => (await host.apps()).filter(({ state }) => state === 'degraded')
      await until(async () => (await refused()).length === names.length, 120_000).catch(() => {})
      const after = await refused()
      const pids = (apps: typeof after) => apps.flatMap((app) => app.pids).join()
      await until(() => host.processes.length === running, 10_000).catch(() => {})
      const { requests, failures } = await load.stop()
      for (const text of new Set(failures.slice(0, 10))) console.error(text)
      return [
        none('failed requests', failures.length, requests),
        none('broken apps not refused', names.length - after.length, names.length),
        holds('the processes of the old versions are the same', pids(before) === pids(await host.apps())),
        none('processes left by broken apps', host.processes.length - running),
      ]
    })
  },
  { concurrent: true },
)

/** What an old version may take to end, as the host has it (deployments/draining.ts). */
const DRAIN_MS = 30_000
const LONG: Files = {
  'app.js': `
    module.exports = (req, res) => {
      if (req.url !== '/events') return res.end('hello')
      res.setHeader('Content-Type', 'text/event-stream').write('data: hello\\n\\n')
    }
    module.exports.upgrade = (req, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n')
      socket.on('end', () => socket.end())
    }`,
}

promise(
  'R07',
  'WebSockets and event streams survive a redeploy until the limit, then end cleanly',
  async () => {
    const place = await makePlace()
    const workshop = await tmpDir()
    const version = (n: number) =>
      makeArchive(
        workshop,
        { name: 'app', version: `${n}.0.0`, entry: { type: 'node', module: 'app.js', websocket: true } },
        LONG,
      )
    await moveIn(await version(1), place.apps, 'app')
    return withHost(place, async (host) => {
      const sockets = sized(100, 500)
      const streams = 20
      const ended: { readonly at: number; readonly kind: string; readonly clean: boolean }[] = []
      const begin = async (kind: string, target: string, fields = '') => {
        const socket = await open(host.port)
        let [text, clean] = ['', true]
        socket.on('data', (chunk) => {
          text += chunk
        })
        socket.on('error', () => {
          clean = false
        })
        socket.on('close', () => {
          ended.push({
            at: performance.now(),
            kind,
            clean: clean && (kind === 'WebSocket' || text.endsWith('0\r\n\r\n')),
          })
        })
        socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`)
        await until(() => text.includes('\r\n\r\n'))
      }
      for (let i = 0; i < sockets; i++) {
        await begin('WebSocket', '/app/up', 'Connection: Upgrade\r\nUpgrade: websocket\r\n')
      }
      for (let i = 0; i < streams; i++) await begin('event stream', '/app/events')
      const [old = 0] = (await host.app('/app')).pids
      await moveIn(await version(2), place.apps, 'app')
      await until(() => host.switches('/app') === 2)
      const switched = performance.now()
      await until(() => ended.length === sockets + streams, DRAIN_MS + 20_000).catch(() => {})
      await sleep(1000)
      const early = ended.filter(({ at }) => at - switched < DRAIN_MS - 1000)
      const last = Math.max(...ended.map(({ at }) => at)) - switched
      return [
        tried(`${sockets} WebSockets, ${streams} event streams`),
        none('cut before the limit', early.length),
        none('still open', sockets + streams - ended.length),
        none('not ended cleanly', ended.filter(({ clean }) => !clean).length),
        atMost('the last one ended after', last, DRAIN_MS + 1000, ' ms'),
        holds('the old process is gone', !isRunning(old)),
      ]
    })
  },
  { concurrent: true },
)
