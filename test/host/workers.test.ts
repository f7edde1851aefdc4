import { EventEmitter, on } from 'node:events'
import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import type { Deployment } from '../../src/host/deployment.ts'
import { Isolated, type IsolatedOptions } from '../../src/host/workers/isolated.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { entry, folderOf, rejection, settingsFile, start, stateDir } from './helper.ts'
import { open, readAll } from './raw.ts'

const isGone = (pid: number) => {
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}

/** Answers with its own process and environment; `/die` ends it. */
const app = {
  'app.cjs': `module.exports = (req, res) => {
    if (req.url === '/die') process.kill(process.pid, 'SIGKILL')
    else res.end(JSON.stringify({ pid: process.pid, env: process.env, peer: req.socket.remoteAddress }))
  }`,
}

describe('an app in a process of its own', () => {
  it('sees its own environment only, also where another app wants other values', async () => {
    const declares = (name: string, value: string) => ({
      ...entry,
      name,
      config: { SHARED: { type: 'string', default: value }, OTHER: { type: 'string', required: false } },
    })
    const { get, host } = await start(
      await folderOf({ 'one.zapp': [declares('one', '1'), app], 'two.zapp': [declares('two', '2'), app] }),
      { config: { OTHER: 'given' } },
    )
    const [one, two] = await Promise.all(
      ['/one', '/two'].map(
        async (path) => (await (await get(path)).json()) as { pid: number; env: Record<string, string> },
      ),
    )
    expect(one).toMatchObject({ env: { SHARED: '1', OTHER: 'given', NODE_ENV: 'production' }, peer: '127.0.0.1' })
    expect(two).toMatchObject({ env: { SHARED: '2' } })
    expect(one?.pid).not.toBe(two?.pid)
    expect(Object.keys(one?.env ?? {}).filter((name) => /VITEST|^npm_|NODE_OPTIONS/.test(name))).toEqual([])
    await host.close()
    expect(isGone(one?.pid ?? 0)).toBe(true)
  })

  it('has several processes that take turns, also where the host passes requests on', async () => {
    const settings = await settingsFile({ apps: { one: { workers: { processes: 3 } } }, proxies: ['127.0.0.1'] })
    const { get } = await start(await folderOf({ 'one.zapp': [{ ...entry, name: 'one' }, app] }), { settings })
    const pids = new Set<number>()
    for (let i = 0; i < 6; i++) pids.add(((await (await get('/one')).json()) as { pid: number }).pid)
    expect(pids.size).toBe(3)
  })

  it('is started again when it dies; what others hold is untouched, requests wait for it', async () => {
    const { get, host, events } = await start(
      await folderOf({
        'one.zapp': [{ ...entry, name: 'one' }, app],
        'two.zapp': [{ ...entry, name: 'two' }, app],
      }),
    )
    // On a connection of its own: those that a process holds end with it.
    const pidOf = async (path: string) =>
      ((await (await get(path, { headers: { Connection: 'close' } })).json()) as { pid: number }).pid
    const [one, two] = [await pidOf('/one'), await pidOf('/two')]
    const dying = await open(host.address.port)
    const cut = readAll(dying)
    dying.write('GET /one/die HTTP/1.1\r\nHost: x\r\n\r\n')
    await cut
    await expect.poll(() => events.some(({ type }) => type === 'error')).toBe(true)
    const next = await pidOf('/one')
    expect(next).not.toBe(one)
    expect(isGone(one)).toBe(true)
    expect(await pidOf('/two')).toBe(two)
    expect([...host.metrics()].map(([id, { restarts }]) => [id, restarts])).toEqual([
      ['/one', 1],
      ['/two', 0],
    ])
  })
})

