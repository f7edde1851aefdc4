import { expect, it } from 'vitest'
import { FilesBelow } from '../../src/format/files-below.ts'
import { openArchive } from '../../src/index.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'

it('the files below a folder are those whose names go on behind its slash', () => {
  const below = new FilesBelow(['b', 'a0', 'a/z', 'a', 'a-b/c', 'a/b/c', 'a/é', 'a.b', 'aa/b', 'A/b'])
  expect(below.of('a')).toEqual(['a/b/c', 'a/z', 'a/é'])
  expect(below.of('a/b')).toEqual(['a/b/c'])
  expect(['a', 'aa', 'a-b', 'b', 'a/z', ''].map((folder) => below.count(folder))).toEqual([3, 1, 1, 0, 0, 0])
})

it('static routes reach as many files as the limit says, and not one more', async () => {
  const routes = { '/': { static: 'public' }, '/a/*': { static: 'public/a' }, '/b': { static: 'public/b.txt' } }
  const files = { 'public/b.txt': 'b', 'public/a/c.txt': 'c', 'public/a/d.txt': 'd', 'other.txt': 'o' }
  const file = await makeArchive(await tmpDir(), { name: 'site', version: '1.0.0', routes }, files)
  // Three below public, two of them once more below public/a; an exact route is one file, whose number is that of routes.
  const archive = await openArchive(file, { limits: { staticFiles: 5 } })
  await archive.close()
  const refused = openArchive(file, { limits: { staticFiles: 4 } })
  await expect(refused).rejects.toMatchObject({ code: 'MANIFEST_STATIC_FILES', args: { limit: 4, got: 5 } })
})
