import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { tmpDir } from '../helpers/tmp.ts'
import { cli, cliJson, ROOT } from './helper.ts'

let cwd: string
beforeEach(async () => {
  cwd = await tmpDir()
  await copyFile(join(ROOT, 'fixtures/rejected/DATA_DESCRIPTOR--signed.zapp'), join(cwd, 'shop.zip'))
})

describe('repack', () => {
  it('is the next step that the loaders name, and cures what they refuse', async () => {
    expect((await cli(['inspect', 'shop.zip'], { cwd })).stderr).toContain('fix: Run: zapp repack shop.zip\n')
    const { code, stdout, stderr } = await cli(['repack', 'shop.zip'], { cwd })
    expect([code, stdout]).toEqual([0, 'shop.zapp\n'])
    // It cannot make up what only the packer knew.
    expect(stderr).toMatch(/^warning METADATA_MISSING {2}shop\.zapp › ZAPP-INF\/sbom\.cdx\.json\n/)
    expect(stderr).toMatch(/\n\n\d+ files repacked into [\d.]+ k?B in \d+ ms\n$/)
    expect(await cliJson(['validate', 'shop.zapp'], { cwd })).toMatchObject({ code: 0, answer: { valid: true } })
  })

  it('answers in JSON as pack does', async () => {
    const { stdout } = await cli(['repack', 'shop.zip', '-o', 'a.zapp', '--json'], { cwd })
    const answer = JSON.parse(stdout)
    expect(Object.keys(answer)).toEqual(['file', 'bytes', 'files', 'digest', 'contentDigest', 'ms'])
    expect(answer).toMatchObject({ file: 'a.zapp', bytes: (await readFile(join(cwd, 'a.zapp'))).length })
  })

  it('refuses what it cannot read, and writes nothing', async () => {
    await mkdir(join(cwd, 'folder'))
    await writeFile(join(cwd, 'junk.zip'), 'junk'.repeat(100))
    await writeFile(join(cwd, 'empty.zip'), Buffer.from(`504b0506${'00'.repeat(18)}`, 'hex'))
    const before = await readdir(cwd)
    for (const [argv, exit, error] of [
      [['repack', 'nope.zip'], 2, 'NOT_FOUND'],
      [['repack', 'folder'], 2, 'NOT_A_FILE'],
      [['repack', 'junk.zip'], 1, 'ZIP_UNREADABLE'],
      [['repack', 'empty.zip'], 1, 'MANIFEST_MISSING'],
      [['repack', 'shop.zip', '-o', 'nope/a.zapp'], 1, 'IO'],
    ] as const) {
      const { code, answer } = await cliJson<{ error: { code: string } }>(argv, { cwd })
      expect([argv, code, answer.error.code]).toEqual([argv, exit, error])
    }
    expect(await readdir(cwd)).toEqual(before)
  })
})
