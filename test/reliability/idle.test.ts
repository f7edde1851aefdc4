import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { residentMiB } from '../helpers/processes.ts'
import { makeApp } from './apps.ts'
import { makePlace, withHost } from './host-process.ts'
import { promise } from './promise.ts'
import { atMost, holds, none, tried } from './promise-line.ts'
import { sized } from './size.ts'
import { until } from './until.ts'

/*
 * Many apps that are hardly ever asked: what they cost, and how long the first request takes.
 */

const APPS = sized(20, 200)
/** Woken one after the other; each answer is that of a process that had to be started. */
const WOKEN = sized(5, 20)

promise(
  'I01',
  `${APPS} apps with code in a folder: asleep none has a process, and each wakes for its request`,
  async () => {
    const place = await makePlace()
    const settings = join(place.apps, '../zapp.host.json')
    await writeFile(settings, JSON.stringify({ idle: '10s' }))
    const app = await makeApp('express', 'shop', 'v1')
    for (let i = 0; i < APPS; i++) await copyFile(app, join(place.apps, `app${i}.zapp`))
    const options = { args: ['--settings', settings] }
    const started: number[] = []
    const readings: { processes: number; memory: number; first: number[] }[] = []
    for (let start = 0; start < 2; start++) {
      const begun = performance.now()
      await withHost(
        place,
        async (host) => {
          started.push(performance.now() - begun)
          const asleep = (await host.apps()).filter(({ state }) => state === 'sleeping')
          const reading = { processes: host.processes.length, memory: residentMiB(host.pid), first: [] as number[] }
          if (asleep.length < APPS) throw new Error(`${asleep.length} of ${APPS} apps sleep`)
          for (let i = 0; i < WOKEN; i++) {
            const asked = performance.now()
            const answer = await fetch(`http://127.0.0.1:${host.port}/app${i}/`)
            await answer.text()
            if (answer.ok) reading.first.push(performance.now() - asked)
          }
          readings.push(reading)
          if (start === 1) await until(() => host.processes.length === 0, 60_000)
        },
        options,
      )
    }
    const [fresh, again] = readings
    const first = (all: readonly number[] = []) => [...all].sort((a, b) => a - b)
    const median = (all: readonly number[]) => all[Math.floor(all.length / 2)] ?? Number.POSITIVE_INFINITY
    return [
      tried(`${APPS} Express apps, ${WOKEN} of them asked`),
      atMost('start with an empty store', started[0] ?? 0, 100 * APPS, ' ms'),
      atMost('start again', started[1] ?? 0, 50 * APPS, ' ms'),
      none('processes of apps that sleep', (fresh?.processes ?? 0) + (again?.processes ?? 0)),
      atMost('memory of the host', again?.memory ?? 0, 250, ' MiB'),
      none('failed', 2 * WOKEN - (fresh?.first.length ?? 0) - (again?.first.length ?? 0)),
      atMost('first answer, nothing unpacked: median', median(first(fresh?.first)), 500, ' ms'),
      atMost('first answer after a restart: median', median(first(again?.first)), 500, ' ms'),
      atMost('the slowest', Math.max(...(again?.first ?? [])), 500, ' ms'),
      holds('asleep again after 10 s', true),
    ]
  },
)
