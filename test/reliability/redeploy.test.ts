import { startLoad, type Task } from '../host/load.ts'
import { BIG, download, flaskTree, home, type Kind, makeApp, moveIn, pageAndAsset, putApp, upload } from './apps.ts'
import { makePlace, withHost } from './host-process.ts'
import { promise } from './promise.ts'
import { atLeast, exactly, none, number, tried } from './promise-line.ts'
import { sized } from './size.ts'
import { msUntil, until } from './until.ts'

const KINDS: readonly Kind[] = ['express', 'wsgi', 'site', 'cgi']
const REDEPLOYS = sized(12, 100)
const RATE = 2000
const RESPONSES = 1_000_000

interface Run {
  readonly requests: number
  readonly seconds: number
  readonly failures: readonly string[]
  readonly switches: number
  readonly mixed: number
  /** Of 10 MB. */
  readonly transfers: number
}

let run: Promise<Run> | undefined

/** Four apps, each redeployed in turn by a new file in the folder, under load: two promises are measured by it. */
async function redeployUnderLoad(): Promise<Run> {
  const place = await makePlace()
  for (const kind of KINDS) await putApp(place.apps, kind, kind, 'v0')
  return withHost(place, async (host) => {
    const twice = <T>(one: T): T[] => [one, one]
    let transfers = 0
    const big = ({ check, ...task }: Task): Task => ({
      ...task,
      check(answer) {
        transfers++
        return check(answer)
      },
    })
    const many = <T>(one: T): T[] => Array.from({ length: 50 }, () => one)
    const load = startLoad(host.port, [
      ...[...twice(home('/express')), ...twice(upload('/express', 1000))].map((task) => [task]),
      ...[pageAndAsset('/express'), pageAndAsset('/site'), [home('/site')], [home('/site')]],
      ...[[home('/wsgi')], [home('/wsgi'), upload('/wsgi', 1000)], [home('/cgi'), upload('/cgi', 1000)]],
      // Of two apps in turn, on one connection.
      [home('/express'), home('/site'), home('/wsgi'), upload('/express', 1000)],
      [big(download('/express/big')), ...many(home('/express')), big(upload('/express', BIG)), ...many(home('/site'))],
      [big(download('/site/big.bin')), ...many(home('/wsgi')), big(upload('/wsgi', BIG)), ...many(home('/site'))],
      [big(download('/wsgi/big')), ...many(home('/site')), big(upload('/cgi', BIG)), ...many(home('/express'))],
      [big(download('/cgi/big')), ...many(upload('/express', 1000)), ...many(home('/site'))],
    ])
    const start = host.switches()
    for (let round = 1; round <= REDEPLOYS / KINDS.length; round++) {
      const before = host.switches()
      const made = await Promise.all(KINDS.map((kind) => makeApp(kind, kind, `v${round}`)))
      await Promise.all(KINDS.map((kind, i) => moveIn(made[i]!, place.apps, kind)))
      await until(() => host.switches() === before + KINDS.length, 240_000)
    }
    await msUntil(() => load.requests >= sized(0, RESPONSES), 900_000)
    const { requests, seconds, failures } = await load.stop()
    const switches = host.switches() - start
    const mixed = failures.filter((text) => text.includes('MIXED')).length
    for (const text of new Set(failures.slice(0, 20))) console.error(text)
    return { requests, seconds, failures, switches, mixed, transfers }
  })
}

promise('R05', 'a redeploy drops no request', async (notRun) => {
  run ??= redeployUnderLoad()
  const { requests, seconds, failures, switches, transfers } = await run
  if (!flaskTree()) notRun('Flask, which this machine does not have: a plain WSGI app instead')
  const rate = requests / seconds
  return [
    none('failed requests', failures.length, requests),
    exactly('redeploys of Express, Flask, static and CGI apps:', switches, REDEPLOYS),
    tried(`${number(transfers)} transfers of 10 MB, up and down`),
    // What a small machine can do in its spare time is not the promise: the rate is judged at full size.
    sized(tried(`at ${number(rate)} requests/s`), atLeast('requests/s', rate, RATE)),
  ]
})

promise('R06', 'each answer is of one version, and a page finds its hashed files', async () => {
  run ??= redeployUnderLoad()
  const { requests, mixed, failures } = await run
  const lost = failures.filter((text) => text.includes('for the page')).length
  return [
    none('answers of two versions', mixed, requests),
    none('hashed files not found', lost),
    sized(tried(`${number(requests)} answers`), atLeast('answers', requests, RESPONSES)),
  ]
})
