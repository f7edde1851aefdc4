import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect, it } from 'vitest'
import { ownIdentity } from '../../src/cache/process-id.ts'
import { privateFolder } from '../../src/runtimes/private-folder.ts'

it('is for this user alone, and those of processes that are gone are removed', async () => {
  const { pid } = spawnSync(process.execPath, ['--version'])
  const own = await ownIdentity()
  const dead = join(tmpdir(), `zapp-${own.replace(/^[0-9]+/, String(pid))}-AAAAAA`)
  const living = join(tmpdir(), `zapp-${own}-AAAAAA`)
  for (const folder of [dead, living]) await mkdir(folder)
  await writeFile(join(dead, 's'), '')
  const folder = await privateFolder()
  expect(basename(folder)).toMatch(new RegExp(`^zapp-${own}-`))
  expect((await stat(folder)).mode & 0o777).toBe(0o700)
  expect([dead, living].map((one) => existsSync(one))).toEqual([false, true])
  for (const one of [living, folder]) await rm(one, { recursive: true })
})
