import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { rejectedFiles } from '../../fixtures/make/files.ts'
import { type Archive, openArchive } from '../../src/archive/archive.ts'
import { unpack } from '../../src/archive/unpack.ts'
import { validateArchive } from '../../src/archive/validate.ts'
import { ZappError } from '../../src/errors.ts'
import { tmpDir } from '../helpers/tmp.ts'

/** The code of the first thing that is wrong, as a caller who opens and then reads everything meets it. */
async function codeOfOpening(input: string | Uint8Array): Promise<string | undefined> {
  let archive: Archive
  try {
    archive = await openArchive(input)
  } catch (error) {
    if (error instanceof ZappError) return error.code
    throw error
  }
  try {
    return (await archive.verify())[0]?.code
  } finally {
    await archive.close()
  }
}

describe('fixtures/rejected', async () => {
  const files = await rejectedFiles()

  test.each(files)('$name', async ({ code, path }) => {
    const { valid, findings } = await validateArchive(path)
    expect(valid).toBe(false)
    expect(findings.map((f) => f.code)[0]).toBe(code)
    expect(await codeOfOpening(path)).toBe(code)
    expect(await codeOfOpening(await readFile(path))).toBe(code)
  })

  test.each(files)('unpacks nothing of $name', async ({ code, path }) => {
    const parent = await tmpDir()
    const target = join(parent, 'out')
    const unpacking = openArchive(path).then(async (archive) => {
      await unpack(archive, target).finally(() => archive.close())
    })
    await expect(unpacking).rejects.toMatchObject({ name: 'ZappError', code })
    expect(existsSync(target)).toBe(false)
    expect(await readdir(parent)).toEqual([])
  })
})
