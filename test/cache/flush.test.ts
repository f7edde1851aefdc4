import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Archive, openArchive } from '../../src/archive/archive.ts'
import { openCache } from '../../src/cache/cache.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'

const files = {
  'app.js': 'module.exports = require("dep")',
  'node_modules/dep/index.js': 'module.exports = () => {}',
  'node_modules/dep/big.bin': 'abcdefgh'.repeat(200_000),
}
let file: string
let archive: Archive

beforeAll(async () => {
  file = await makeArchive(await tmpDir(), { entry: { type: 'node', module: 'app.js' } }, files)
  archive = await openArchive(await readFile(file))
})

const open = (dir: string, boot: string, budget?: number) =>
  openCache({ dir, boot, ...(budget !== undefined && { budget }) })

async function expectWhole(root: string): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    expect((await readFile(join(root, path), 'utf8')) === content, path).toBe(true)
  }
}

/** Of the tree's record: the boot that it is good for. */
function bootOf(root: string): string | undefined {
  return JSON.parse(readFileSync(join(root, '../tree.json'), 'utf8')).boot
}

/** What is not flushed may be cut off when the power goes: here all of it is. */
async function losePower(dir: string, boot: string): Promise<void> {
  const lost = (await readdir(join(dir, 'v1/blobs'))).filter((name) => name.endsWith(`.${boot}`))
  expect(lost.length).toBeGreaterThan(0)
  for (const name of lost) {
    const blob = join(dir, 'v1/blobs', name)
    const { size, mtime } = await stat(blob)
    await chmod(blob, 0o600)
    await writeFile(blob, Buffer.alloc(size))
    await utimes(blob, mtime, mtime)
  }
}

describe('a tree that is not on the disk yet', () => {
  it('is used by everybody in this boot, and brought to the disk', async () => {
    const dir = await tmpDir()
    const first = await (await open(dir, 'one')).runTree(archive)
    expect(bootOf(first.root)).toBe('one')
    const again = await (await open(dir, 'one')).runTree(archive)
    expect([again.reused, again.root]).toEqual([true, first.root])
    await first.release()
    expect(bootOf(first.root)).toBeUndefined()
    expect((await readdir(join(dir, 'v1/blobs'))).filter((name) => name.includes('.'))).toEqual([])
    await again.release()
    const later = await (await open(dir, 'two')).runTree(archive)
    expect([later.reused, later.root]).toEqual([true, first.root])
    await expectWhole(later.root)
  })

  it('is brought to the disk without being let go', async () => {
    const { root } = await (await open(await tmpDir(), 'one')).runTree(archive)
    await expect.poll(() => bootOf(root), { timeout: 10_000 }).toBeUndefined()
    await expectWhole(root)
  })

  it('is never used in another boot, nor is its content', async () => {
    const dir = await tmpDir()
    const before = await (await open(dir, 'one')).runTree(archive)
    await losePower(dir, 'one')
    const after = await (await open(dir, 'two')).runTree(archive)
    expect(after.reused).toBe(false)
    await expectWhole(after.root)
    // It stays where it is as long as a process may be using it that takes this for another boot, then it goes.
    expect(after.root).not.toBe(before.root)
    await after.release()
    expect(await (await open(dir, 'two')).collect()).toEqual({ trees: 0, blobs: 0 })
    const marks = join(dir, 'v1/use', basename(dirname(before.root)))
    for (const name of await readdir(marks)) await rm(join(marks, name))
    expect((await (await open(dir, 'two')).collect()).trees).toBe(1)
    expect((await readdir(join(dir, 'v1/blobs'))).filter((name) => name.includes('.'))).toEqual([])
    const third = await (await open(dir, 'three')).runTree(archive)
    expect(third.root).toBe(before.root)
    await expectWhole(third.root)
  })

  it('is not taken for whole when its record was cut off', async () => {
    const dir = await tmpDir()
    const before = await (await open(dir, 'one')).runTree(archive)
    await writeFile(join(before.root, '../tree.json'), '')
    const after = await (await open(dir, 'two')).runTree(archive)
    expect([after.reused, after.root === before.root]).toEqual([false, false])
    await expectWhole(after.root)
    await (await open(dir, 'two')).collect()
  })

  it('is good for this boot, and flushed by whoever uses it next, when its builder is killed', async () => {
    const dir = await tmpDir()
    const child = spawn(process.execPath, [join(import.meta.dirname, 'child.js'), file, dir, '', 'one'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const [line] = await once(createInterface(child.stdout), 'line')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const { root } = JSON.parse(line)
    expect(bootOf(root)).toBe('one')
    const next = await (await open(dir, 'one')).runTree(archive)
    expect([next.reused, next.root]).toEqual([true, root])
    await next.release()
    expect(bootOf(root)).toBeUndefined()
  })

  it('is not used again when the disk fails', async () => {
    const dir = await tmpDir()
    const errors: unknown[] = []
    const bad = await (await open(dir, 'one')).runTree(archive, { onError: (error) => errors.push(error) })
    // A file that can be opened no more stands for one that the disk does not take.
    const [blob = ''] = await readdir(join(dir, 'v1/blobs'))
    await rename(join(dir, 'v1/blobs', blob), join(dir, 'moved'))
    await symlink(blob, join(dir, 'v1/blobs', blob))
    await bad.release()
    expect(errors).toMatchObject([{ code: 'ELOOP' }])
    const next = await (await open(dir, 'one')).runTree(archive)
    expect([next.reused, next.root === bad.root]).toEqual([false, false])
    await expectWhole(next.root)
    await next.release()
    expect(bootOf(next.root)).toBeUndefined()
  })

  it('keeps what it shares with a tree of which the disk failed from being taken for flushed', async () => {
    const dir = await tmpDir()
    const newer = { version: '2.0.0', entry: { type: 'node', module: 'app.js' } }
    const other = await openArchive(await readFile(await makeArchive(await tmpDir(), newer, files)))
    const one = await (await open(dir, 'one')).runTree(archive)
    const two = await (await open(dir, 'one')).runTree(other)
    for (const name of await readdir(join(dir, 'v1/blobs'))) await rm(join(dir, 'v1/blobs', name))
    await one.release()
    await two.release()
    const after = await (await open(dir, 'two')).runTree(other)
    expect(after.reused).toBe(false)
  })
})

describe('where boots cannot be told apart', () => {
  it('a tree is on the disk before it is used', async () => {
    const dir = await tmpDir()
    const { root } = await (await open(dir, '')).runTree(archive)
    expect(bootOf(root)).toBeUndefined()
    expect((await readdir(join(dir, 'v1/blobs'))).filter((name) => name.includes('.'))).toEqual([])
    await expectWhole(root)
    expect((await (await open(dir, 'one')).runTree(archive)).root).toBe(root)
  })
})

describe('a collector', () => {
  it('spares content that waits for the disk, and removes that of other boots', async () => {
    const dir = await tmpDir()
    const tree = await (await open(dir, 'one')).runTree(archive)
    const count = (await readdir(join(dir, 'v1/blobs'))).length
    const [blob = ''] = await readdir(join(dir, 'v1/blobs'))
    await writeFile(join(dir, 'v1/blobs', blob.replace('.one', '.zero')), '')
    expect(await (await open(dir, 'one')).collect()).toEqual({ trees: 0, blobs: 1 })
    expect(await readdir(join(dir, 'v1/blobs'))).toHaveLength(count)
    await tree.release()
  })
})
