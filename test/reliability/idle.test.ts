import { once } from 'node:events'
import { rename, writeFile } from 'node:fs/promises'
import { Agent, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeArchive } from '../helpers/make-archive.ts'
import { npmTree } from '../helpers/npm-tree.ts'
import { residentMiB } from '../helpers/processes.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { putApp } from './apps.ts'
import { type HostProcess, makePlace, type Place, withHost } from './host-process.ts'
import { promise } from './promise.ts'
import { atLeast, atMost, none, tried } from './promise-line.ts'
import { sized } from './size.ts'
import { until } from './until.ts'

/*
 * Apps that are hardly ever asked: what many of them cost, how long the first request takes, and that falling asleep loses
 * none.
 */

const APPS = sized(20, 200)
/** Woken one after the other. */
const WOKEN = sized(5, 20)

async function settingsOf(place: Place, settings: object): Promise<{ args: string[] }> {
  const file = join(place.apps, '../zapp.host.json')
  await writeFile(file, JSON.stringify(settings))
  return { args: ['--settings', file] }
}

/** ms of the first answers of apps that slept; fewer where one was refused. */
async function wake(host: HostProcess): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < WOKEN; i++) {
    const begun = performance.now()
    const answer = await fetch(`http://127.0.0.1:${host.port}/app${i}/`)
    if ((await answer.text()) === 'hello') times.push(performance.now() - begun)
  }
  return times.sort((a, b) => a - b)
}

promise(
  'I01',
  'a folder full of apps: those that nobody asks for have no process, and wake for a request',
  async () => {
    const place = await makePlace()
    const options = await settingsOf(place, { idle: '5s' })
    const tree = npmTree('express5', 'express')
    const code = "module.exports = require('express')().get('/', (req, res) => res.send('hello'))"
    const workshop = await tmpDir()
    for (let i = 0; i < APPS; i++) {
      const files = { ...tree, 'app.js': code, 'number.txt': String(i) }
      const file = await makeArchive(workshop, { name: `app${i}`, entry: { type: 'node', module: 'app.js' } }, files)
      await rename(file, join(place.apps, `app${i}.zapp`))
    }
    const measure = async () => {
      const begun = performance.now()
      return withHost(
        place,
        async (host) => {
          const start = performance.now() - begun
          const awake = (await host.apps()).filter(({ state }) => state !== 'sleeping').length
          const [processes, memory] = [host.processes.length, residentMiB(host.pid)]
          const times = await wake(host)
          await until(() => host.processes.length <= processes)
          return { start, awake, memory, times }
        },
        options,
      )
    }
    const [fresh, again] = [await measure(), await measure()]
    const median = ({ times }: { times: readonly number[] }) => times[Math.floor(times.length / 2)] ?? Number.NaN
    return [
      tried(`${APPS} Express apps, ${WOKEN} of them asked, twice; asleep again after 5 s`),
      none('awake without a request', fresh.awake + again.awake),
      none('failed', 2 * WOKEN - fresh.times.length - again.times.length),
      atMost('first start', fresh.start, 1000 + 45 * APPS, ' ms'),
      atMost('start', again.start, 1000 + 10 * APPS, ' ms'),
      atMost('resident', again.memory, 256, ' MiB'),
      atMost('first answer, nothing unpacked', median(fresh), 500, ' ms'),
      atMost('first answer', median(again), 500, ' ms'),
      atMost('at worst', again.times.at(-1) ?? Number.NaN, 500, ' ms'),
    ]
  },
)

promise('I02', 'a request that comes in the moment of falling asleep is not lost', async () => {
  const idleMs = 60
  const place = await makePlace()
  const options = await settingsOf(place, { idle: `${idleMs}ms` })
  for (const name of ['a', 'b']) await putApp(place.apps, 'node', name, 'v1')
  const requests = sized(15, 300)
  let failed = 0
  const pids = new Set<string>()
  await withHost(
    place,
    async ({ port }) => {
      const load = async (mount: string) => {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 })
        for (let i = 0; i < requests; i++) {
          // Not one that a client would repeat by itself.
          const asked = request({ port, host: '127.0.0.1', path: `${mount}/`, method: 'POST', agent })
          asked.end('body')
          try {
            const [answer] = (await once(asked, 'response')) as [IncomingMessage]
            const got = await text(answer)
            if (answer.statusCode !== 200) failed++
            pids.add(got)
          } catch {
            failed++
          }
          await sleep(idleMs - 6 + Math.random() * 12)
        }
        agent.destroy()
      }
      await Promise.all(['/a', '/b'].map(load))
    },
    options,
  )
  return [none('failed', failed, 2 * requests), atLeast('processes in turn', pids.size, requests / 4)]
})
