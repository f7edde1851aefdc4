import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { asPlainUser } from '../helpers/as-user.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { cli, cliJson } from './helper.ts'

let cwd: string
let file: string
beforeEach(async () => {
  const files = { 'bin/tool': '#!/bin/sh\n', 'public/index.html': 'hello' }
  file = await makeArchive(await tmpDir(), { name: 'shop', routes: { '/': { static: 'public' } } }, files)
  cwd = await tmpDir()
})

describe('unpack', () => {
  it('makes a folder named after the archive and prints its name', async () => {
    const name = /([^/]+)\.zapp$/.exec(file)?.[1] as string
    const { code, stdout, stderr } = await cli(['unpack', file], { cwd })
    expect([code, stdout]).toEqual([0, `${name}\n`])
    expect(stderr).toMatch(/^5 files, [\d.]+ (k?B), unpacked into\n$/)
    expect(await readdir(join(cwd, name))).toEqual(['ZAPP-INF', 'bin', 'mimetype', 'public', 'zapp.json'])
    expect(await readFile(join(cwd, name, 'public/index.html'), 'utf8')).toBe('hello')
    expect((await stat(join(cwd, name, 'bin/tool'))).mode & 0o777).toBe(0o755)
  })

  it('takes the folder that -d names', async () => {
    const { code, answer } = await cliJson(['unpack', file, '-d', 'out'], { cwd })
    expect(code).toBe(0)
    expect(answer).toEqual({ dir: 'out', files: 5, bytes: expect.any(Number) })
    expect(await readdir(cwd)).toEqual(['out'])
  })

  it('refuses a target that exists, and leaves it as it is', async () => {
    await mkdir(join(cwd, 'out'))
    const { code, stdout, stderr } = await cli(['unpack', file, '-d', 'out'], { cwd })
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^error TARGET_EXISTS {2}.*\n {2}"?out"? must not exist yet\n {2}fix: .*-d/)
    expect(await readdir(join(cwd, 'out'))).toEqual([])
    expect(await readdir(cwd)).toEqual(['out'])
  })

  it('refuses a target behind a link', async () => {
    await mkdir(join(cwd, 'real'))
    await symlink('real', join(cwd, 'link'))
    const { code, answer } = await cliJson<{ error: object }>(['unpack', file, '-d', 'link/out'], { cwd })
    expect([code, answer.error]).toEqual([1, expect.objectContaining({ code: 'TARGET_LINK' })])
    expect(await readdir(join(cwd, 'real'))).toEqual([])
  })

  it('needs a place that it may write to', async () => {
    await chmod(dirname(file), 0o755)
    await chmod(cwd, 0o555)
    const { code, stderr } = await asPlainUser(() => cli(['unpack', file, '-d', 'out'], { cwd }))
    await chmod(cwd, 0o755)
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error IO .*\n {2}.*EACCES/)])
    expect(await readdir(cwd)).toEqual([])
  })

  it('asks for -d where the name of the archive gives none', async () => {
    await writeFile(join(cwd, 'app'), await readFile(file))
    const { code, stderr } = await cli(['unpack', 'app'], { cwd })
    expect([code, stderr]).toEqual([2, expect.stringContaining('must be named with -d')])
    expect(await readdir(cwd)).toEqual(['app'])
  })

  it('ends with 130 and nothing written when it is interrupted', async () => {
    const { code, stdout } = await cli(['unpack', file, '-d', 'out'], { cwd, signal: AbortSignal.abort('SIGINT') })
    expect([code, stdout]).toEqual([130, ''])
    expect(await readdir(cwd)).toEqual([])
  })
})
