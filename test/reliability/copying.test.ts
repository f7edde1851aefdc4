import { execFileSync, spawnSync } from 'node:child_process'
import { copyFile, open, readFile, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startLoad } from '../host/load.ts'
import { home, makeApp, moveIn, putApp } from './apps.ts'
import { type HostProcess, makePlace, withHost } from './host-process.ts'
import { promise } from './promise.ts'
import { atMost, exactly, type Figure, none, number, tried } from './promise-line.ts'
import { sized } from './size.ts'
import { msUntil, until } from './until.ts'

const KIB = 1024

type Write = (bytes: Buffer, target: string) => Promise<void>

/** Every way writes 1 KiB each 20 ms; the last one rests halfway for longer than the host waits for quiet. */
const SLOW_WRITES: Record<string, Write> = {
  growing: (bytes, target) => writeSlowly(target, pieces(bytes)),
  'filled with zeros first': async (bytes, target) => {
    await writeFile(target, Buffer.alloc(bytes.length))
    await writeSlowly(target, pieces(bytes), 'r+')
  },
  'out of order': async (bytes, target) => {
    await truncate(target, 0)
    await writeSlowly(target, pieces(bytes).reverse(), 'r+')
  },
  resting: (bytes, target) => writeSlowly(target, pieces(bytes), 'w', 800),
}

function pieces(bytes: Buffer): { at: number; piece: Buffer }[] {
  return Array.from({ length: Math.ceil(bytes.length / KIB) }, (_, i) => {
    return { at: i * KIB, piece: bytes.subarray(i * KIB, (i + 1) * KIB) }
  })
}

async function writeSlowly(target: string, parts: { at: number; piece: Buffer }[], flags = 'w', restMs = 0) {
  const file = await open(target, flags)
  for (const [i, { at, piece }] of parts.entries()) {
    await file.write(piece, 0, piece.length, at)
    await sleep(i === parts.length >> 1 ? Math.max(restMs, 20) : 20)
  }
  await file.close()
}

/** So that its archive is written in some twenty pieces. */
const padding = () => ({ 'x-padding': crypto.getRandomValues(Buffer.alloc(9 * KIB)).toString('hex') })

promise('R01', 'a half-copied file never goes live and never harms the version that runs', async () => {
  const names = Object.keys(SLOW_WRITES).flatMap((way) => sized([way], [way, way, way, way, way]))
  const rounds = sized(1, 10)
  const place = await makePlace()
  for (const i of names.keys()) await putApp(place.apps, 'node', `app${i}`, 'v0')
  return withHost(place, async (host) => {
    const load = startLoad(host.port, [...names.keys()].map((i) => [home(`/app${i}`)]).slice(0, 8))
    const before = host.switches()
    let wrong = 0
    await Promise.all(
      names.map(async (way, i) => {
        for (let round = 1; round <= rounds; round++) {
          const version = `v${round}`
          const bytes = await readFile(await makeApp('node', `app${i}`, version, padding()))
          await SLOW_WRITES[way]!(bytes, join(place.apps, `app${i}.zapp`))
          await until(async () => (await bodyOf(host, `/app${i}/`)).startsWith(`${version} `))
          // It tells that a moment later.
          await until(() => host.switches(`/app${i}`) > round)
          if (host.switches(`/app${i}`) !== 1 + round) wrong++
        }
      }),
    )
    const { requests, failures } = await load.stop()
    for (const text of new Set(failures.slice(0, 10))) console.error(text)
    return [
      none('failed requests', failures.length, requests),
      exactly('switches:', host.switches() - before, names.length * rounds),
      none('copies with another number of switches than one', wrong, names.length * rounds),
      tried(`halves that the host read and refused: ${host.told('failed')}`),
    ]
  })
})

