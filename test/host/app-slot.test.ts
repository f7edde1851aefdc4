import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import { fail, type ZappError } from '../../src/errors.ts'
import type { Candidate } from '../../src/host/candidate.ts'
import type { Deployment } from '../../src/host/deployment.ts'
import { AppSlot } from '../../src/host/deployments/app-slot.ts'
import { openKept, type Release } from '../../src/host/deployments/release.ts'
import type { SlotContext } from '../../src/host/deployments/slot-context.ts'
import type { HostEvent } from '../../src/host/host-event.ts'
import { createLimiter } from '../../src/host/limiter.ts'
import type { Source } from '../../src/host/sources.ts'
import { StateFile } from '../../src/host/state.ts'
import { openStore } from '../../src/host/store.ts'
import { judgeArchive } from '../../src/host/validation/judge-archive.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { rejection, says } from './helper.ts'

/** A deployment that lives as long as the test says. */
interface Fake extends Deployment {
  die(error: ZappError): void
  readonly graces: number[]
  readonly version: string
}

/** A slot whose apps are fakes: what happens to processes is told, not done. */
async function makeSlot(options: Partial<SlotContext> = {}) {
  const store = await openStore({ dir: join(await tmpDir(), 'store'), judge: judgeArchive, keeps: () => true })
  const events: HostEvent[] = []
  const fakes: Fake[] = []
  const held = new Set<() => void>()
  const slot: AppSlot = new AppSlot('', '/shop', {
    store,
    state: await StateFile.open(),
    settingsOf: async () => ({ config: {} }),
    isEnabled: () => true,
    make(stored) {
      let die = (_: ZappError | undefined) => {}
      let end = () => {}
      const ended = new Promise<void>((resolve) => {
        end = resolve
      })
      const graces: number[] = []
      const { manifest } = stored
      const died = new Promise<ZappError | undefined>((resolve) => {
        die = resolve
      })
      const fake: Fake = {
        ...{ manifest, digest: stored.digest, died, pids: [], graces, version: manifest.version, die },
        start: async () => {},
        health: async () => {},
        handle: () => {},
        upgrade: () => {},
        stop(graceMs) {
          graces.push(graceMs)
          if (graces.length === 1) void stored.release()
          if (graceMs === 0) end()
          held.add(end)
          return ended
        },
      }
      fakes.push(fake)
      const commands = { migrate: async () => {}, start: () => {}, stop: async () => {}, pids: [] }
      return { deployment: fake, commands }
    },
    limit: createLimiter(4),
    log: (event) => events.push(event),
    onRoutes: () => {},
    onRemoved: () => {},
    stopping: new AbortController().signal,
    watchMs: 60_000,
    ...options,
  })
  const release = async (version: string): Promise<Release> => {
    const { digest } = await store.copy(await makeArchive(await tmpDir(), { version }, says('x')))
    return { digest, name: 'hello', version, source: '', error: undefined, open: () => openKept(digest, store) }
  }
  const deploy = async (version: string) => slot.deploy(await release(version))
  const file = async (version: string): Promise<Candidate> => {
    const path = await makeArchive(await tmpDir(), { version }, says('x'))
    const held = await store.copy(path)
    const archive = await openArchive(path)
    await archive.close()
    const { manifest } = archive
    const place = { host: '', mount: '/shop', version }
    const source = { path: 'apps/hello.zapp', kind: 'archive', stem: 'hello' } as Source
    return { source, place, manifest, digest: held.digest, hashedMs: 0, held, error: undefined, told: false }
  }
  return { slot, events, fakes, held, release, deploy, file }
}

const death = fail('APP_DIED', '', { name: 'hello', times: 5, seconds: 60, reason: 'exit code 1' })

it('a version that dies right after the switch is rolled back, and the reason kept', async () => {
  const { slot, events, fakes, deploy } = await makeSlot()
  await deploy('1.0.0')
  await deploy('2.0.0')
  fakes.at(-1)?.die(death)
  await expect.poll(() => slot.view).toMatchObject({ version: '1.0.0', state: 'degraded', error: { code: 'APP_DIED' } })
  expect(fakes.map(({ version }) => version)).toEqual(['1.0.0', '2.0.0', '1.0.0'])
  expect(events.filter(({ type }) => type === 'rolledback')).toHaveLength(1)
  expect(slot.view.versions.map(({ version, current }) => [version, current])).toEqual([
    ['2.0.0', false],
    ['1.0.0', true],
  ])
  await deploy('3.0.0')
  expect(slot.view).toMatchObject({ version: '3.0.0', state: 'live' })
  expect(slot.view.error).toBeUndefined()
  await slot.close()
})

it('one that dies later is down, and says why, until it is started', async () => {
  const { slot, events, fakes, deploy } = await makeSlot({ watchMs: 0 })
  await deploy('1.0.0')
  await deploy('2.0.0')
  fakes.at(-1)?.die(death)
  await expect.poll(() => slot.view).toMatchObject({ version: '2.0.0', state: 'failed', error: { code: 'APP_DIED' } })
  expect(slot.serving).toBeUndefined()
  expect(events.filter(({ type }) => type === 'failed')).toHaveLength(1)
  await slot.rollback()
  expect(slot.view).toMatchObject({ version: '1.0.0', state: 'live' })
  await slot.close()
})

