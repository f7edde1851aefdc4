import { chmod, chown, lstat, mkdir, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Archive, openArchive } from '../../src/archive/archive.ts'
import { openCache } from '../../src/cache/cache.ts'
import { ownIdentity } from '../../src/cache/process-id.ts'
import { asPlainUser, plainUser } from '../helpers/as-user.ts'
import { type Files, makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'

const app = { entry: { type: 'node', module: 'app.js' } }
const files: Files = {
  'app.js': 'module.exports = require("dep")',
  'bin/tool': '#!/bin/sh\necho hi\n',
  'node_modules/dep/index.js': 'module.exports = () => {}',
  'node_modules/dep/LICENSE': 'same',
  'node_modules/other/LICENSE': 'same',
}

async function archiveOf(manifest: Record<string, unknown>, content: Files): Promise<Archive> {
  return openArchive(await readFile(await makeArchive(await tmpDir(), manifest, content)))
}

async function newCache() {
  const dir = await tmpDir()
  return { dir, cache: await openCache({ dir }) }
}

const inode = async (file: string) => (await stat(file)).ino

describe('a run tree', () => {
  it('is the project as its author left it', async () => {
    const { cache } = await newCache()
    const archive = await archiveOf(app, files)
    const { root } = await cache.runTree(archive)
    const found = (await readdir(root, { recursive: true, withFileTypes: true })).filter((e) => e.isFile())
    const paths = found.map((e) => join(e.parentPath, e.name).slice(root.length + 1)).sort()
    expect(paths).toEqual([...Object.keys(files), 'zapp.json'].sort())
    for (const path of Object.keys(files)) expect(await readFile(join(root, path), 'utf8')).toBe(files[path])
    expect((await stat(join(root, 'bin/tool'))).mode & 0o777).toBe(0o755)
    await archive.close()
  })

  it('shares dependencies read-only and has its own copy of the rest', async () => {
    const { cache } = await newCache()
    const one = await cache.runTree(await archiveOf(app, files))
    const two = await cache.runTree(await archiveOf({ ...app, version: '1.1.0' }, files))
    expect(two.root).not.toBe(one.root)
    const dep = 'node_modules/dep/index.js'
    expect(await inode(join(one.root, dep))).toBe(await inode(join(two.root, dep)))
    expect((await stat(join(one.root, dep))).mode & 0o222).toBe(0)
    expect(await inode(join(one.root, 'app.js'))).not.toBe(await inode(join(two.root, 'app.js')))
    // An app that edits itself changes neither the other version nor what a later one is made of.
    await writeFile(join(one.root, 'app.js'), 'edited')
    expect(await readFile(join(two.root, 'app.js'), 'utf8')).toBe(files['app.js'])
    const three = await cache.runTree(await archiveOf({ ...app, version: '1.2.0' }, files))
    expect(await readFile(join(three.root, 'app.js'), 'utf8')).toBe(files['app.js'])
  })

  it('is built once', async () => {
    const { dir, cache } = await newCache()
    const archive = await archiveOf(app, files)
    const first = await cache.runTree(archive)
    const again = await (await openCache({ dir })).runTree(archive)
    expect([first.reused, again.reused]).toEqual([false, true])
    expect(again.root).toBe(first.root)
    expect(await readdir(join(dir, 'v1/temp'))).toEqual([])
  })

  it('has moments of entering the cache as modification times, never the date of the zip', async () => {
    const { cache } = await newCache()
    const before = Math.floor(Date.now() / 1000)
    const { root } = await cache.runTree(await archiveOf(app, files))
    const times = await Promise.all(Object.keys(files).map(async (f) => (await stat(join(root, f))).mtimeMs / 1000))
    expect(new Set(times).size).toBe(1)
    expect(times[0]).toBeGreaterThanOrEqual(before)
    // A later version within the same second: what changed has another whole second, what did not has kept its own.
    const changed = { ...files, 'app.js': 'module.exports = require("DEP")' }
    const next = await cache.runTree(await archiveOf({ ...app, version: '1.1.0' }, changed))
    const time = async (file: string) => (await stat(join(next.root, file))).mtimeMs / 1000
    expect(await time('app.js')).toBeGreaterThanOrEqual(times[0]! + 1)
    expect(await time('bin/tool')).toBe(times[0])
    expect(await time('node_modules/dep/index.js')).toBe(times[0])
  })

  it('is not looked through for a package.json above it', async () => {
    const { cache, dir } = await newCache()
    await writeFile(join(dir, 'package.json'), '{"type":"module"}')
    const { root } = await cache.runTree(await archiveOf(app, files))
    expect(JSON.parse(await readFile(join(root, '../package.json'), 'utf8'))).toEqual({})
  })

  it('does without blobs that were written through', async () => {
    const { cache } = await newCache()
    const one = await cache.runTree(await archiveOf(app, files))
    const dep = 'node_modules/dep/index.js'
    // Root can: read-only is no obstacle to it.
    await chmod(join(one.root, dep), 0o644)
    await writeFile(join(one.root, dep), String(files[dep]).replace('{}', '[]'))
    const two = await cache.runTree(await archiveOf({ ...app, version: '1.1.0' }, files))
    expect(await readFile(join(two.root, dep), 'utf8')).toBe(files[dep])
  })

  it('is not built from damaged content', async () => {
    const { cache, dir } = await newCache()
    const file = await makeArchive(await tmpDir(), app, { ...files, 'big.txt': 'abcdefgh'.repeat(300_000) })
    const bytes = await readFile(file)
    const good = await openArchive(bytes)
    const { dataOffset, compressedSize } = good.entries.get('big.txt')!
    bytes[dataOffset + (compressedSize >> 1)]! ^= 1
    const archive = await openArchive(bytes)
    await expect(cache.runTree(archive)).rejects.toMatchObject({ path: 'big.txt' })
    expect(await readdir(join(dir, 'v1/trees'))).toEqual([])
    expect(await readdir(join(dir, 'v1/temp'))).toEqual([])
  })
})

describe('unpack: false', () => {
  const media = { 'public/index.html': 'x', 'public/video/a.mp4': 'y', 'public/video/server.js': 'z' }
  const there = async (routes: object, entry: object = { type: 'node', module: 'app.js' }) => {
    const { cache } = await newCache()
    const { root } = await cache.runTree(await archiveOf({ entry, routes }, { ...files, ...media }))
    const paths = await readdir(join(root, 'public'), { recursive: true })
    return paths.filter((path) => path.includes('.')).sort()
  }

  it('leaves files in the archive that no other route unpacks', async () => {
    const all = ['index.html', 'video/a.mp4', 'video/server.js']
    expect(await there({ '/': { static: 'public' } })).toEqual(all)
    expect(await there({ '/': { static: 'public' }, '/v/*': { static: 'public/video', unpack: false } })).toEqual([
      'index.html',
    ])
    expect(
      await there({
        '/v/*': { static: 'public/video', unpack: false },
        '/w/*': { static: 'public/video' },
      }),
    ).toEqual(all)
  })

  it('does not hold for a folder that holds code', async () => {
    const routes = { '/v/*': { static: 'public/video', unpack: false } }
    expect(await there(routes, { type: 'node', module: 'public/video/server.js' })).toContain('video/a.mp4')
  })
})

describe('data folders', () => {
  const manifest = { ...app, data: { uploads: { path: 'var/uploads', env: 'UPLOAD_DIR' }, empty: { path: 'empty' } } }
  const content = { ...files, 'var/uploads/sub/first.txt': 'seed', 'var/other.txt': 'mine' }

  it('are links to the data root, filled once, and survive redeploys', async () => {
    const { cache } = await newCache()
    const dataRoot = join(await tmpDir(), 'data')
    const one = await cache.runTree(await archiveOf(manifest, content), { dataRoot })
    expect(one.data.get('uploads')).toBe(join(dataRoot, 'uploads'))
    expect(await readlink(join(one.root, 'var/uploads'))).toBe(join(dataRoot, 'uploads'))
    expect(await readFile(join(one.root, 'var/uploads/sub/first.txt'), 'utf8')).toBe('seed')
    expect((await lstat(join(one.root, 'empty'))).isSymbolicLink()).toBe(true)
    await writeFile(join(one.root, 'var/uploads/sub/first.txt'), 'changed')
    await writeFile(join(one.root, 'empty/new.txt'), 'new')

    const next = { ...content, 'var/uploads/sub/first.txt': 'seed 2' }
    const two = await cache.runTree(await archiveOf({ ...manifest, version: '2.0.0' }, next), { dataRoot })
    expect(await readFile(join(two.root, 'var/uploads/sub/first.txt'), 'utf8')).toBe('changed')
    expect(await readFile(join(two.root, 'empty/new.txt'), 'utf8')).toBe('new')
    expect((await readdir(dataRoot)).sort()).toEqual(['empty', 'uploads'])
  })

  it('that a killed process had begun to fill are not taken for whole', async () => {
    const { cache } = await newCache()
    const dataRoot = await tmpDir()
    const [pid, start, where] = (await ownIdentity()).split('-')
    const left = join(dataRoot, `.seed-${pid}-${Number(start) - 1000}-${where}-Ab12Cd`)
    await mkdir(left)
    await writeFile(join(left, 'half.txt'), 'half')
    const tree = await cache.runTree(await archiveOf(manifest, content), { dataRoot })
    expect(await readFile(join(tree.root, 'var/uploads/sub/first.txt'), 'utf8')).toBe('seed')
    expect((await readdir(dataRoot)).sort()).toEqual(['empty', 'uploads'])
  })

  it('of two deployments are apart', async () => {
    const { cache } = await newCache()
    const archive = await archiveOf(manifest, content)
    const [a, b] = [await tmpDir(), await tmpDir()]
    const one = await cache.runTree(archive, { dataRoot: a })
    const two = await cache.runTree(archive, { dataRoot: b })
    expect(two.root).not.toBe(one.root)
    expect(await readlink(join(two.root, 'empty'))).toBe(join(b, 'empty'))
  })
})

describe('a cache that is read-only', () => {
  it('serves what it holds and refuses the rest', async () => {
    const dir = await tmpDir()
    const filled = await archiveOf(app, files)
    const missing = await archiveOf({ ...app, version: '9.0.0' }, files)
    const tree = await (await openCache({ dir })).runTree(filled)
    await tree.release()
    const paths = [dir, ...(await readdir(dir, { recursive: true })).map((path) => join(dir, path))]
    for (const path of paths) {
      await chown(path, plainUser(), -1)
      await chmod(path, (await stat(path)).isDirectory() ? 0o500 : 0o400)
    }
    try {
      await asPlainUser(async () => {
        const cache = await openCache({ dir })
        const again = await cache.runTree(filled)
        expect(again.reused).toBe(true)
        expect(await readFile(join(again.root, 'app.js'), 'utf8')).toBe(files['app.js'])
        await again.release()
        await expect(cache.runTree(missing)).rejects.toMatchObject({ code: 'CACHE_READ_ONLY' })
      })
    } finally {
      for (const path of paths) await chmod(path, 0o700)
    }
  })

  it('and empty is refused', async () => {
    const dir = await tmpDir()
    await chown(dir, plainUser(), -1)
    await chmod(dir, 0o500)
    const archive = await archiveOf(app, files)
    await asPlainUser(async () => {
      const cache = await openCache({ dir })
      await expect(cache.runTree(archive)).rejects.toMatchObject({ code: 'CACHE_READ_ONLY' })
    })
    await chmod(dir, 0o700)
  })
})

describe('modification times', () => {
  it('grow even when the clock was set back', async () => {
    const { cache, dir } = await newCache()
    await cache.runTree(await archiveOf(app, files))
    // As if the first version had been unpacked tomorrow.
    const seconds = join(dir, 'v1/seconds')
    const tomorrow = Math.floor(Date.now() / 1000) + 86_400
    await writeFile(join(seconds, String(tomorrow)), '')
    const next = await cache.runTree(await archiveOf({ ...app, version: '1.1.0' }, { ...files, 'new.txt': 'new' }))
    expect((await stat(join(next.root, 'new.txt'))).mtimeMs / 1000).toBe(tomorrow + 1)
    expect(await readdir(seconds)).toEqual([String(tomorrow + 1)])
  })
})
