import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { METADATA, makeZapp, SITE } from '../../fixtures/make/zapp-maker.ts'
import { type Archive, openArchive } from '../../src/archive/archive.ts'
import { type ByteSource, bytesSource } from '../../src/archive/source.ts'
import { temporaryPrefix } from '../../src/archive/temporaries.ts'
import { unpack } from '../../src/archive/unpack.ts'
import { buildProgram } from '../helpers/program.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { LARGE_STORED, makeLargeZapp, noise } from './helpers/archives.ts'

const LARGE = makeLargeZapp()

async function withArchive<T>(input: Uint8Array | ByteSource, use: (archive: Archive) => Promise<T>): Promise<T> {
  const archive = await openArchive(input)
  return use(archive).finally(() => archive.close())
}

const unpackTo = (target: string, input: Uint8Array | ByteSource = LARGE, signal?: AbortSignal) =>
  withArchive(input, (archive) => unpack(archive, target, signal && { signal }))

/** A source that does something at read number `at`, after it was opened. */
function meddling(bytes: Uint8Array, at: number, meddle: () => unknown): ByteSource {
  const source = bytesSource(bytes)
  let reads = 0
  return {
    ...source,
    read: async (position, length) => {
      reads++
      if (reads === at) await meddle()
      return source.read(position, length)
    },
  }
}

