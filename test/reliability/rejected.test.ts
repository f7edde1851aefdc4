import { copyFileSync, existsSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { startLoad } from '../host/load.ts'
import { home, makeApp, moveIn } from './apps.ts'
import { makePlace, withHost } from './host-process.ts'
import { promise } from './promise.ts'
import { none, tried } from './promise-line.ts'
import { until } from './until.ts'

const REJECTED = join(import.meta.dirname, '../../fixtures/rejected')

promise('R03', 'a corrupt archive over a good one: the old one serves on, and the reason is shown', async () => {
  const place = await makePlace()
  const fixtures = readdirSync(REJECTED).filter((name) => name.endsWith('.zapp'))
  const mounts = fixtures.map((_, i) => `/app${i}`)
  // One in 25 is a program: processes cost more than what is measured here.
  for (const [i] of fixtures.entries()) {
    await moveIn(await makeApp(i % 25 === 0 ? 'node' : 'page', `app${i}`, 'v1'), place.apps, `app${i}`)
  }
  const begun = performance.now()
  const answered = (failures: readonly string[], requests: number) => none('failed requests', failures.length, requests)
  const everyone = Array.from({ length: 4 }, (_, i) => mounts.filter((_, at) => at % 4 === i).map(home))

  const during = await withHost(place, async (host) => {
    const startMs = performance.now() - begun
    const load = startLoad(host.port, everyone)
    for (const [i, name] of fixtures.entries()) {
      const beside = join(place.temporary, name)
      copyFileSync(join(REJECTED, name), beside)
      renameSync(beside, join(place.apps, `app${i}.zapp`))
    }
    const judged = async () => (await host.apps()).filter(({ error }) => error).length === fixtures.length
    await until(judged, 60_000).catch(() => {})
    const apps = new Map((await host.apps()).map((app) => [app.id, app]))
    const misnamed = fixtures.filter((name, i) => {
      const app = apps.get(mounts[i]!)
      return app?.state !== 'degraded' || app.error?.code !== name.split('--')[0]
    })
    for (const name of misnamed) console.error(name, apps.get(mounts[fixtures.indexOf(name)]!)?.error)
    const untold = fixtures.filter((_, i) => !existsSync(join(place.apps, `app${i}.zapp.failed`)))
    const { requests, failures } = await load.stop()
    for (const text of new Set(failures.slice(0, 10))) console.error(text)
    return [
      tried(
        `${fixtures.length} corrupt archives over as many live apps, which had started in ${Math.round(startMs)} ms`,
      ),
      answered(failures, requests),
      none('apps whose status does not name the code', misnamed.length, fixtures.length),
      none('missing .failed files', untold.length, fixtures.length),
    ]
  })

  const after = await withHost(place, async (host) => {
    const apps = await host.apps()
    const load = startLoad(host.port, everyone)
    await until(() => load.requests >= fixtures.length * 2)
    const { requests, failures } = await load.stop()
    return [
      none(
        'apps that do not serve the old version after a restart',
        apps.filter(({ state }) => state !== 'degraded').length,
      ),
      answered(failures, requests),
    ]
  })
  return [...during, ...after]
})
