import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setImmediate as turn } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Archive, type ArchiveEntry, openArchive } from '../../src/archive/archive.ts'
import { openCache } from '../../src/cache/cache.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { npmTree } from '../helpers/npm-tree.ts'
import { tmpDir } from '../helpers/tmp.ts'

let file: string
let archive: Archive
let blobs: number

beforeAll(async () => {
  const app = 'module.exports = require("express")().get("/", (req, res) => res.send("hi"))'
  const files = { 'app.js': app, ...npmTree('express5', 'express') }
  file = await makeArchive(await tmpDir(), { entry: { type: 'node', module: 'app.js' } }, files)
  archive = await openArchive(file)
  blobs = new Set([...archive.entries.values()].filter(inTree).map((e) => e.sha256)).size
})

function inTree({ kind, path }: ArchiveEntry): boolean {
  return kind === 'file' && path !== 'mimetype' && !path.startsWith('ZAPP-INF/')
}

function start(cache: string): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, 'child.js'), file, cache], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
}

async function answer(child: ChildProcess): Promise<{ root: string; reused: boolean }> {
  const [line] = await once(createInterface(child.stdout!), 'line')
  return JSON.parse(line)
}

async function end(child: ChildProcess): Promise<void> {
  child.stdin!.end()
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

function count(folder: string): number {
  return existsSync(folder) ? readdirSync(folder).length : 0
}

/** Every file of the archive that belongs into the tree, byte for byte. */
async function expectWhole(root: string): Promise<void> {
  for (const entry of archive.entries.values()) {
    if (!inTree(entry)) continue
    expect((await readFile(join(root, entry.path))).equals(await archive.read(entry)), entry.path).toBe(true)
  }
}

describe('processes that start at once', () => {
  it('end up with one whole tree', async () => {
    const dir = await tmpDir()
    const children = Array.from({ length: 4 }, () => start(dir))
    const answers = await Promise.all(children.map(answer))
    expect(new Set(answers.map((a) => a.root)).size).toBe(1)
    await expectWhole(answers[0]!.root)
    expect(await readdir(join(dir, 'v1/trees'))).toHaveLength(1)
    // Each holds it.
    expect(count(join(dir, 'v1/use', (await readdir(join(dir, 'v1/use')))[0]!))).toBe(4)
    await Promise.all(children.map(end))
    expect(await readdir(join(dir, 'v1/temp'))).toEqual([])
  })
})

describe('a process that is killed', () => {
  // At each point, told by what is on disk: it has begun; some content is there; nearly all; the tree is in place.
  const points: [string, (dir: string) => boolean][] = [
    ['as soon as it has begun', (dir) => count(join(dir, 'temp')) > 0],
    ['with its first content', (dir) => count(join(dir, 'blobs')) > 0],
    ['with a third of its content', (dir) => count(join(dir, 'blobs')) > blobs / 3],
    ['with nearly all of its content', (dir) => count(join(dir, 'blobs')) > blobs * 0.95],
    ['with the tree in place', (dir) => count(join(dir, 'trees')) > 0],
  ]
  for (const [when, reached] of points) {
    it(`${when} leaves nothing behind that harms the next`, async () => {
      const dir = await tmpDir()
      const child = start(dir)
      while (!reached(join(dir, 'v1'))) await turn()
      child.kill('SIGKILL')
      await once(child, 'exit')

      const cache = await openCache({ dir })
      const tree = await cache.runTree(archive)
      await expectWhole(tree.root)
      expect(await readdir(join(dir, 'v1/temp'))).toEqual([])
      expect(await readdir(join(dir, 'v1/trees'))).toHaveLength(1)
      // Its mark does not count: without a holder and without budget the tree goes.
      await tree.release()
      expect((await (await openCache({ dir, budget: 0 })).collect()).trees).toBe(1)
    })
  }
})

describe('collection', () => {
  it('spares a tree that another process holds, until that process is gone', async () => {
    const dir = await tmpDir()
    const child = start(dir)
    const { root } = await answer(child)
    const cache = await openCache({ dir, budget: 0 })
    expect((await cache.collect()).trees).toBe(0)
    expect(existsSync(root)).toBe(true)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await cache.collect()).toEqual({ trees: 1, blobs })
    expect(existsSync(root)).toBe(false)
  })
})