describe('unpack', () => {
  test('writes large and small files, and says how much', async () => {
    const target = join(await tmpDir(), 'out')
    const { files, bytes } = await unpackTo(target)
    expect(files).toBe(8)
    expect(bytes).toBeGreaterThan(6_000_000)
    expect((await readFile(join(target, 'large-stored'))).equals(LARGE_STORED)).toBe(true)
    expect(await readFile(join(target, 'public/index.html'), 'utf8')).toBe(SITE[1]!.data)
  })

  test('sets modes whatever the umask is', async () => {
    const target = join(await tmpDir(), 'out')
    const bytes = makeZapp({
      files: [...SITE, { name: 'bin/run', data: '#!/bin/sh\n', mode: 0o100700 }, { name: 'large', data: LARGE_STORED }],
    })
    const before = process.umask(0o077)
    try {
      await unpackTo(target, bytes)
    } finally {
      process.umask(before)
    }
    const mode = async (path: string) => ((await stat(join(target, path))).mode & 0o7777).toString(8)
    expect(await mode('')).toBe('755')
    expect(await mode('bin')).toBe('755')
    expect(await mode('bin/run')).toBe('755')
    expect(await mode('public/index.html')).toBe('644')
    expect(await mode('large')).toBe('644')
  })

  test.each<[string, (target: string) => Promise<unknown>]>([
    ['a folder', (target) => mkdir(target)],
    ['a folder with files', (target) => mkdir(join(target, 'x'), { recursive: true })],
    ['a file', (target) => writeFile(target, 'mine')],
    ['a link to a folder', (target) => symlink('.', target)],
    ['a link that leads nowhere', (target) => symlink('nowhere', target)],
  ])('refuses a target that exists: %s', async (_, make) => {
    const parent = await tmpDir()
    const target = join(parent, 'out')
    await make(target)
    const before = await readdir(parent, { recursive: true })
    await expect(unpackTo(target)).rejects.toMatchObject({ code: 'TARGET_EXISTS' })
    expect(await readdir(parent, { recursive: true })).toEqual(before)
  })

  test('refuses a target whose parent is missing, or a file', async () => {
    const parent = await tmpDir()
    await writeFile(join(parent, 'file'), '')
    await expect(unpackTo(join(parent, 'none', 'out'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(unpackTo(join(parent, 'file', 'out'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await readdir(parent)).toEqual(['file'])
  })

  test('refuses a target whose parent is a link', async () => {
    const dir = await tmpDir()
    await mkdir(join(dir, 'elsewhere'))
    await symlink('elsewhere', join(dir, 'link'))
    await expect(unpackTo(join(dir, 'link', 'out'))).rejects.toMatchObject({ code: 'TARGET_LINK' })
    expect(await readdir(join(dir, 'elsewhere'))).toEqual([])
  })

  test('refuses a link anywhere on the way below the working folder', async () => {
    const dir = await tmpDir()
    await mkdir(join(dir, 'elsewhere', 'folder'), { recursive: true })
    await mkdir(join(dir, 'work'))
    await symlink('../elsewhere', join(dir, 'work', 'link'))
    const before = process.cwd()
    process.chdir(join(dir, 'work'))
    try {
      await expect(unpackTo('link/folder/out')).rejects.toMatchObject({ code: 'TARGET_LINK' })
      await unpackTo('out')
    } finally {
      process.chdir(before)
    }
    expect(await readdir(join(dir, 'elsewhere', 'folder'))).toEqual([])
    expect(await readdir(join(dir, 'work', 'out', 'public'))).toEqual(['index.html'])
  })

  test('writes nothing elsewhere when the parent is replaced by a link meanwhile', async () => {
    const dir = await tmpDir()
    const parent = join(dir, 'parent')
    const elsewhere = join(dir, 'elsewhere')
    await mkdir(parent)
    await mkdir(elsewhere)
    const swap = async () => {
      await rename(parent, join(dir, 'moved'))
      await symlink(elsewhere, parent)
    }
    for (const at of [12, 60]) {
      await expect(unpackTo(join(parent, 'out'), meddling(LARGE, at, swap))).rejects.toThrow()
      expect(await readlink(parent)).toBe(elsewhere)
      expect(await readdir(elsewhere)).toEqual([])
      expect(existsSync(join(dir, 'moved', 'out'))).toBe(false)
      await rm(parent)
      await rm(join(dir, 'moved'), { recursive: true })
      await mkdir(parent)
    }
  })

  test('does not replace what appeared at the target meanwhile', async () => {
    const target = join(await tmpDir(), 'out')
    const appear = () => mkdir(target)
    await expect(unpackTo(target, meddling(LARGE, 60, appear))).rejects.toMatchObject({ code: 'TARGET_EXISTS' })
    expect(await readdir(target)).toEqual([])
    expect(await readdir(join(target, '..'))).toEqual(['out'])
  })

  test('leaves nothing when it is aborted', async () => {
    const parent = await tmpDir()
    for (const at of [12, 30, 60]) {
      const controller = new AbortController()
      const abort = () => controller.abort(new Error('enough'))
      const unpacking = unpackTo(join(parent, 'out'), meddling(LARGE, at, abort), controller.signal)
      await expect(unpacking).rejects.toThrow('enough')
      expect(await readdir(parent)).toEqual([])
    }
  })

  test('at the same time into one target: one wins, whole', async () => {
    const target = join(await tmpDir(), 'out')
    const results = await Promise.allSettled([1, 2, 3].map(() => unpackTo(target)))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'TARGET_EXISTS' })
    }
    expect(await readdir(join(target, '..'))).toEqual(['out'])
    expect((await readFile(join(target, 'large-stored'))).equals(LARGE_STORED)).toBe(true)
  })
})

describe('a run that was killed', () => {
  let program: string

  beforeAll(async () => {
    program = await buildProgram(join(import.meta.dirname, 'helpers/unpack-child.ts'))
  })

  test.each([12, 20, 60])('at read %i leaves no target, and the next run removes what it left', async (stopAt) => {
    const dir = await tmpDir()
    const file = join(dir, 'a.zapp')
    await writeFile(file, LARGE)
    const parent = join(dir, 'parent')
    await mkdir(parent)
    const target = join(parent, 'out')

    const child = spawn(process.execPath, [program, file, target, String(stopAt)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      const [said] = await once(child.stdout, 'data')
      expect(String(said)).toBe('stopped\n')
      const found = await readdir(parent)
      expect(found).toEqual([expect.stringMatching(/^\.zapp-unpack-/)])
      // While it runs, another run leaves its folder alone.
      await unpackTo(join(parent, 'other'))
      expect((await readdir(parent)).sort()).toEqual([...found, 'other'])
    } finally {
      child.kill('SIGKILL')
    }
    await once(child, 'exit')
    expect(existsSync(target)).toBe(false)
    await unpackTo(target)
    expect((await readdir(parent)).sort()).toEqual(['other', 'out'])
  })

  test('on another machine, or a folder of another kind, is left alone', async () => {
    const parent = await tmpDir()
    const others = [
      temporaryPrefix().replace(/-[0-9a-f]{8}-\d+-$/, '-00000000-1-abcdef'),
      `${temporaryPrefix()}abcdef`,
      '.zapp-unpack-mine',
    ]
    for (const name of others) await mkdir(join(parent, name))
    await unpackTo(join(parent, 'out'))
    expect((await readdir(parent)).sort()).toEqual([...others, 'out'].sort())
  })
})

describe('a full disk', async () => {
  const mountPoint = await tmpDir()
  const mount = (size: string) =>
    spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', mountPoint]).status === 0
  const unmount = () => spawnSync('umount', [mountPoint])
  const canMount = mount('64k')
  if (canMount) unmount()

  const files = Array.from({ length: 40 }, (_, i) => ({ name: `f${i}`, data: noise(20_000 + i) }))
  const bytes = makeZapp({ files: [...SITE, ...files, { name: 'large', data: LARGE_STORED }, ...METADATA] })

  test.skipIf(!canMount)('leaves nothing (needs the right to mount a tmpfs)', async () => {
    let failed = 0
    for (let kib = 8; kib < 8192; kib = Math.ceil(kib * 1.7)) {
      expect(mount(`${kib}k`)).toBe(true)
      try {
        await unpackTo(join(mountPoint, 'out'), bytes)
        expect(await readdir(mountPoint)).toEqual(['out'])
      } catch (error) {
        failed++
        expect(error).toMatchObject({ name: 'ZappError', code: 'IO', message: expect.stringContaining('ENOSPC') })
        expect(await readdir(mountPoint)).toEqual([])
      } finally {
        unmount()
      }
    }
    expect(failed).toBeGreaterThan(5)
  })
})
