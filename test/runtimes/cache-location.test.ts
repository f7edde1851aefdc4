import { chmod, chown, mkdir, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { cacheLocation, dataLocation } from '../../src/runtimes/cache-location.ts'
import { asPlainUser, plainUser } from '../helpers/as-user.ts'
import { tmpDir } from '../helpers/tmp.ts'

beforeEach(() => {
  for (const name of ['XDG_CACHE_HOME', 'XDG_STATE_HOME', 'ZAPP_CACHE']) vi.stubEnv(name, undefined)
})
afterEach(() => {
  vi.unstubAllEnvs()
})

async function home(): Promise<string> {
  const dir = await tmpDir()
  await chown(dir, plainUser(), -1)
  vi.stubEnv('HOME', dir)
  return dir
}

// macOS and Windows follow the same rules with other names of folders.
describe.runIf(process.platform === 'linux')('the cache is', () => {
  it('where the caller says, then where ZAPP_CACHE says in an environment that the caller passes', async () => {
    const env = { ZAPP_CACHE: '/from/env' }
    expect(await cacheLocation({ cache: 'here', env })).toBe(resolve('here'))
    expect(await cacheLocation({ env })).toBe('/from/env')
    vi.stubEnv('ZAPP_CACHE', '/from/process')
    expect(await cacheLocation()).not.toBe('/from/process')
  })

  it('for a person in their cache folder, their data in their state folder', async () => {
    const dir = await home()
    await asPlainUser(async () => {
      expect(await cacheLocation()).toBe(join(dir, '.cache/zapp'))
      expect(await dataLocation('shop')).toBe(join(dir, '.local/state/zapp/shop'))
      vi.stubEnv('XDG_CACHE_HOME', join(dir, 'c'))
      vi.stubEnv('XDG_STATE_HOME', join(dir, 's'))
      expect(await cacheLocation()).toBe(join(dir, 'c/zapp'))
      expect(await dataLocation('shop')).toBe(join(dir, 's/zapp/shop'))
      vi.stubEnv('XDG_CACHE_HOME', 'relative')
      expect(await cacheLocation()).toBe(join(dir, '.cache/zapp'))
    })
  })

  it('without the link through which a home is reached', async () => {
    const dir = await home()
    const link = join(await tmpDir(), 'home')
    await chmod(join(link, '..'), 0o755)
    await symlink(dir, link)
    vi.stubEnv('HOME', link)
    expect(await asPlainUser(() => cacheLocation())).toBe(join(dir, '.cache/zapp'))
  })

  it.runIf(process.getuid?.() === 0)('for root the system’s', async () => {
    expect(await cacheLocation()).toBe('/var/cache/zapp')
    expect(await dataLocation('shop')).toBe('/var/lib/zapp/shop')
  })

  it('nowhere, with every reason, when nothing can hold it', async () => {
    vi.stubEnv('HOME', '/nonexistent')
    const error = await asPlainUser(() => cacheLocation()).catch((e) => e)
    expect(error.code).toBe('CACHE_NONE')
    expect(error.message).toContain('/var/cache/zapp')
    expect(error.message).toContain("mkdir '/nonexistent'")
  })

  it.runIf(process.getuid?.() === 0)('never a folder of somebody else', async () => {
    const dir = await tmpDir()
    await chmod(dir, 0o755)
    await mkdir(join(dir, '.cache/zapp'), { recursive: true })
    vi.stubEnv('HOME', dir)
    const error = await asPlainUser(() => cacheLocation()).catch((e) => e)
    expect(error.code).toBe('CACHE_NONE')
    expect(error.message).toContain('belongs to user 0')
  })
})
