import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ownIdentity } from '../../src/cache/process-id.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { entry, folderOf, putArchive, rejection, says, start } from './helper.ts'

const shop = (version: string, text = version) => [{ ...entry, name: 'shop', version }, says(text)] as const
const files = async (dir: string) => (await readdir(dir)).filter((name) => name.endsWith('.zapp'))

async function places() {
  const dir = await folderOf({ 'shop.zapp': shop('1.0.0') })
  return { dir, file: join(dir, 'shop.zapp'), state: join(await tmpDir(), 'state') }
}

describe('a host that starts again', () => {
  it('serves what it served, whatever has become of the file, and does not check it again', async () => {
    const { dir, file, state } = await places()
    const first = await start(dir, { state })
    await first.host.close({ drainMs: 0 })
    const [copy = ''] = await files(join(state, 'store'))
    const receipt = join(state, 'store', copy.replace('.zapp', '.json'))
    const checked = (await stat(receipt)).mtimeMs
    await writeFile(file, 'not an archive any more, and long enough')

    const second = await start(dir, { state })
    expect(await second.text('/shop')).toBe('1.0.0 /shop|/')
    expect(second.host.apps).toMatchObject([
      { id: '/shop', state: 'degraded', version: '1.0.0', error: { code: 'EOCD_NOT_AT_END' } },
    ])
    expect((await stat(receipt)).mtimeMs).toBe(checked)
    expect(await readFile(`${file}.failed`, 'utf8')).toMatch(/^EOCD_NOT_AT_END\n {2}.*\n {2}fix: .*\n$/)

    await putArchive(file, ...shop('1.1.0'))
    await expect.poll(() => second.text('/shop'), { timeout: 10_000 }).toMatch(/^1\.1\.0/)
    await expect.poll(() => readdir(dir)).toEqual(['shop.zapp'])
  })

  it('goes on with an upload and a rollback, and takes down what was deleted meanwhile', async () => {
    const { dir, file, state } = await places()
    const first = await start(dir, { state })
    await putArchive(file, ...shop('2.0.0'))
    await expect.poll(() => first.text('/shop'), { timeout: 10_000 }).toMatch(/^2\.0\.0/)
    await first.host.rollback('shop')
    const upload = await putArchive(join(await tmpDir(), 'notes.zapp'), { ...entry, name: 'notes' }, says('notes'))
    await first.host.deploy({ path: upload })
    await first.host.close({ drainMs: 0 })
    await rm(upload)

    const second = await start(dir, { state })
    expect([await second.text('/shop'), await second.text('/notes')]).toEqual(['1.0.0 /shop|/', 'notes /notes|/'])
    expect(second.host.app('shop').versions).toMatchObject([
      { version: '2.0.0', current: false },
      { version: '1.0.0', current: true },
    ])
    await second.host.close({ drainMs: 0 })
    await rm(file)

    const third = await start(dir, { state })
    await expect.poll(() => third.host.apps.map(({ id }) => id), { timeout: 15_000 }).toEqual(['/notes'])
    await expect.poll(() => files(join(state, 'store')), { timeout: 10_000 }).toHaveLength(1)
  })

  it('removes what a killed one left, and copies that nothing needs', async () => {
    const { dir, state } = await places()
    const store = join(state, 'store')
    await mkdir(join(store, 'drafts'), { recursive: true, mode: 0o700 })
    await writeFile(join(store, 'drafts/half.zapp'), 'half')
    await writeFile(join(store, `${'a'.repeat(64)}.zapp`), 'of no app')
    await start(dir, { state })
    expect(await readdir(join(store, 'drafts'))).toEqual([])
    expect(await files(store)).toHaveLength(1)
  })

  it('leaves a copy that was tampered with', async () => {
    const { dir, file, state } = await places()
    await (await start(dir, { state })).host.close({ drainMs: 0 })
    const [copy = ''] = await files(join(state, 'store'))
    await writeFile(
      join(state, 'store', copy),
      await readFile(await putArchive(join(await tmpDir(), 'x'), ...shop('6.6.6'))),
    )
    await writeFile(file, 'broken')
    const { host, get } = await start(dir, { state })
    expect((await get('/shop')).status).toBe(503)
    expect(host.apps).toMatchObject([{ state: 'failed' }])
  })
})

describe('a state folder', () => {
  it('is of one host', async () => {
    const { dir, state } = await places()
    const { host } = await start(dir, { state })
    expect(await rejection(start(dir, { state }))).toMatchObject({ code: 'HOST_RUNNING', args: { pid: process.pid } })
    await host.close({ drainMs: 0 })
    await start(dir, { state })
  })

  it('that is not its own, or cannot be made, is named by its own option', async () => {
    const { dir, state } = await places()
    await mkdir(state, { mode: 0o755 })
    const untrusted = await rejection(start(dir, { state }))
    expect(untrusted).toMatchObject({ code: 'STATE_UNTRUSTED', args: { dir: state, got: 'mode 0755' } })
    // Longer than a name may be.
    const none = await rejection(start(dir, { state: join(state, '..', 'x'.repeat(300)) }))
    expect(none).toMatchObject({ code: 'STATE_NONE', fix: expect.stringContaining('--state or ZAPP_STATE') })
  })

  it('of a host that was killed is free', async () => {
    const { dir, state } = await places()
    await mkdir(state, { mode: 0o700 })
    const [pid, started, where] = (await ownIdentity()).split('-')
    await writeFile(join(state, 'host.lock'), [pid, Number(started) - 1, where].join('-'))
    expect(await (await start(dir, { state })).text('/shop')).toBe('1.0.0 /shop|/')
  })

  it('that cannot be read is no reason to forget', async () => {
    const { dir, state } = await places()
    for (const text of ['{"schema": 1, "apps"', '{"schema": 2}']) {
      await mkdir(state, { recursive: true, mode: 0o700 })
      await writeFile(join(state, 'state.json'), text)
      expect(await rejection(start(dir, { state }))).toMatchObject({ code: 'STATE_UNREADABLE' })
      expect(await readFile(join(state, 'state.json'), 'utf8')).toBe(text)
    }
    expect((await readdir(state)).filter((name) => name.startsWith('host.lock'))).toEqual([])
  })
})
