import { createHash, randomBytes } from 'node:crypto'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, inflateRawSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { type ReadJob, readFiles } from '../../src/pack/read-files.ts'
import { tmpDir } from '../helpers/tmp.ts'

async function jobs(contents: readonly Buffer[]): Promise<ReadJob[]> {
  const dir = await tmpDir()
  return contents.map((content, i) => {
    const source = join(dir, `${i}.txt`)
    writeFileSync(source, content)
    const { size, mtimeMs } = statSync(source)
    return { source, path: `${i}.txt`, size, mtimeMs, compressible: true, scan: false }
  })
}

async function results(list: readonly ReadJob[]) {
  const all = []
  for await (const result of readFiles(list)) {
    if ('problem' in result) expect.unreachable(result.problem)
    else all.push(result)
  }
  return all
}

const text = (length: number, seed: number) =>
  Buffer.alloc(length, createHash('sha256').update(`${seed}`).digest('hex'))

const SETS: Record<string, () => Buffer[]> = {
  'few and small': () => Array.from({ length: 40 }, (_, i) => text(i * 37, i)),
  'many and small': () => Array.from({ length: 900 }, (_, i) => text(3000 + i, i)),
  'large ones between small ones': () => [
    text(10, 1),
    randomBytes(6 * 2 ** 20),
    text(20, 2),
    text(9 * 2 ** 20, 3),
    text(0, 4),
  ],
  'more than may be in flight': () => Array.from({ length: 4 }, () => randomBytes(20 * 2 ** 20)),
}

for (const [name, make] of Object.entries(SETS)) {
  test(`every file comes back in order, compressed and summed: ${name}`, async () => {
    const contents = make()
    const all = await results(await jobs(contents))
    expect(all).toHaveLength(contents.length)
    for (const [i, { data, method, size, crc32: crc, sha256 }] of all.entries()) {
      const content = contents[i]!
      expect(Buffer.compare(method === 'deflate' ? inflateRawSync(data) : data, content)).toBe(0)
      expect([size, crc]).toEqual([content.length, crc32(content)])
      expect(sha256).toBe(createHash('sha256').update(content).digest('hex'))
    }
  })
}

test('a consumer that stops early ends the workers', async () => {
  const list = await jobs(SETS['many and small']!())
  const before = process.getActiveResourcesInfo().filter((kind) => kind === 'MessagePort').length
  for await (const _ of readFiles(list)) break
  expect(process.getActiveResourcesInfo().filter((kind) => kind === 'MessagePort')).toHaveLength(before)
})

test('an abort ends it with the reason', async () => {
  const list = await jobs(SETS['many and small']!())
  const abort = new AbortController()
  const read = async () => {
    for await (const _ of readFiles(list, abort.signal)) abort.abort(new Error('enough'))
  }
  await expect(read()).rejects.toThrow('enough')
})

test('a file that cannot be read is a problem of that file alone', async () => {
  const list = await jobs(SETS['few and small']!())
  const found: string[] = []
  for await (const result of readFiles([list[1]!, { ...list[2]!, source: '/' }, list[3]!])) {
    found.push('problem' in result ? 'problem' : 'read')
  }
  expect(found).toEqual(['read', 'problem', 'read'])
})
