import { readdirSync } from 'node:fs'
import { copyFile, open } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ACCEPTED_DIR } from '../../fixtures/make/files.ts'
import { openArchive } from '../../src/archive/archive.ts'
import { openJudged } from '../../src/archive/judged-archive.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'

const accepted = readdirSync(ACCEPTED_DIR).filter((name) => name.endsWith('.zapp'))

test.each(accepted)('%s is the same archive without being judged again', async (name) => {
  const file = join(ACCEPTED_DIR, name)
  const [judged, full] = [await openJudged(file), await openArchive(file)]
  expect([...judged.entries]).toEqual([...full.entries])
  expect(judged.manifest).toEqual(full.manifest)
  expect(judged.contentDigest).toBe(full.contentDigest)
  expect(await judged.digest()).toBe(await full.digest())
  expect(await judged.verify()).toEqual([])
  await Promise.all([judged.close(), full.close()])
})

test('more entries than are taken in at once', async () => {
  const names = Array.from({ length: 5000 }, (_, i) => [`files/${i}.txt`, i % 3 === 0 ? `#!${i}` : `${i}`])
  const file = await makeArchive(await tmpDir(), {}, Object.fromEntries(names))
  const [judged, full] = [await openJudged(file), await openArchive(file)]
  expect([...judged.entries]).toEqual([...full.entries])
  await Promise.all([judged.close(), full.close()])
})

test('content that is damaged all the same does not leave', async () => {
  const file = join(await tmpDir(), 'damaged.zapp')
  await copyFile(join(ACCEPTED_DIR, 'bare.zapp'), file)
  const before = await openJudged(file)
  const last = [...before.entries.values()].find(({ path }) => path !== 'mimetype' && path !== 'zapp.json')
  await before.close()
  if (!last || last.size === 0) throw new Error('the fixture has no content to damage')
  const handle = await open(file, 'r+')
  await handle.write(Buffer.from([0xff]), 0, 1, last.dataOffset)
  await handle.close()
  const archive = await openJudged(file)
  await expect(archive.read(archive.entries.get(last.path) ?? last)).rejects.toThrow()
  await archive.close()
})
