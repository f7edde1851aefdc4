import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

const made: string[] = []

/** A fresh folder outside the project, removed after the test file. Its path holds no link. */
export async function tmpDir(): Promise<string> {
  const dir = await mkdtemp(join(await realpath(tmpdir()), 'zapp-test-'))
  made.push(dir)
  return dir
}

afterAll(async () => {
  await Promise.all(made.splice(0).map((dir) => rm(dir, { recursive: true, force: true, maxRetries: 3 })))
})
