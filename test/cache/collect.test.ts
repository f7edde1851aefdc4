import { existsSync } from 'node:fs'
import { readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import { openCache, type RunTree } from '../../src/cache/cache.ts'
import { ownIdentity } from '../../src/cache/process-id.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'

const KIB = 1024

/** A version with 100 KiB of its own code and 100 KiB of a dependency that all versions share. */
async function version(n: number) {
  const manifest = { version: `1.${n}.0`, entry: { type: 'node', module: 'app.js' } }
  const files = {
    'app.js': `// ${n}`.padEnd(100 * KIB, '.'),
    'node_modules/dep/index.js': '// dep'.padEnd(100 * KIB, '.'),
  }
  return openArchive(await readFile(await makeArchive(await tmpDir(), manifest, files)))
}

async function use(dir: string, budget: number, n: number): Promise<RunTree> {
  const cache = await openCache({ dir, budget })
  const tree = await cache.runTree(await version(n))
  // Some file systems count in steps of whole seconds; tests do not wait for those.
  await utimes(join(dir, 'v1/use', basename(dirname(tree.root))), n, n)
  return tree
}

describe('a cache over its budget', () => {
  it('lets the trees go that were not used for longest, and what only they needed', async () => {
    const dir = await tmpDir()
    // A version takes 200 KiB (its copy, and the blob that it was copied from); the dependency is there once.
    const trees: RunTree[] = []
    for (const n of [1, 2, 3]) {
      const tree = await use(dir, 800 * KIB, n)
      await tree.release()
      await utimes(join(dir, 'v1/use', basename(dirname(tree.root))), n, n)
      trees.push(tree)
    }
    expect(trees.map((tree) => existsSync(tree.root))).toEqual([true, true, true])
    // Taking a tree up again makes it the latest.
    await (await use(dir, 800 * KIB, 1)).release()
    const fourth = await use(dir, 800 * KIB, 4)
    expect(trees.map((tree) => existsSync(tree.root))).toEqual([true, false, true])
    expect(existsSync(fourth.root)).toBe(true)
    // Three versions' code and manifest, and the dependency.
    expect(await readdir(join(dir, 'v1/blobs'))).toHaveLength(7)
    expect(await readdir(join(dir, 'v1/use'))).toHaveLength(3)
  })

  it('keeps what this process holds', async () => {
    const dir = await tmpDir()
    const held = await use(dir, 0, 1)
    const other = await use(dir, 0, 2)
    expect(existsSync(held.root)).toBe(true)
    await held.release()
    await held.release()
    const cache = await openCache({ dir, budget: 0 })
    expect((await cache.collect()).trees).toBe(1)
    expect([existsSync(held.root), existsSync(other.root)]).toEqual([false, true])
  })

  it('is not fooled by a pid that was given out again', async () => {
    const dir = await tmpDir()
    const tree = await use(dir, 0, 1)
    await tree.release()
    const [pid, start, where] = (await ownIdentity()).split('-')
    const marks = join(dir, 'v1/use', basename(dirname(tree.root)))
    await writeFile(join(marks, `u-${pid}-${Number(start) - 1000}-${where}-0`), '')
    expect((await (await openCache({ dir, budget: 0 })).collect()).trees).toBe(1)
  })

  it('believes for a week a process that it cannot see', async () => {
    const dir = await tmpDir()
    const tree = await use(dir, 0, 1)
    await tree.release()
    const mark = join(dir, 'v1/use', basename(dirname(tree.root)), 'u-1-1-othermachine-0')
    await writeFile(mark, '')
    const cache = await openCache({ dir, budget: 0 })
    expect((await cache.collect()).trees).toBe(0)
    const old = Date.now() / 1000 - 8 * 24 * 3600
    await utimes(mark, old, old)
    expect((await cache.collect()).trees).toBe(1)
  })

  it('keeps blobs while somebody builds', async () => {
    const dir = await tmpDir()
    const cache = await openCache({ dir })
    await (await cache.runTree(await version(1))).release()
    await writeFile(join(dir, 'v1/blobs/loose'), 'x')
    const building = join(dir, 'v1/temp', `${await ownIdentity()}-999`)
    await writeFile(building, '')
    expect(await cache.collect()).toEqual({ trees: 0, blobs: 0 })
    await rm(building)
    expect(await cache.collect()).toEqual({ trees: 0, blobs: 1 })
  })
})
