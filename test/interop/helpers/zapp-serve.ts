import { expect } from 'vitest'
import { BIN } from '../../cli/helper.ts'
import type { Place } from './place.ts'
import { type ServerProcess, startProcess } from './server-process.ts'

/** `zapp serve` of one app, as built, in a process of its own; it answers by the time this resolves. */
export async function startServe(
  file: string,
  mount: string,
  { dir, cache, data }: Place,
  port: number,
  ...flags: string[]
): Promise<ServerProcess> {
  const options = ['--mount', mount || '/', '-p', String(port), '--cache', cache, '--data', data, ...flags]
  const argv = [process.execPath, BIN, 'serve', file, ...options]
  const server = await startProcess(argv, { at: port, cwd: dir, own: true })
  await expect.poll(server.log, { timeout: 90_000 }).toMatch(/^(?:live|failed|error) /m)
  expect(server.log()).toMatch(/^live /m)
  return server
}