async function bodyOf({ port }: HostProcess, path: string): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}${path}`)).text()
}

const WAYS: Record<string, Write> = {
  cp: async (bytes, target) => void execFileSync('cp', [await beside(bytes, target), target]),
  mv: async (bytes, target) => rename(await beside(bytes, target), target),
  rsync: async (bytes, target) => void execFileSync('rsync', [await beside(bytes, target), target]),
  'rsync --inplace': async (bytes, target) => {
    execFileSync('rsync', ['--inplace', await beside(bytes, target), target])
  },
  'editor (old one moved aside)': async (bytes, target) => {
    await rename(target, `${target}~`)
    await writeFile(target, bytes)
    await rm(`${target}~`)
  },
  'editor (temporary file, then renamed)': async (bytes, target) => {
    await writeFile(`${target}.tmp`, bytes)
    await rename(`${target}.tmp`, target)
  },
  'truncated, then written': async (bytes, target) => {
    await truncate(target, 0)
    await sleep(100)
    await writeFile(target, bytes)
  },
}

async function beside(bytes: Buffer, target: string): Promise<string> {
  const file = join(target, '../../tmp', 'upload.bin')
  await writeFile(file, bytes)
  return file
}

promise('R02', 'it does not matter how a file is copied', async (notRun) => {
  const place = await makePlace()
  const target = await putApp(place.apps, 'node', 'app', 'v0')
  return withHost(place, async (host) => {
    // Some 300 requests/s: a machine that is saturated takes long for anything.
    const asked = { ...home('/app'), pauseMs: 5 }
    const load = startLoad(host.port, [[asked], [asked]])
    const figures: Figure[] = []
    const noticed: number[] = []
    let round = 0
    for (const [way, write] of Object.entries(WAYS)) {
      if (way.startsWith('rsync') && spawnSync('rsync', ['--version']).error) {
        notRun(`${way}, which this machine does not have`)
        continue
      }
      let worst = 0
      for (let i = 0; i < sized(1, 5); i++) {
        const version = `v${++round}`
        await write(await readFile(await makeApp('node', 'app', version, padding())), target)
        const ms = await msUntil(async () => (await bodyOf(host, '/app/')).startsWith(`${version} `), 30_000)
        worst = Math.max(worst, ms)
        await until(() => host.switches('/app') > round)
        noticed.push(ms - lastStart(host))
      }
      figures.push(atMost(`${way}:`, worst, 2000, ' ms'))
    }
    const { requests, failures } = await load.stop()
    const [least, most] = [Math.min(...noticed), Math.max(...noticed)].map(number)
    return [
      none('failed requests', failures.length, requests),
      ...figures,
      tried(`of that ${least} to ${most} ms until its start began: 300 ms of rest, then copied and hashed`),
    ]
  })
})

/** How long the version that went live last took for it, ms. */
function lastStart({ lines }: HostProcess): number {
  const line = lines.findLast((text) => text.startsWith('live ')) ?? ''
  const [, count = '', unit] = /in ([0-9.]+) (ms|s)$/.exec(line) ?? []
  return Number(count) * (unit === 's' ? 1000 : 1)
}

promise('R15', 'a file that is gone for a moment takes nothing down, one that stays away does', async () => {
  const place = await makePlace()
  const target = await putApp(place.apps, 'node', 'app', 'v1')
  return withHost(place, async (host) => {
    const bytes = await readFile(target)
    const [pid] = (await host.app('/app')).pids
    const load = startLoad(host.port, [[home('/app')], [home('/app')]])
    const times = sized(10, 100)
    for (let i = 0; i < times; i++) {
      await rm(target)
      await sleep(Math.random() * 200)
      await writeFile(target, bytes)
      await sleep(Math.random() * 400)
    }
    // Long enough for all that was seen to be acted on.
    await sleep(1500)
    const { requests, failures } = await load.stop()
    const after = await host.app('/app')
    const [removed, switches] = [host.told('removed'), host.switches('/app')]
    await rm(target)
    const ms = await msUntil(() => host.told('removed', '/app') === 1, 30_000)
    return [
      none('undeploys', removed, times),
      none('restarts', switches - 1 + (after.pids[0] === pid ? 0 : 1)),
      none('failed requests', failures.length, requests),
      tried(`deleted for good: gone after ${Math.round(ms)} ms`),
      exactly('undeploys by that:', host.told('removed', '/app'), 1),
    ]
  })
})

/** Writes to a file as no system tells its watchers: through memory that it is mapped to. */
const UNSEEN = `
import mmap, sys
with open(sys.argv[1], "r+b") as target, open(sys.argv[2], "rb") as source:
    view = mmap.mmap(target.fileno(), 0)
    view[:] = source.read()
    view.flush()
`

promise('R17', 'dates and missed events decide nothing, content does', async () => {
  const place = await makePlace()
  const target = await moveIn(await makeApp('node', 'app', 'v0', someText()), place.apps, 'app')
  return withHost(place, async (host) => {
    const [figures, { size, atime, mtime }] = [[], await stat(target)] as [
      ReturnType<typeof tried>[],
      Awaited<ReturnType<typeof stat>>,
    ]
    const load = startLoad(host.port, [[home('/app')]])
    const [pid] = (await host.app('/app')).pids

    await sleep(1500)
    await utimes(target, new Date(), new Date())
    await sleep(sized(3000, 12_000))
    const touched = await host.app('/app')
    figures.push(none('restarts by a touch', host.switches('/app') - 1 + (touched.pids[0] === pid ? 0 : 1)))

    const same = await ofSize('v1', Number(size))
    await copyFile(same, target)
    await utimes(target, atime, mtime)
    const bySame = await msUntil(async () => (await bodyOf(host, '/app/')).startsWith('v1 '), 30_000)
    figures.push(atMost('other bytes of the same size and date: deployed after', bySame, 10_000, ' ms'))

    await sleep(1500)
    execFileSync('python3', ['-c', UNSEEN, target, await ofSize('v2', Number(size))])
    const unseen = await msUntil(async () => (await bodyOf(host, '/app/')).startsWith('v2 '), 30_000)
    figures.push(atMost('a change that no watcher is told: deployed after', unseen, 10_000, ' ms'))

    const { requests, failures } = await load.stop()
    return [...figures, none('failed requests', failures.length, requests)]
  })
})

/** A version whose archive has a given size: that of the manifest, compressed, differs by what it says. */
async function ofSize(version: string, size: number): Promise<string> {
  for (let i = 0; i < 1000; i++) {
    const file = await makeApp('node', 'app', version, someText())
    if ((await stat(file)).size === size) return file
  }
  throw new Error(`no archive of ${size} bytes`)
}

const someText = () => ({ 'x-padding': crypto.randomUUID() })
