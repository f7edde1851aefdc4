import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { ACCEPTED_DIR } from '../../fixtures/make/files.ts'
import { type Archive, openArchive } from '../../src/archive/archive.ts'
import { bytesSource } from '../../src/archive/source.ts'
import { unpack } from '../../src/archive/unpack.ts'
import { validateArchive } from '../../src/archive/validate.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { readWithYauzl } from './helpers/yauzl.ts'

interface Tree {
  readonly files: Record<string, { content: string; mode: string }>
  readonly folders: string[]
}

const names = (await readdir(ACCEPTED_DIR)).filter((name) => name.endsWith('.zapp')).map((name) => name.slice(0, -5))
const folders: Record<string, string[]> = JSON.parse(await readFile(join(ACCEPTED_DIR, 'folders.json'), 'utf8'))

const WARNINGS: Record<string, string[]> = {
  bare: [
    'warning FOLDER_MISSING public/',
    'warning METADATA_MISSING ZAPP-INF/sbom.cdx.json',
    'warning METADATA_MISSING ZAPP-INF/build.json',
  ],
  unsorted: ['warning ENTRY_ORDER public/'],
}

async function treeOnDisk(root: string): Promise<Tree> {
  const tree: Tree = { files: {}, folders: [] }
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name)
    const path = file.slice(root.length + 1)
    if (entry.isDirectory()) tree.folders.push(`${path}/`)
    else tree.files[path] = { content: await readFile(file, 'hex'), mode: await modeOf(file) }
  }
  tree.folders.sort()
  return tree
}

async function treeInArchive(archive: Archive): Promise<Tree> {
  const tree: Tree = { files: {}, folders: [] }
  for (const entry of archive.entries.values()) {
    if (entry.kind === 'dir') tree.folders.push(entry.path)
    else {
      const content = Buffer.from(await archive.read(entry)).toString('hex')
      tree.files[entry.path] = { content, mode: entry.mode.toString(8) }
    }
  }
  tree.folders.sort()
  return tree
}

async function modeOf(file: string): Promise<string> {
  return ((await stat(file)).mode & 0o777).toString(8)
}

test('there are archives to accept', () => {
  expect(names.length).toBeGreaterThan(10)
  expect(Object.keys(folders).sort()).toEqual([...names].sort())
})

describe.each(names)('fixtures/accepted/%s', (name) => {
  const file = join(ACCEPTED_DIR, `${name}.zapp`)
  const expected = async (): Promise<Tree> => {
    const { files } = await treeOnDisk(join(ACCEPTED_DIR, name))
    return { files, folders: [...folders[name]!].sort() }
  }

  test('is the tree beside it, by every way in', async () => {
    const bytes = await readFile(file)
    for (const input of [file, bytes, bytesSource(bytes)]) {
      const archive = await openArchive(input)
      expect(await treeInArchive(archive)).toEqual(await expected())
      expect(await archive.verify()).toEqual([])
      await archive.close()
    }
  })

  test('gives the same bytes by stream, raw and readAll', async () => {
    const archive = await openArchive(file)
    for await (const portion of archive.readAll()) {
      for (const [entry, content] of portion) {
        expect(content).toEqual(await archive.read(entry))
        expect(await buffer(archive.stream(entry))).toEqual(content)
        expect(await buffer(archive.raw(entry))).toEqual(await archive.readRaw(entry))
        if (entry.method === 'stored') expect(await archive.readRaw(entry)).toEqual(content)
      }
    }
    await archive.close()
  })

  test('has no error, and a warning only where the packer left something undone', async () => {
    const { valid, findings } = await validateArchive(file)
    expect(valid).toBe(true)
    expect(findings.map((f) => `${f.severity} ${f.code} ${f.path}`)).toEqual(WARNINGS[name] ?? [])
  })

  test('unpacks to the tree beside it', async () => {
    const target = join(await tmpDir(), 'out')
    const archive = await openArchive(file)
    const { files } = await unpack(archive, target)
    await archive.close()
    const { folders: unpacked, ...tree } = await treeOnDisk(target)
    const { folders: listed, ...wanted } = await expected()
    expect(tree).toEqual(wanted)
    expect(files).toBe(Object.keys(wanted.files).length)
    expect(unpacked.filter((folder) => listed.includes(folder))).toEqual(listed)
  })

  test('is read alike by yauzl', async () => {
    const archive = await openArchive(file)
    const ours = new Map<string, string>()
    for (const entry of archive.entries.values()) {
      ours.set(entry.path, Buffer.from(await archive.read(entry)).toString('hex'))
    }
    await archive.close()
    expect(await readWithYauzl(await readFile(file))).toEqual(ours)
  })
})
