import { chmod, chown, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { startAdminHost } from '../helpers/admin-host.ts'
import { asPlainUser, plainUser } from '../helpers/as-user.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { cli, cliJson, startCli } from './helper.ts'

const { dir, host, url, tokenFile } = await startAdminHost()
const remote = ['--to', `unix:${join(dir, 'state', 'admin.sock')}`, '--token-file', tokenFile]

const site = (version: string, text = version, manifest: Record<string, unknown> = {}) => {
  const whole = { name: 'site', version, routes: { '/': { static: 'public' } }, ...manifest }
  return makeArchive(dir, whole, { 'public/index.html': text })
}
const page = async () => (await fetch(`${host.address.url}site/`)).text()

test('from nothing to a version and back, as a person would', async () => {
  expect(await cli(['list', ...remote])).toMatchObject({ code: 0, stdout: '', stderr: 'no apps\n' })
  const first = await cli(['deploy', await site('1.0.0', 'one'), '--path', '/site', ...remote])
  expect(first).toMatchObject({ code: 0, stdout: `${host.address.url}site/\n` })
  expect(first.stderr).toMatch(/^site 1\.0\.0 is live, in /)
  const second = await site('1.1.0', 'two')
  const plan = await cli(['deploy', second, '--path', '/site', '--dry-run', ...remote])
  expect(plan.stdout).toContain('site 1.1.0 would take the place of 1.0.0 at /site\n')
  expect(plan.stdout).toContain('~ public/index.html')
  expect(await page()).toBe('one')
  await cli(['deploy', second, '--path', '/site', ...remote])
  expect(await page()).toBe('two')
  expect((await cli(['list', ...remote])).stdout).toMatch(
    /^live {2}\/site {2}site 1\.1\.0 {2}http\S+ {2}kept: 1\.0\.0\n$/,
  )
  expect((await cli(['rollback', 'site', '1.0.0', ...remote])).stderr).toBe('site 1.0.0 is live\n')
  expect(await page()).toBe('one')
  expect((await cli(['logs', 'site', '-n', '1', ...remote])).stdout).toMatch(/site|1\./)
  expect(await cli(['undeploy', 'site', ...remote])).toMatchObject({ code: 0, stderr: 'site is undeployed\n' })
  expect(await cliJson(['list', ...remote])).toMatchObject({ code: 0, answer: [] })
})

test('what the host refuses is reported as if it had been found here', async () => {
  const bad = join(dir, 'bad.zapp')
  await writeFile(bad, 'this is no zip, but it is long enough to be one')
  const outcome = await cli(['deploy', bad, ...remote], { cwd: dir })
  expect(outcome.code).toBe(1)
  expect(outcome.stderr).toContain('error EOCD_NOT_AT_END')
  expect(outcome.stderr).toContain('fix: Copy the file again')
})

test('needs that are not met are told by a dry run, with exit code 1', async () => {
  const config = { DATABASE_URL: { type: 'url', required: true } }
  const outcome = await cli(['deploy', await site('3.0.0', '', { config }), '--dry-run', ...remote])
  expect(outcome.code).toBe(1)
  expect(outcome.stderr).toContain('error NEED_CONFIG')
})

test('the token may come from the environment', async () => {
  const to = ['--to', url]
  expect((await cli(['list', ...to], { env: { ZAPP_TOKEN: 'wrong-token-wrong-token' } })).stderr).toContain(
    'ADMIN_TOKEN',
  )
})

test('a host that was never started, or is another user’s, is told as such, and what to do', async () => {
  const state = await tmpDir()
  const never = await cli(['list'], { env: { ZAPP_STATE: state } })
  expect([never.code, never.stderr]).toEqual([1, expect.stringContaining('no host was ever started')])
  expect(never.stderr).toMatch(/^error ADMIN_UNREACHABLE[\s\S]*--to URL/)
  await writeFile(join(state, 'admin.token'), 'x', { mode: 0o600 })
  await chown(state, plainUser(), -1)
  await chmod(state, 0o500)
  await chmod(join(state, 'admin.token'), 0)
  const other = await asPlainUser(() => cli(['list'], { env: { ZAPP_STATE: state } }))
  expect(other.stderr).toMatch(/^error ADMIN_UNREACHABLE[\s\S]*not readable for this user/)
  expect((await cli(['list', '--to', url], { env: { ZAPP_STATE: dir } })).stderr).toContain('error ADMIN_TOKEN')
})

test('who follows logs learns that the host has ended', async () => {
  const ended = await startAdminHost()
  const archive = await readFile(await site('1.0.0'))
  await ended.host.deploy({ stream: Readable.from([archive]) })
  const argv = ['logs', 'site', '-f', '--to', ended.url, '--token-file', ended.tokenFile]
  const follower = startCli(argv)
  await expect.poll(() => follower.written.stdout).toContain('live')
  await ended.host.close({ drainMs: 0 })
  expect([await follower.ended, follower.written.stderr]).toEqual([0, 'the host has ended\n'])
})

test('a host that is killed while its logs are followed is told', async () => {
  const killed = createServer((req, res) => {
    res.writeHead(200).write(`${JSON.stringify({ time: '', version: '1', stream: 'host', entry: '', text: 'up' })}\n`)
    setImmediate(() => req.socket.destroy())
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => killed.once('listening', resolve))
  const { port } = killed.address() as AddressInfo
  const outcome = await cli(['logs', 'site', '-f', '--to', `http://127.0.0.1:${port}/`, ...remote.slice(2)])
  killed.close()
  expect([outcome.code, outcome.stderr]).toEqual([1, expect.stringMatching(/^error ADMIN_UNREACHABLE[\s\S]*has ended/)])
})

test('nobody listens', async () => {
  const to = ['--to', `unix:${join(dir, 'nobody.sock')}`, ...remote.slice(2)]
  const outcome = await cli(['list', ...to])
  expect([outcome.code, outcome.stderr]).toEqual([1, expect.stringContaining('error ADMIN_UNREACHABLE')])
})

test('something else listens', async () => {
  const other = createServer((_, res) => res.writeHead(404).end('<h1>Not here</h1>')).listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as AddressInfo
  const outcome = await cli(['list', '--to', `http://127.0.0.1:${port}/`, ...remote.slice(2)])
  other.close()
  expect(outcome.stderr).toContain('error ADMIN_ANSWER')
})

test.each([
  [['rollback', 'site', '9.9.9'], 'APP_UNKNOWN', 1],
  [['list', '--to', 'ftp://x'], 'USAGE', 2],
  [['deploy', 'missing.zapp'], 'NOT_FOUND', 2],
  [['logs', 'site', '-n', 'many'], 'USAGE', 2],
  [['deploy', 'site.zapp', '--as', '7\n8'], 'USAGE', 2],
])('%s: %s', async (argv, code, exit) => {
  const outcome = await cli([...argv, ...(argv.includes('--to') ? remote.slice(2) : remote)])
  expect([outcome.code, outcome.stderr]).toEqual([exit, expect.stringContaining(`error ${code}`)])
})
