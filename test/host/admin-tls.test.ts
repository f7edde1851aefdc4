import { execFile } from 'node:child_process'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { exposure } from '../../src/host/admin/open-admin.ts'
import { adminToken } from '../../src/host/admin/token.ts'
import { BIN } from '../cli/helper.ts'
import { authorities, pairOf, replacePair, type TestPair } from '../helpers/certificates.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { rejection, type Served, settingsFile, start } from './helper.ts'
import { shownTo } from './tls-client.ts'

const run = promisify(execFile)

async function host(tls: TestPair): Promise<{ served: Served; url: string; tokenFile: string }> {
  const state = join(await tmpDir(), 'state')
  const settings = await settingsFile({ admin: { port: 0, tls } })
  const served = await start(await tmpDir(), { state, settings })
  const { url, tokenFile } = served.host.admin!
  return { served, url: url!.replace('127.0.0.1', 'localhost'), tokenFile }
}

async function get(url: string, tokenFile: string): Promise<string> {
  const asked = request(url, {
    ca: await authorities('shop'),
    headers: { Authorization: `Bearer ${await adminToken(tokenFile)}` },
  })
  const [answer] = (await once(asked.end(), 'response')) as [IncomingMessage]
  return text(answer)
}

it('the admin address speaks TLS, with a browser, Prometheus and our own commands', async () => {
  const pair = await pairOf('shop')
  const { url, tokenFile } = await host(pair)
  expect(url).toMatch(/^https:\/\/localhost:\d+\/$/)
  expect(await get(`${url}`, tokenFile)).toContain('<!doctype html>')
  expect(await get(`${url}metrics`, tokenFile)).toMatch(/^zapp_certificate_\w+\{.*fullchain\.pem.*\} \d+/m)
  await expect(fetch(url.replace('https', 'http'))).rejects.toThrow()
  // A program of its own: whom Node trusts is read when it starts.
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: pair.cert }
  const list = [BIN, 'list', '--json', '--to', url, '--token-file', tokenFile]
  expect((await run(process.execPath, list, { env })).stdout).toBe('[]\n')
})

it('takes a renewed certificate while it runs, and tells of it', async () => {
  const pair = await pairOf('shop')
  const { served, url } = await host(pair)
  const port = Number(new URL(url).port)
  expect(await shownTo(port, 'localhost')).toBe('shop')
  await replacePair(pair, 'renewed')
  await expect.poll(() => shownTo(port, 'localhost')).toBe('renewed')
  const told = served.events.flatMap((event) => (event.type === 'certificate' ? event.certificate.names : []))
  expect(told).toContain('localhost')
})

it('does not start with a certificate that cannot be read', async () => {
  const pair = await pairOf('shop')
  expect(await rejection(host({ ...pair, cert: `${pair.cert}x` }))).toMatchObject({ code: 'NOT_FOUND' })
})

it.each([
  ['127.0.0.1', []],
  ['::1', []],
  ['localhost', []],
  ['192.0.2.1', ['ADMIN_UNENCRYPTED']],
  ['::', ['ADMIN_UNENCRYPTED']],
])('in the clear at %s: %j', (address, codes) => {
  expect(exposure({ host: address, port: 8081 }).map(({ code }) => code)).toEqual(codes)
  expect(exposure({ host: address, port: 8081, tls: [{ cert: 'a', key: 'b' }] })).toEqual([])
})
