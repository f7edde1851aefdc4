import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { type RejectedFile, rejectedFiles } from '../../fixtures/make/files.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { cli, cliJson } from './helper.ts'

/** What a terminal must never get from a name or a manifest that a stranger wrote. */
const RAW = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/

let files: RejectedFile[]
let dir: string
beforeAll(async () => {
  files = await rejectedFiles()
  dir = await tmpDir()
  expect(files.length).toBeGreaterThan(100)
})

it('validate --json has the code of every rejected archive as its first error', async () => {
  for (const { name, code, path } of files) {
    const { code: exit, answer } = await cliJson<{ valid: boolean; findings: { code: string; severity: string }[] }>([
      'validate',
      path,
    ])
    const first = answer.findings.find(({ severity }) => severity === 'error')
    expect([name, exit, answer.valid, first?.code]).toEqual([name, 1, false, code])
  }
})

it('unpack of every rejected archive fails and writes nothing', async () => {
  const empty = join(dir, 'empty')
  await mkdir(empty)
  for (const { name, code, path } of files) {
    const { code: exit, answer } = await cliJson<{ error: { code: string } }>(['unpack', path, '-d', 'out'], {
      cwd: empty,
    })
    expect([name, exit, answer.error.code]).toEqual([name, 1, code])
    expect(await readdir(empty)).toEqual([])
  }
})

it('no command sends raw bytes of a rejected archive to a terminal', async () => {
  for (const { name, path } of files) {
    for (const argv of [
      ['validate', path],
      ['inspect', path],
      ['validate', path, '--json'],
      ['inspect', path, '--json'],
    ]) {
      const { code, stdout, stderr } = await cli(argv, { tty: true, env: { NO_COLOR: '1' } })
      expect([name, code, RAW.test(stdout + stderr)]).toEqual([name, 1, false])
    }
  }
})