it('a failure is told of what failed, not of the best file of the folder', async () => {
  const { slot, events, fakes, file, release, deploy } = await makeSlot({ watchMs: 0 })
  slot.candidates = [await file('1.0.0')]
  await slot.settle()
  await deploy('2.0.0')
  fakes.at(-1)?.die(death)
  const two = { name: 'hello', version: '2.0.0', source: '' }
  await expect.poll(() => slot.view).toMatchObject({ ...two, state: 'failed', error: { code: 'APP_DIED' } })
  const lost = { ...(await release('3.0.0')), open: () => Promise.reject(fail('NOT_FOUND', '', { file: 'x' })) }
  expect(await rejection(slot.deploy(lost))).toMatchObject({ code: 'NOT_FOUND' })
  const three = { ...two, version: '3.0.0' }
  expect(slot.view).toMatchObject({ ...three, state: 'failed', error: { code: 'NOT_FOUND' } })
  await slot.rollback()
  expect(slot.view).toMatchObject({ version: '1.0.0', source: 'apps/hello.zapp', state: 'live' })
  await rejection(slot.deploy(lost))
  const failures = events.flatMap((event) => (event.type === 'failed' ? [{ ...event.app, kept: event.kept }] : []))
  expect(failures).toMatchObject([two, three, { ...three, kept: true }])
  expect(slot.view.version).toBe('1.0.0')
  await slot.close()
})

it('what goes on serving beside a newer file that fails is not left out', async () => {
  const { slot, events, file } = await makeSlot()
  const serving = await file('1.0.0')
  slot.candidates = [serving]
  await slot.settle()
  const ill = fail('HEALTH_FAILED', '', { path: '/', timeout: 1, got: 500 })
  slot.candidates = [{ ...(await file('2.0.0')), error: ill }, serving]
  await slot.settle()
  expect(slot.view).toMatchObject({ version: '1.0.0', state: 'degraded', error: { code: 'HEALTH_FAILED' } })
  const types = events.map(({ type }) => type).filter((type) => type !== 'state')
  expect(types).toEqual(['live', 'failed'])
  await slot.close()
})

it('one that is stopped while it is tried again stays stopped', async () => {
  let started = Promise.resolve()
  let goOn = () => {}
  const { slot, fakes, deploy } = await makeSlot({ watchMs: 0, limit: (work) => started.then(work) })
  await deploy('1.0.0')
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    fakes[0]?.die(death)
    await vi.waitFor(() => expect(slot.view.state).toBe('failed'))
    started = new Promise((resolve) => {
      goOn = resolve
    })
    const starting = slot.start()
    const stopped = slot.stop()
    await vi.waitFor(() => expect(fakes).toHaveLength(2))
    // The next attempt is due.
    vi.advanceTimersByTime(30_000)
    goOn()
    await Promise.all([starting, stopped])
    await slot.settle()
    expect([slot.view.state, slot.record.enabled, fakes.length]).toEqual(['stopped', false, 2])
  } finally {
    vi.useRealTimers()
    await slot.close()
  }
})

it('at most two versions drain: the oldest is cut for a third', async () => {
  const { slot, fakes, deploy } = await makeSlot()
  for (const version of ['1.0.0', '2.0.0', '3.0.0', '4.0.0', '5.0.0']) await deploy(version)
  expect(slot.view.draining).toBe(2)
  const graces = () => Object.fromEntries(fakes.map(({ version, graces }) => [version, graces]))
  expect(graces()).toEqual({
    '1.0.0': [30_000, 0],
    '2.0.0': [30_000, 0],
    '3.0.0': [30_000],
    '4.0.0': [30_000],
    '5.0.0': [],
  })
  await slot.close()
})

it('of uploads that wait the last is started only', async () => {
  let goOn = () => {}
  const first = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const { slot, fakes, release } = await makeSlot({ limit: async (work) => first.then(work) })
  const [one, ...others] = await Promise.all(['1.0.0', '2.0.0', '3.0.0', '4.0.0'].map(release))
  const starting = slot.deploy(one!)
  await expect.poll(() => fakes).toHaveLength(1)
  const waiting = others.map((other) => rejection(slot.deploy(other)))
  goOn()
  await starting
  const errors = await Promise.all(waiting)
  expect(errors.map((error) => error?.code)).toEqual(['DEPLOY_SUPERSEDED', 'DEPLOY_SUPERSEDED', undefined])
  expect(fakes.map(({ version }) => version)).toEqual(['1.0.0', '4.0.0'])
  expect(slot.view.versions.map(({ version }) => version)).toEqual(['4.0.0', '1.0.0'])
  await slot.close()
})

it('keeps three versions', async () => {
  const { slot, deploy } = await makeSlot()
  for (const version of ['1.0.0', '2.0.0', '3.0.0', '4.0.0']) await deploy(version)
  expect(slot.view.versions.map(({ version }) => version)).toEqual(['4.0.0', '3.0.0', '2.0.0'])
  await slot.close()
})

it('tells each change of a version, with its cause', async () => {
  const { slot, events, held, deploy } = await makeSlot()
  await deploy('1.0.0')
  await deploy('2.0.0')
  for (const end of held) end()
  const changes = () => events.flatMap((event) => (event.type === 'state' ? [event.change] : []))
  await expect.poll(() => changes().at(-1)?.to).toBe('stopped')
  expect(changes().map(({ version, from, to, cause }) => `${version} ${from}>${to}: ${cause}`)).toEqual([
    '1.0.0 >checked: every byte of the archive was checked',
    '1.0.0 checked>starting: it is checked',
    '1.0.0 starting>live: it accepts requests',
    '2.0.0 >checked: every byte of the archive was checked',
    '2.0.0 checked>starting: it is checked',
    '2.0.0 starting>live: it accepts requests',
    '1.0.0 live>draining: 2.0.0 took over',
    '1.0.0 draining>stopped: all it had begun has ended',
  ])
  await slot.close()
})
