import { copyFileSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { cli } from '../cli/helper.ts'
import { startLoad } from '../host/load.ts'
import { home, makeApp, moveIn } from './apps.ts'
import { type HostProcess, makePlace, withHost } from './host-process.ts'
import { promise } from './promise.ts'
import { none, tried } from './promise-line.ts'
import { until } from './until.ts'

/*
 * The console shows what the admin API tells of each app (test/interop/console.test.ts).
 */

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
    const shown = await reasonsAt(host)
    const codes = fixtures.map((name) => name.split('--')[0])
    const missing = Object.entries(shown).map(([where, codeOf]) => {
      const wrong = fixtures.filter((_, i) => codeOf(`/app${i}`) !== codes[i])
      for (const name of wrong.slice(0, 5)) console.error(where, name, codeOf(`/app${fixtures.indexOf(name)}`))
      return none(`codes missing ${where}`, wrong.length, fixtures.length)
    })
    const { requests, failures } = await load.stop()
    for (const text of new Set(failures.slice(0, 10))) console.error(text)
    return [
      tried(
        `${fixtures.length} corrupt archives over as many live apps, which had started in ${Math.round(startMs)} ms`,
      ),
      answered(failures, requests),
      ...missing,
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

/** Where people look for why a file was refused, and the code that each app has there. */
async function reasonsAt(host: HostProcess): Promise<Record<string, (id: string) => string | undefined>> {
  const { apps: folder, state } = host.place
  const apps = new Map((await host.apps()).map((app) => [app.id, app]))
  const admin = ['--to', `unix:${join(state, 'admin.sock')}`, '--token-file', join(state, 'admin.token')]
  const list = (await cli(['list', ...admin])).stdout
  const page = (await (await fetch(`http://127.0.0.1:${host.port}/`)).text()).split('<li>')
  return {
    'in the admin API': (id) => (apps.get(id)?.state === 'degraded' ? apps.get(id)?.error?.code : undefined),
    'in zapp list': (id) => new RegExp(`^degraded +${id} .*\n +(\\w+) `, 'm').exec(list)?.[1],
    'on the page at /': (id) => {
      const item = page.find((text) => text.includes(`<code>${id}/</code>`))
      return /failed: (\w+)/.exec(item ?? '')?.[1]
    },
    'in the file .failed': (id) => {
      const file = join(folder, `${id.slice(1)}.zapp.failed`)
      // A list of codes where there is more than one thing wrong: the first is the app's.
      return /^(\w+)/.exec(readFileSync(file, 'utf8'))?.[1]
    },
  }
}
