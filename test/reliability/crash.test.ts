import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRunning } from '../helpers/processes.ts'
import { startLoad } from '../host/load.ts'
import { Talk } from '../host/raw.ts'
import { home, makeApp, moveIn, putApp } from './apps.ts'
import { askOnce, get } from './ask-once.ts'
import { HostProcess, makePlace, withHost } from './host-process.ts'
import { promise } from './promise.ts'
import { atMost, holds, none, tried } from './promise-line.ts'
import { sized } from './size.ts'
import { treeSizes } from './trees.ts'
import { msUntil, until } from './until.ts'

promise('R09', 'a process that crashes harms nobody but those that it held', async () => {
  const place = await makePlace()
  for (const name of ['dies', 'lives']) await putApp(place.apps, 'node', name, 'v1')
  return withHost(place, async (host) => {
    const load = startLoad(host.port, [[home('/lives')], [home('/lives')]])
    const answers = new Map<number, number>()
    let asking = true
    // A connection that has been at two apps belongs to no process: requests on it are passed on.
    const strangers = Array.from({ length: 4 }, async () => {
      const talk = await Talk.open(host.port)
      await talk.ask(get('/lives/'))
      while (asking) {
        const { status } = await talk.ask(get('/dies/'))
        answers.set(status, (answers.get(status) ?? 0) + 1)
        if (status === 0) return
        await sleep(20)
      }
      talk.socket.destroy()
    })
    const kill = async () => {
      const [pid] = (await host.app('/dies')).pids
      if (pid !== undefined) process.kill(pid, 'SIGKILL')
      return pid !== undefined
    }
    const isBack = async () => (await askOnce(host.port, '/dies/')).status === 200

    // Five deaths are too many: four are mended, each after a pause.
    let recovery = 0
    for (const pause of [100, 200, 400, 800]) {
      await until(kill)
      recovery = Math.max(recovery, (await msUntil(isBack, 10_000)) - pause)
    }
    // Then every 200 ms, whenever there is one.
    const begun = performance.now()
    let kills = 0
    while (performance.now() - begun < sized(8000, 60_000)) {
      if (await kill()) kills++
      await sleep(200)
    }
    const gaveUp = await askOnce(host.port, '/dies/')
    const { state } = await host.app('/dies')
    asking = false
    await Promise.all(strangers)
    const { requests, failures } = await load.stop()
    const lost = answers.get(0) ?? 0
    const of = [...answers.values()].reduce((sum, count) => sum + count, 0)
    const others = [...answers].filter(([status]) => ![0, 200, 502, 503].includes(status)).length
    return [
      none('failed requests to the app beside it', failures.length, requests),
      none('connections that it did not hold and that were cut', lost, of),
      none('other answers than 200, 502 and 503', others),
      tried([...answers].map(([status, count]) => `${count} × ${status}`).join(', ')),
      atMost('answering again after the pause of the back-off in', recovery, 1000, ' ms'),
      atMost('kills that found a process afterwards:', kills, sized(1, 6)),
      holds(`then it is ${state}: 503 with Retry-After`, gaveUp.status === 503 && 'retry-after' in gaveUp.headers),
    ]
  })
})

promise('R10', 'a host that is killed loses nothing, and leaves nothing behind', async () => {
  const place = await makePlace()
  const times = sized(4, 200)
  await putApp(place.apps, 'express', 'app', 'v0')
  let host = await HostProcess.start(place)
  const version = async () => (await askOnce(host.port, '/app/')).headers['x-version']
  const [whole = 0] = treeSizes(place)
  let [neither, orphans, late, partial] = [0, 0, 0, 0]
  try {
    for (let i = 1; i <= times; i++) {
      await moveIn(await makeApp('express', 'app', `v${i}`), place.apps, 'app')
      // The file has to be quiet for 300 ms; then it is copied, checked, unpacked, started and switched to.
      await sleep(Math.random() * 1500)
      const processes = host.processes
      host.kill('SIGKILL')
      await host.exited
      await until(() => !processes.some(isRunning), 5000).catch(() => {
        orphans += processes.filter(isRunning).length
      })
      partial += treeSizes(place).filter((size) => size !== whole).length
      host = await HostProcess.start(place)
      if (![`v${i}`, `v${i - 1}`].includes((await version()) ?? '')) neither++
      // The next kill finds it there.
      const isNew = async () => (await version()) === `v${i}`
      if ((await msUntil(isNew, 15_000)) === Number.POSITIVE_INFINITY) late++
    }
  } finally {
    await host.stop()
  }
  return [
    tried(`killed at ${times} random moments of a deploy`),
    none('starts that served neither the old nor the new version', neither, times),
    none('that did not come to the new version', late, times),
    none('orphans', orphans),
    none('partial trees', partial),
    none('stale sockets and temporary folders', readdirSync(place.temporary).length),
    none('drafts in the store', readdirSync(join(place.state, 'store/drafts')).length),
  ]
})
