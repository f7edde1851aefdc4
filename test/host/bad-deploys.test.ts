import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tmpDir } from '../helpers/tmp.ts'
import { entry, folderOf, putArchive, rejection, type Served, says, settingsFile, start } from './helper.ts'

/* A bad deploy never takes down a good one, and what is gone back to is what was good. */

const shop = (version: string) => [{ ...entry, name: 'shop', version }, says(version)] as const
/** @param code before the app is exported */
const bad = (version: string, code: string) =>
  [{ ...entry, name: 'shop', version }, { 'app.cjs': `${code}; module.exports = () => {}` }] as const
const DIES = 'setTimeout(() => process.exit(1), 20)'

async function upload(served: Served, app: readonly [manifest: object, files: Record<string, string>]) {
  return served.host.deploy({ path: await putArchive(join(await tmpDir(), 'upload.zapp'), ...app) })
}

const host = async (settings: object = {}, state?: string, folder?: string) =>
  start(folder ?? (await tmpDir()), {
    ...{ state: state ?? join(await tmpDir(), 'state'), settings: await settingsFile(settings) },
  })

const versions = (served: Served) =>
  served.host.app('/shop').versions.map(({ version, current }) => version + (current ? '*' : ''))

/** Resolves when a version that died was given up. */
async function rolledBack(served: Served, times = 1): Promise<void> {
  const count = () => served.events.filter(({ type }) => type === 'rolledback').length
  await expect.poll(count, { timeout: 10_000 }).toBe(times)
}

it('an upload that waits behind the first one of an app, which fails, serves', async () => {
  const served = await host()
  const first = rejection(
    upload(served, bad('1.0.0', 'const end = Date.now() + 700; while (Date.now() < end); throw 1')),
  )
  const starts = () => served.events.some((event) => event.type === 'state' && event.change.to === 'starting')
  await expect.poll(starts).toBe(true)
  const second = upload(served, shop('2.0.0'))
  expect(await first).toMatchObject({ code: 'ENTRY_LOAD' })
  expect(await second).toMatchObject({ app: { state: 'live' } })
  expect(await served.text('/shop')).toBe('2.0.0 /shop|/')
  expect(served.host.apps.map(({ id }) => id)).toEqual(['/shop'])
  await served.host.undeploy('/shop')
  expect(served.host.apps).toEqual([])
})

it('an upload that waits behind the end of its app serves', async () => {
  const served = await host()
  await upload(served, shop('1.0.0'))
  const restarted = served.host.restart('/shop')
  const removed = served.host.undeploy('/shop')
  const deployed = upload(served, shop('2.0.0'))
  await Promise.all([restarted, removed])
  expect(await deployed).toMatchObject({ app: { state: 'live' } })
  expect(await served.text('/shop')).toBe('2.0.0 /shop|/')
  expect(versions(served)).toEqual(['2.0.0*'])
})

it('an app that is undeployed while its files are looked at is gone for whoever was told so', async () => {
  const served = await host()
  await upload(served, shop('1.0.0'))
  const restarted = served.host.restart('/shop')
  const removed = served.host.undeploy('/shop')
  const looked = served.host.reload()
  await Promise.all([restarted, removed])
  expect([served.host.apps, (await served.get('/shop')).status]).toEqual([[], 404])
  await looked
  expect(served.events.filter(({ type }) => type === 'removed')).toHaveLength(1)
})

it('a broken file over an app that is not where its file’s name says leaves it serving, also after a restart', async () => {
  const folder = await folderOf({ 'shop.zapp': shop('1.0.0') })
  const state = join(await tmpDir(), 'state')
  const settings = { apps: { shop: { mount: '/store' } } }
  const served = await host(settings, state, folder)
  await writeFile(join(folder, 'shop.zapp'), 'not an archive, and long enough')
  await expect.poll(() => served.host.app('/store').error, { timeout: 10_000 }).toMatchObject({ code: /./ })
  await served.host.reload()
  expect(served.host.apps).toMatchObject([{ id: '/store', state: 'degraded', version: '1.0.0' }])
  expect(await served.text('/store')).toBe('1.0.0 /store|/')
  await served.host.close({ drainMs: 0 })

  const again = await host(settings, state, folder)
  // At the second look, nothing is missing for a moment only.
  await again.host.reload()
  expect(again.host.apps).toMatchObject([{ id: '/store', state: 'degraded', version: '1.0.0' }])
  expect(await again.text('/store')).toBe('1.0.0 /store|/')
})

describe('a version that dies right after the switch', () => {
  it.each([{}, { idle: '1h' }])('is left when it has died again: %o', async (settings) => {
    const served = await host(settings)
    const starts = join(await tmpDir(), 'starts')
    await upload(served, shop('1.0.0'))
    await upload(served, bad('2.0.0', `require('node:fs').appendFileSync(${JSON.stringify(starts)}, 'x'); ${DIES}`))
    await rolledBack(served)
    expect(await readFile(starts, 'utf8')).toBe('xx')
    expect(served.host.app('/shop')).toMatchObject({ version: '1.0.0', state: 'degraded', error: { code: 'APP_DIED' } })
    expect(await served.text('/shop')).toBe('1.0.0 /shop|/')
  })

  it('is never gone back to, and what served is kept', async () => {
    const served = await host()
    await upload(served, shop('1.0.0'))
    await upload(served, bad('2.0.0', DIES))
    await rolledBack(served)
    await upload(served, bad('3.0.0', DIES))
    await rolledBack(served, 2)
    expect(versions(served)).toEqual(['3.0.0', '2.0.0', '1.0.0*'])
    await upload(served, shop('4.0.0'))
    expect(versions(served)).toEqual(['4.0.0*', '3.0.0', '1.0.0'])
    await served.host.rollback('/shop')
    expect(await served.text('/shop')).toBe('1.0.0 /shop|/')
  })
})

it('a rollback leads to what served before, also where that was an older version deployed once more', async () => {
  const served = await host()
  for (const version of ['1.0.0', '2.0.0', '1.0.0']) await upload(served, shop(version))
  expect(versions(served)).toEqual(['2.0.0', '1.0.0*'])
  await served.host.rollback('/shop')
  expect(versions(served)).toEqual(['2.0.0*', '1.0.0'])
})
