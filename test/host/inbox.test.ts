import { execFile } from 'node:child_process'
import { copyFile, open, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { ZappError } from '../../src/errors.ts'
import { watchApps } from '../../src/host/watch.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { folderOf, putArchive, type Served, start } from './helper.ts'

const ROOT = join(import.meta.dirname, '../..')
const run = promisify(execFile)

/** A static site: quick to start, so that a test can deploy many. All texts have one length. */
const site = (text: string) =>
  [{ name: 'site', version: '1.0.0', routes: { '/': { static: 'public' } } }, { 'public/index.html': text }] as const
const next = async (text: string) => putArchive(join(await tmpDir(), 'next.zapp'), ...site(text))

async function inbox() {
  const dir = await folderOf({ 'site.zapp': site('old') })
  const served = await start(dir, { state: join(await tmpDir(), 'state') })
  return { dir, file: join(dir, 'site.zapp'), served }
}

async function becomes({ text }: Served, expected: string): Promise<void> {
  await expect.poll(() => text('/site/'), { timeout: 15_000, interval: 20 }).toBe(expected)
}

/** Asks all the time. @returns ends that, and gives what was not 200 */
function keepAsking({ get }: Served): () => Promise<unknown[]> {
  let going = true
  const bad: unknown[] = []
  const done = (async () => {
    while (going) {
      const answer = await get('/site/').catch((error: Error) => error)
      if (!('status' in answer)) bad.push(answer)
      else if (answer.status !== 200) bad.push([answer.status, await answer.text()])
      else await answer.text()
      await new Promise(setImmediate)
    }
  })()
  return async () => {
    going = false
    await done
    return bad
  }
}

/** Another archive that is as long. */
async function sameSize(size: number): Promise<{ file: string; text: string }> {
  for (let i = 0; ; i++) {
    const text = String(i).padStart(3, '0')
    const file = await next(text)
    if ((await stat(file)).size === size) return { file, text }
  }
}

const deployed = ({ events }: Served) => events.filter(({ type }) => type === 'live').length

describe('a watched folder', () => {
  it('takes a file however it is copied (R02)', async () => {
    const { file, served } = await inbox()
    const stop = keepAsking(served)
    const ways: Record<string, (from: string) => Promise<unknown>> = {
      cp: (from) => copyFile(from, file),
      mv: (from) => rename(from, file),
      rsync: (from) => run('rsync', [from, file]),
      'rsync --inplace': (from) => run('rsync', ['--inplace', from, file]),
      async editor(from) {
        await rename(file, `${file}~`)
        await copyFile(from, file)
        await rm(`${file}~`)
      },
      async truncate(from) {
        const target = await open(file, 'w')
        await target.truncate(0)
        await target.write(await readFile(from))
        await target.close()
      },
    }
    for (const [way, copy] of Object.entries(ways)) {
      await copy(await next(way))
      await becomes(served, way)
    }
    expect(await stop()).toEqual([])
    await expect.poll(() => deployed(served)).toBe(1 + Object.keys(ways).length)
  })

  it('is not harmed by a half-copied file, in whatever order it is written (R01)', async () => {
    const { file, served } = await inbox()
    const stop = keepAsking(served)
    const bytes = await readFile(await next('x'.repeat(20_000)))
    for (const [i, order] of (['forward', 'backward'] as const).entries()) {
      const whole = i === 0 ? bytes : await readFile(await next('y'.repeat(20_000)))
      const target = await open(file, 'w')
      await target.truncate(whole.length)
      const parts = Array.from({ length: 20 }, (_, part) => Math.floor((part * whole.length) / 20))
      for (const at of order === 'forward' ? parts : parts.reverse()) {
        const end = Math.min(at + Math.ceil(whole.length / 20), whole.length)
        await target.write(whole, at, end - at, at)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      await target.close()
      await becomes(served, (i === 0 ? 'x' : 'y').repeat(20_000))
    }
    expect(await stop()).toEqual([])
    await expect.poll(() => deployed(served)).toBe(3)
  })

  it('keeps what serves over every archive that is none, and says why (R03)', async () => {
    const { file, served } = await inbox()
    const stop = keepAsking(served)
    const folder = join(ROOT, 'fixtures/rejected')
    const codes = new Map<string, string>()
    for (const name of await readdir(folder)) {
      const code = name.split('--')[0] ?? ''
      if (name.endsWith('.zapp') && !codes.has(code)) codes.set(code, join(folder, name))
    }
    // One of each kind of layout, name, content and manifest: all of them are refused by the same calls elsewhere.
    const some = [...codes].filter((_, i) => i % 10 === 0)
    for (const [code, fixture] of some) {
      await copyFile(fixture, file)
      await expect.poll(() => served.host.app('/site').error?.code, { timeout: 10_000, interval: 20 }).toBe(code)
      expect(served.host.app('/site')).toMatchObject({ state: 'degraded', version: '1.0.0' })
      await expect.poll(() => readFile(`${file}.failed`, 'utf8').catch(() => '')).toContain(code)
    }
    expect(some.length).toBeGreaterThan(5)
    expect(await stop()).toEqual([])
    await copyFile(await next('new'), file)
    await becomes(served, 'new')
    await expect.poll(() => readdir(join(file, '..'))).toEqual(['site.zapp'])
  })

  it('undeploys what is deleted, and nothing that only flaps (R15)', async () => {
    const { file, served } = await inbox()
    const bytes = await readFile(file)
    const stop = keepAsking(served)
    for (let i = 0; i < 15; i++) {
      await rm(file)
      await new Promise((resolve) => setTimeout(resolve, 100))
      await writeFile(file, bytes)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(await stop()).toEqual([])
    expect(deployed(served)).toBe(1)
    await rm(file)
    await expect.poll(() => served.host.apps, { timeout: 10_000 }).toEqual([])
  })

  it('takes a file again that was undeployed, although its bytes are known', async () => {
    const { file, served } = await inbox()
    // The first time anything that changes makes the host look at everything.
    for (let i = 0; i < 2; i++) {
      const copy = `${file}.copy`
      await copyFile(file, copy)
      await served.host.undeploy('/site')
      await rename(copy, file)
      await becomes(served, 'old')
    }
  })

  it('goes by the bytes: the same date and size with other bytes is deployed, a new date alone is not (R17)', async () => {
    const { file, served } = await inbox()
    const date = new Date('2026-01-01T00:00:00Z')
    await utimes(file, date, date)
    const { size } = await stat(file)
    const other = await sameSize(size)
    await utimes(other.file, date, date)
    await copyFile(other.file, file)
    await utimes(file, date, date)
    expect(await stat(file)).toMatchObject({ size, mtime: date })
    await becomes(served, other.text)
    await expect.poll(() => deployed(served)).toBe(2)
  })

  it('is told of at once, before it is looked at', async () => {
    const told: string[] = []
    const dir = await tmpDir()
    const watcher = await watchApps([{ path: dir, kind: 'folder' }], {
      onStir: () => told.push('stir'),
      onChange: async (changed) => {
        told.push(...changed)
        return undefined
      },
      onError: (error) => {
        throw error
      },
    })
    const file = join(dir, 'new.zapp')
    await writeFile(file, 'one')
    await expect.poll(() => told, { timeout: 5000 }).toEqual(['stir', file])
    await watcher.close()
  })

  it('is looked at from time to time, where no event tells of a change (R17)', async () => {
    const batches: number[] = []
    const watcher = await watchApps([{ path: await tmpDir(), kind: 'folder' }], {
      onChange: async (changed) => {
        batches.push(changed.size)
        return 50
      },
      onError: (error) => {
        throw error
      },
    })
    await expect.poll(() => batches.length, { timeout: 5000 }).toBeGreaterThan(2)
    await watcher.close()
    expect(new Set(batches)).toEqual(new Set([0]))
  })

  it('rolls back at once, without a failed request (R16)', async () => {
    const { file, served } = await inbox()
    await copyFile(await next('new'), file)
    await becomes(served, 'new')
    const stop = keepAsking(served)
    await served.host.rollback('site')
    expect(await served.text('/site/')).toBe('old')
    expect(await stop()).toEqual([])
  })

  it('still gives the hashed files of the version before', async () => {
    const routes = { '/': { static: 'public' }, '/assets/*': { static: 'public/assets', cache: 'immutable' } }
    const version = (v: string) =>
      [
        { name: 'site', version: v, routes },
        {
          'public/index.html': v,
          'public/plain.txt': v,
          [`public/plain-${v}.txt`]: v,
          [`public/assets/app.${v}.js`]: v,
        },
      ] as const
    const dir = await folderOf({ 'site.zapp': version('1.0.0') })
    const served = await start(dir, { watch: true })
    await putArchive(join(dir, 'site.zapp'), ...version('2.0.0'))
    await becomes(served, '2.0.0')
    expect([await served.text('/site/assets/app.2.0.0.js'), await served.text('/site/assets/app.1.0.0.js')]).toEqual([
      '2.0.0',
      '1.0.0',
    ])
    expect((await served.get('/site/plain-1.0.0.txt')).status).toBe(404)
    expect((await served.get('/site/assets/app.0.0.0.js')).status).toBe(404)
  })
})

describe('an entry of the folder that cannot be looked at', () => {
  it('is told once, and keeps the host from nothing else; one that served goes on', async () => {
    const dir = await folderOf({ 'site.zapp': site('old') })
    // A link to itself: ELOOP, also for root.
    await symlink('loop.zapp', join(dir, 'loop.zapp'))
    const served = await start(dir, { state: join(await tmpDir(), 'state') })
    // The watcher may tell as well, in the words of the system.
    const told = () =>
      served.events.flatMap((event) =>
        event.type === 'error' && event.error instanceof ZappError ? event.error.path : [],
      )
    expect(told()).toEqual([join(dir, 'loop.zapp')])
    await rename(await next('new'), join(dir, 'site.zapp'))
    await becomes(served, 'new')

    await symlink('site.zapp', join(dir, 'link'))
    await rename(join(dir, 'link'), join(dir, 'site.zapp'))
    await expect.poll(told, { timeout: 10_000, interval: 20 }).toEqual([join(dir, 'loop.zapp'), join(dir, 'site.zapp')])
    await rename(await next('abc'), join(dir, 'other.zapp'))
    await expect.poll(async () => (await served.get('/other/')).status, { timeout: 10_000, interval: 20 }).toBe(200)
    expect(await served.text('/site/')).toBe('new')
  })
})
