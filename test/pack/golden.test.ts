import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import { pack } from '../../src/pack/pack.ts'
import { tmpDir } from '../helpers/tmp.ts'

/*
 * The archive of a small tree, kept as bytes: a change of what pack writes cannot pass unseen. After one on purpose:
 * UPDATE=1 npx vitest run test/pack/golden.test.ts
 */

const GOLDEN = join(import.meta.dirname, '../../fixtures/golden')

test('pack writes the archive that is kept, byte for byte', async () => {
  const out = join(await tmpDir(), 'shop.zapp')
  const { contentDigest } = await pack(join(GOLDEN, 'shop'), { out })
  const kept = join(GOLDEN, 'shop.zapp')
  if (process.env.UPDATE) await copyFile(out, kept)

  const archive = await openArchive(kept)
  expect(contentDigest).toBe(archive.contentDigest)
  await archive.close()
  // Equal bytes are promised for Node's own zlib on one processor family; equal content everywhere.
  if (process.config.variables.node_shared_zlib !== true && process.arch === 'x64') {
    expect((await readFile(out)).equals(await readFile(kept))).toBe(true)
  }
})
