import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { createLimiter } from '../../src/host/limiter.ts'
import { startLoad } from '../host/load.ts'
import { home, putApp } from './apps.ts'
import { type HostProcess, makePlace, withHost } from './host-process.ts'
import { heavy, mutants, rejected } from './hostile-archives.ts'
import { makeProbe } from './probe.ts'
import { promise } from './promise.ts'
import { atMost, none, number, tried } from './promise-line.ts'
import { sized } from './size.ts'

/** Of 10^6 that the promise speaks of, what an hour has room for: each is sent, stored, judged by a process, and told of. */
const MUTANTS = sized(2000, 200_000)
/** As an upload comes from four builds at once. */
const AT_ONCE = 4

/** Of the event loop, in ms, since it was asked before. */
interface Delays {
  readonly p99: number
  readonly max: number
}

promise('R18', 'a hostile archive cannot hurt the host: it is judged beside it, within bounds', async () => {
  const place = await makePlace()
  const probe = makeProbe<Delays>(place, 'loop-probe.mjs')
  await putApp(place.apps, 'node', 'code', 'v1')
  await putApp(place.apps, 'page', 'page', 'v1')
  return withHost(
    place,
    async (host) => {
      const load = startLoad(host.port, [[{ ...home('/code'), pauseMs: 2 }], [{ ...home('/page'), pauseMs: 2 }]])
      await probe.ask(host)

      let accepted = 0
      const send = async (bytes: Buffer) => {
        if ((await upload(host, bytes)) < 300) accepted++
      }
      const fixtures = rejected()
      for (const bytes of fixtures) await send(bytes)
      const wronglyAccepted = accepted
      const limit = createLimiter(AT_ONCE)
      const source = mutants()
      for (let left = MUTANTS; left > 0; left -= 1000) {
        const some = Array.from({ length: Math.min(left, 1000) }, () => source.next().value as Buffer)
        await Promise.all(some.map((bytes) => limit(() => send(bytes))))
      }
      const small = await probe.ask(host)
      const large: [string, Delays][] = []
      for (const [what, bytes] of await heavy(sized(20_000, 65_000))) {
        await send(bytes)
        large.push([what, await probe.ask(host)])
      }
      const { requests, failures } = await load.stop()
      for (const line of failures.slice(0, 10)) console.error(line)
      const worst = Math.max(...large.map(([, { p99 }]) => p99))
      const longest = large.map(([what, { max }]) => `${what} ${Math.round(max)} ms`).join(', ')
      return [
        tried(
          `${fixtures.length} rejected fixtures, ${number(MUTANTS)} mutants (${accepted} accepted), ${large.length} heavy ones`,
        ),
        none('rejected fixtures accepted', wronglyAccepted, fixtures.length),
        none('host exits', host.child.exitCode === null && host.child.signalCode === null ? 0 : 1),
        none('failed requests of other apps', failures.length, requests),
        atMost('event-loop delay p99, small ones', small.p99, 50, ' ms'),
        atMost('event-loop delay p99, heavy ones', worst, 50, ' ms'),
        tried(`longest delay: small ones ${Math.round(small.max)} ms, ${longest}`),
      ]
    },
    probe.options,
  )
})

/** @returns the status, 0 where the host breaks off. All go to one path: what is accepted takes the place of what was before */
async function upload(host: HostProcess, bytes: Buffer): Promise<number> {
  const token = readFileSync(join(host.place.state, 'admin.token'), 'utf8').trim()
  return new Promise((resolve) => {
    const asked = request({
      ...{ socketPath: join(host.place.state, 'admin.sock'), method: 'POST', path: '/api/apps?path=/hostile' },
      headers: { Authorization: `Bearer ${token}`, 'Content-Length': bytes.length },
    })
    asked.once(
      'response',
      (answer) =>
        void text(answer).then(
          () => resolve(answer.statusCode ?? 0),
          () => resolve(0),
        ),
    )
    asked.on('error', () => resolve(0))
    asked.end(bytes)
  })
}