/** A deployment without a front. */
async function deploy(
  files: Record<string, string>,
  options: Partial<IsolatedOptions> = {},
): Promise<{ deployment: Deployment; stop(): Promise<void> }> {
  const file = await makeArchive(await tmpDir(), entry, files)
  const archive = await openArchive(file)
  const nobody = () => {}
  const deployment = new Isolated(
    {
      ...{ manifest: archive.manifest, file, digest: 'sha256:0' },
      ...{ archive: async () => archive, release: () => archive.close() },
    },
    {
      ...{ mount: '', config: {}, cache: join(stateDir, 'cache'), data: join(stateDir, 'data', 'deployed') },
      ...{ app: { id: '/', version: '' }, accessLog: () => 'off' },
      ...{
        onError: nobody,
        onLog: nobody,
        onAccess: nobody,
        onReport: nobody,
        onRestart: nobody,
        onCut: nobody,
        onReturn: nobody,
      },
      ...options,
    },
  )
  return { deployment, stop: () => deployment.stop(0) }
}

const DIES = `setTimeout(() => process.kill(process.pid, 'SIGKILL'), 20)`

/** The first process, which leaves its id in a file, does something else than the others. */
const firstOr = (file: string, first: string, others: string) => ({
  'app.cjs': `
    try {
      require('node:fs').writeFileSync(${JSON.stringify(file)}, String(process.pid), { flag: 'wx' })
      ${first}
    } catch {
      ${others}
    }
    module.exports = (req, res) => res.end()`,
})

describe('Isolated', () => {
  it('gives an app up that dies again and again', async () => {
    const { deployment, stop } = await deploy({
      'app.cjs': `${DIES}; module.exports = () => {}`,
    })
    await deployment.start().catch(() => {})
    expect(await deployment.died).toMatchObject({ code: 'APP_DIED', args: { times: 5 } })
    expect(deployment.pids).toEqual([])
    await stop()
  })

  it('gives it up earlier where the settings say so', async () => {
    const dies = `${DIES}; module.exports = () => {}`
    const { deployment, stop } = await deploy(
      { 'app.cjs': dies },
      { limits: { restarts: { count: 2, within: 60_000 } } },
    )
    await deployment.start().catch(() => {})
    expect(await deployment.died).toMatchObject({ code: 'APP_DIED', args: { times: 2, seconds: 60 } })
    await stop()
  })

  it('gives one up that takes longer to start than the deaths may lie apart', async () => {
    const starts = 'const end = Date.now() + 600; while (Date.now() < end)'
    const limits = { restarts: { count: 2, within: 600 } }
    const { deployment, stop } = await deploy(
      { 'app.cjs': `${starts}; ${DIES}; module.exports = () => {}` },
      { limits },
    )
    await deployment.start()
    expect(await deployment.died).toMatchObject({ code: 'APP_DIED', args: { times: 2 } })
    await stop()
  })

  it('is not given up while one of its processes stays', async () => {
    const stays = join(await tmpDir(), 'stays')
    const deaths = new EventEmitter()
    const { deployment, stop } = await deploy(firstOr(stays, '', DIES), {
      workers: { processes: 2 },
      limits: { restarts: { count: 2, within: 60_000 } },
      onError: () => deaths.emit('one'),
    })
    const events = on(deaths, 'one')
    await deployment.start()
    const first = Number(await readFile(stays, 'utf8'))
    for (let seen = 0; seen < 3; seen++) {
      expect(await Promise.race([events.next().then(() => 'again'), deployment.died])).toBe('again')
    }
    expect(deployment.pids).toContain(first)
    await stop()
  })

  it('is not healthy where a process has ended while another was starting', async () => {
    const dies = join(await tmpDir(), 'dies')
    const files = firstOr(
      dies,
      'setTimeout(() => process.exit(7), 200)',
      'const end = Date.now() + 800; while (Date.now() < end);',
    )
    const { deployment, stop } = await deploy(files, { workers: { processes: 2 } })
    await deployment.start()
    expect(await rejection(deployment.health(AbortSignal.timeout(5000)))).toMatchObject({ code: 'ENTRY_LOAD' })
    await stop()
  })

  it('one that cannot start leaves nothing behind', async () => {
    const before = readdirSync('/proc/self/fd').length
    const { deployment, stop } = await deploy({ 'app.cjs': 'process.exit(3)' })
    expect(await rejection(deployment.start())).toMatchObject({
      code: 'ENTRY_LOAD',
      args: { reason: expect.stringContaining('exit code 3') },
    })
    await stop()
    expect(deployment.pids).toEqual([])
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before + 1)
  })
})
