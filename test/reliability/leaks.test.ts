import { isZombie, openFiles } from '../helpers/processes.ts'
import { flaskTree, type Kind, makeApp, moveIn } from './apps.ts'
import { askOnce } from './ask-once.ts'
import { type HostProcess, makePlace, withHost } from './host-process.ts'
import { makeProbe } from './probe.ts'
import { promise } from './promise.ts'
import { type Figure, none, tried } from './promise-line.ts'
import { sized } from './size.ts'
import { theilSen } from './theil-sen.ts'
import { msUntil, until } from './until.ts'

const UPLOADED: readonly Kind[] = ['page', 'node', 'cgi', 'express', 'wsgi']
const DROPPED: readonly Kind[] = ['page', 'express', 'wsgi']
const EACH = UPLOADED.length + DROPPED.length
/** Caches fill, V8 compiles what is called often, and at their fourth version apps have the three that are kept. */
const WARM = sized(4, 63)
const ROUNDS = sized(4, 63)
/**
 * V8 has a young generation of up to 3 × 16 MiB and uses as much of it as there was work lately: pages that were touched,
 * not memory that is kept, and more than what is looked for.
 */
const FLAGS = ['--max-semi-space-size=1']
const MIB = 1024 * 1024

interface Memory {
  /** Bytes after a collection. */
  readonly rss: number
  readonly heapUsed: number
  /** How many there are. */
  readonly handles: number
}

promise('R13', 'nothing leaks', async (notRun) => {
  if (!flaskTree()) notRun('Flask, which this machine does not have: a plain WSGI app instead')
  const place = await makePlace()
  const probe = makeProbe<Memory>(place, 'memory-probe.mjs', FLAGS)
  return withHost(
    place,
    async (host) => {
      for (let i = 0; i < WARM; i++) await redeployAll(host, `v${i}`)
      await quiet(host)
      const before = { ...(await probe.ask(host)), files: openFiles(host.pid), processes: host.processes.length }
      const readings: Memory[] = [before]
      for (let i = WARM; i < WARM + ROUNDS; i++) {
        await redeployAll(host, `v${i}`)
        await quiet(host)
        readings.push(await probe.ask(host))
      }
      const more = {
        files: () => openFiles(host.pid) - before.files,
        processes: () => host.processes.length - before.processes,
        zombies: () => host.processes.filter(isZombie).length,
      }
      // What has just ended is waited for in a moment, and some files are closed a moment later than they could be.
      for (const count of Object.values(more)) await msUntil(() => count() <= 0, 5000)
      // A process that judges archives ends a second after the last one, and is in one reading or the other.
      let handles = before.handles
      await msUntil(async () => {
        handles = (await probe.ask(host)).handles
        return handles <= before.handles
      }, 5000)
      const growth = (of: 'rss' | 'heapUsed') =>
        (theilSen(readings.map((reading, i) => [i * EACH, reading[of]])) * 100) / MIB
      const every = Math.ceil(readings.length / 8)
      const curve = readings.filter((_, i) => i % every === 0).map(({ rss }) => (rss / MIB).toFixed(1))
      return [
        tried(
          `${ROUNDS * EACH} redeploys of static, Node, CGI, Express and WSGI apps, uploaded and dropped, after ${WARM * EACH} that fill caches`,
        ),
        none('descriptors more', Math.max(0, more.files())),
        none('handles more', Math.max(0, handles - before.handles)),
        none('processes more', Math.max(0, more.processes())),
        none('zombies', more.zombies()),
        tried(`resident MiB: ${curve.join(', ')}`),
        slope('resident memory', growth('rss')),
        slope('heap', growth('heapUsed')),
      ]
    },
    probe.options,
  )
})

/** After so few redeploys as at the small size V8 still compiles: it is told there, and judged at full size. */
function slope(what: string, mib: number): Figure {
  const text = `${what} for 100 redeploys: ${mib.toFixed(2)} MiB`
  return sized(tried(text), { text, mark: 'below 1 MiB', kept: mib < 1 })
}

/** Every app once: resolves when all answer with this version, throws where one answers otherwise after its upload. */
async function redeployAll(host: HostProcess, version: string): Promise<void> {
  const answered = async (id: string) => (await askOnce(host.port, `${id}/`)).headers['x-version']
  const dropped = DROPPED.map(async (kind) => {
    const name = `${kind}-dropped`
    await moveIn(await makeApp(kind, name, version), host.place.apps, name)
    await until(async () => (await answered(`/${name}`)) === version)
  })
  for (const kind of UPLOADED) {
    await host.deploy(await makeApp(kind, kind, version), `/${kind}`)
    const got = await answered(`/${kind}`)
    if (got !== version) throw new Error(`/${kind} answers as ${got}, and ${version} was deployed`)
  }
  await Promise.all(dropped)
}

/** Old versions have ended. */
async function quiet(host: HostProcess): Promise<void> {
  await until(async () => (await host.apps()).every(({ draining }) => draining === 0))
}
