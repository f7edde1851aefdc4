import { chmod, chown, lstat, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openCache } from '../../src/cache/cache.ts'
import { ZappError } from '../../src/errors.ts'
import { asPlainUser, plainUser } from '../helpers/as-user.ts'
import { tmpDir } from '../helpers/tmp.ts'

const isRoot = process.geteuid?.() === 0

async function refusal(dir: string): Promise<ZappError> {
  const error = await openCache({ dir }).then(
    () => undefined,
    (e) => e,
  )
  expect(error).toBeInstanceOf(ZappError)
  return error
}

describe('a cache folder', () => {
  it('is made for its user alone, parents included', async () => {
    const base = await tmpDir()
    const dir = join(base, 'a/b/cache')
    await openCache({ dir })
    for (const made of ['a', 'a/b', 'a/b/cache']) {
      expect((await lstat(join(base, made))).mode & 0o777).toBe(0o700)
    }
  })

  it('is refused when others may read it', async () => {
    for (const mode of [0o755, 0o770, 0o701]) {
      const dir = await tmpDir()
      await chmod(dir, mode)
      const error = await refusal(dir)
      expect(error.code).toBe('CACHE_UNTRUSTED')
      expect(error.args.got).toBe(`mode 0${mode.toString(8)}`)
      expect(await readdir(dir)).toEqual([])
    }
  })

  it('is refused when it is a link, or reached through one', async () => {
    const base = await tmpDir()
    await mkdir(join(base, 'real/cache'), { recursive: true, mode: 0o700 })
    await symlink(join(base, 'real'), join(base, 'link'))
    await symlink(join(base, 'real/cache'), join(base, 'direct'))
    expect((await refusal(join(base, 'direct'))).args.got).toBe('a link')
    const through = await refusal(join(base, 'link/cache'))
    expect(through.code).toBe('CACHE_UNTRUSTED')
    expect(through.args.got).toBe(`a link at ${join(base, 'link')}`)
  })

  it('is refused below a folder in which others could replace it', async () => {
    const base = await tmpDir()
    const open = join(base, 'open')
    await mkdir(open)
    await chmod(open, 0o777)
    expect((await refusal(join(open, 'cache'))).code).toBe('CACHE_UNTRUSTED')
    // The sticky bit, as /tmp has it, keeps them from renaming.
    await chmod(open, 0o1777)
    await openCache({ dir: join(open, 'cache') })
  })

  it.runIf(isRoot)('is refused when it belongs to somebody else, as is its parent', async () => {
    const dir = await tmpDir()
    await chown(dir, 65534, 65534)
    const error = await refusal(dir)
    expect(error.code).toBe('CACHE_UNTRUSTED')
    expect(error.args.got).toBe('owner 65534, this process runs as 0')
    expect((await refusal(join(dir, 'inside'))).args.got).toBe(`a folder of user 65534 at ${dir}`)
  })

  it('is refused when it is a file', async () => {
    const file = join(await tmpDir(), 'cache')
    await writeFile(file, '')
    expect((await refusal(file)).args.got).toBe('a file')
  })

  it('that cannot be made says why', async () => {
    const parent = await tmpDir()
    await chown(parent, plainUser(), -1)
    await chmod(parent, 0o500)
    const error = await asPlainUser(() => refusal(join(parent, 'cache')))
    expect(error.code).toBe('CACHE_NONE')
    expect(error.message).toContain(join(parent, 'cache'))
  })
})
