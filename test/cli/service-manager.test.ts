import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ServiceManager } from '../../src/cli/service-manager.ts'
import { tmpDir } from '../helpers/tmp.ts'

/** A systemd-notify that writes down what it was told, the first the slowest. */
async function witness() {
  const dir = await tmpDir()
  const log = join(dir, 'log')
  const program = `#!/bin/sh\n[ -e ${log} ] || sleep 0.2\necho "$NOTIFY_SOCKET $*" >> ${log}\n`
  await writeFile(join(dir, 'systemd-notify'), program, { mode: 0o755 })
  const lines = async () => (await readFile(log, 'utf8').catch(() => '')).split('\n').slice(0, -1)
  return { env: { PATH: `${dir}:/usr/bin:/bin`, NOTIFY_SOCKET: '/run/n' }, lines }
}
const never = (error: Error) => expect.unreachable(error.message)

it('tells systemd one thing after the other', async () => {
  const { env, lines } = await witness()
  const manager = new ServiceManager(env, 1, never)
  void manager.ready('2 apps at http://x/')
  void manager.reloading()
  await manager.stopping()
  const reloading = expect.stringMatching(/^\/run\/n RELOADING=1 MONOTONIC_USEC=\d+$/)
  expect(await lines()).toEqual(['/run/n READY=1 STATUS=2 apps at http://x/', reloading, '/run/n STOPPING=1'])
})

it('shows that it is alive as often as it is asked to, and only where it is the one who is asked', async () => {
  const { env, lines } = await witness()
  const other = new ServiceManager({ ...env, WATCHDOG_USEC: '2000', WATCHDOG_PID: '2' }, 1, never)
  const manager = new ServiceManager({ ...env, WATCHDOG_USEC: '40000', WATCHDOG_PID: '1' }, 1, never)
  await expect.poll(async () => (await lines()).length).toBeGreaterThan(2)
  await Promise.all([manager.stopping(), other.stopping()])
  expect(new Set(await lines())).toEqual(new Set(['/run/n WATCHDOG=1', '/run/n STOPPING=1']))
})

it('says once that nobody can be told, and nothing where nobody asks', async () => {
  const errors: Error[] = []
  const manager = new ServiceManager({ PATH: '/nowhere', NOTIFY_SOCKET: '/run/n' }, 1, (error) => errors.push(error))
  await manager.ready('')
  await manager.stopping()
  expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining('systemd-notify')])
  await new ServiceManager({ PATH: '/nowhere' }, 1, never).ready('')
})
