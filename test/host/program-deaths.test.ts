import { join } from 'node:path'
import { expect, it } from 'vitest'
import { tmpDir } from '../helpers/tmp.ts'
import { folderOf, putArchive, type Served, settingsFile, start } from './helper.ts'

/** Ends where it is asked to at `/die`. */
const DIES = `require('node:http').createServer(({ url }, res) => {
  if (url.endsWith('/die')) process.exit(3)
  res.end('ok')
}).listen(process.env.PORT)`
const server = { type: 'server', run: ['{node}', 'app.js'] }
const restarts = { count: 3, within: '1m' }

/** Ends it each time that it runs. */
const dies =
  ({ host, get }: Served, path: string) =>
  async () => {
    await get(path)
    return host.app('a')
  }

it('an app whose program dies again and again is failed, as often as the settings say', async () => {
  const folder = await folderOf({ 'a.zapp': [{ name: 'a', entry: server }, { 'app.js': DIES }] })
  const settings = await settingsFile({ apps: { a: { limits: { restarts } } } })
  const served = await start(folder, { settings })
  await expect
    .poll(dies(served, '/a/die'), { timeout: 10_000 })
    .toMatchObject({ state: 'failed', error: { code: 'APP_DIED', args: { name: 'a', times: 3, seconds: 60 } } })
  expect((await served.get('/a')).status).toBe(503)
  // Those that came up in between.
  expect([...served.host.metrics()].map(([, counters]) => counters.restarts)).toEqual([2])
})

it('is not failed while another program of it stays', async () => {
  const manifest = {
    name: 'a',
    entries: { one: server, two: server },
    routes: { '/one/*': { entry: 'one' }, '/': { entry: 'two' } },
  }
  const folder = await folderOf({ 'a.zapp': [manifest, { 'app.js': DIES }] })
  const settings = await settingsFile({ apps: { a: { limits: { restarts } } } })
  const served = await start(folder, { settings })
  const deaths = () => [...served.host.metrics()][0]?.[1].restarts
  await expect
    .poll(async () => (await served.get('/a/one/die')) && deaths(), { timeout: 10_000 })
    .toBeGreaterThan(restarts.count)
  expect(served.host.app('a').state).toBe('live')
  expect(await served.text('/a')).toBe('ok')
})

it('right after the switch the version before serves again', async () => {
  const dir = await tmpDir()
  const served = await start(await tmpDir(), { state: join(dir, 'state') })
  for (const version of ['1.0.0', '2.0.0']) {
    const app = [{ name: 'a', version, entry: server }, { 'app.js': DIES }] as const
    await served.host.deploy({ path: await putArchive(join(dir, 'upload.zapp'), ...app) })
  }
  expect(served.host.app('a').version).toBe('2.0.0')
  await expect
    .poll(dies(served, '/a/die'), { timeout: 10_000 })
    .toMatchObject({ version: '1.0.0', state: 'degraded', error: { code: 'APP_DIED' } })
  await expect.poll(() => served.text('/a'), { timeout: 10_000 }).toBe('ok')
})
