import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { logFileOf } from '../../src/host/logs/host-logs.ts'
import { LogFile } from '../../src/host/logs/log-file.ts'
import { serve } from '../../src/host/serve.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { entry, folderOf, rejection, settingsFile, start } from './helper.ts'
import { sendRaw } from './raw.ts'

const ECHO = `module.exports = (req, res) => {
  console.log('asked\\x1b[1m ' + req.headers['x-request-id'])
  res.end(JSON.stringify([req.headers['x-request-id'], req.socket.remoteAddress, !!req.socket.encrypted, req.headers]))
}`
const lines = async (file: string) => (await readFile(file, 'utf8').catch(() => '')).split('\n').slice(0, -1)

async function withSettings(settings: object) {
  const dir = await folderOf({
    'shop.zapp': [{ name: 'shop', ...entry }, { 'app.cjs': ECHO }],
    'a#b.zapp': [{ name: 'other', routes: { '/': { static: 'public' } } }, { 'public/index.html': 'b' }],
  })
  const logs = await tmpDir()
  const file = join(logs, 'zapp.host.json')
  await writeFile(file, JSON.stringify(settings))
  return { ...(await start(dir, { settings: file, watch: false })), logs, file }
}

describe('a log file', () => {
  it('loses no line when it is moved away under load', async () => {
    const dir = await tmpDir()
    const file = new LogFile(join(dir, 'access.log'), (error) => expect.unreachable(String(error)))
    const [total, moved] = [20_000, [] as string[]]
    await file.open()
    let reopened = Promise.resolve()
    for (let i = 0; i < total; i++) {
      file.add(`line ${i}`)
      if (i % 100 === 0) await new Promise(setImmediate)
      if (i % 5000 === 4999) {
        moved.push(join(dir, `access.log.${moved.length}`))
        await reopened
        await rename(file.path, moved.at(-1) as string)
        // Not waited for: lines go on coming.
        reopened = file.reopen()
      }
    }
    await file.close()
    const found = (await Promise.all([...moved, file.path].map(lines))).flat()
    expect(found).toHaveLength(total)
    expect(new Set(found).size).toBe(total)
  })

  it('goes on in the old file where no new one can be made, and says so once', async () => {
    const dir = await tmpDir()
    const [errors, inner] = [[] as unknown[], join(dir, 'logs')]
    const file = new LogFile(join(inner, 'access.log'), (error) => errors.push(error))
    await file.open()
    await rename(inner, join(dir, 'moved'))
    await writeFile(inner, 'in the way')
    await file.reopen()
    file.add('still here')
    await file.close()
    expect(errors).toHaveLength(1)
    expect(await lines(join(dir, 'moved/access.log'))).toEqual(['still here'])
  })
})

describe('the logs of a host', () => {
  it.each([
    ['/', 'ROOT.log'],
    ['/a/b', 'a#b.log'],
    ['shop.example/', 'shop.example/ROOT.log'],
    ['../access', '-/access.log'],
    ['/../../x', '..#..#x.log'],
    ['store', 'store/ROOT.log'],
  ])('are in their folder, also that of %s', (id, file) => {
    expect(logFileOf(id)).toBe(file)
  })

  it('have no line that the name of a file has written', async () => {
    const file = 'shop##7\n2026 9.9 main stdout FORGED.zapp'
    const dir = await folderOf({ [file]: [{ name: 'shop', ...entry }, { 'app.cjs': ECHO }] })
    const settings = await settingsFile({ logs: { apps: '.' } })
    const { host } = await start(dir, { settings, watch: false })
    await host.close({ drainMs: 0 })
    const written = await lines(join(settings, '..', 'shop.log'))
    expect(written.length).toBeGreaterThan(0)
    for (const line of written) expect(line).toMatch(/^\S+ 7\\u000a2026 9\.9 main stdout FORGED - host /)
  })

  it('go where the settings say, with an id that the app was told, and move on when told to', async () => {
    const settings = { logs: { access: { format: 'json', file: 'access.log' }, apps: 'apps' } }
    const { host, get, logs, events } = await withSettings(settings)
    const access = join(logs, 'access.log')
    const asked = await get('/shop/x?y', { headers: { 'X-Request-Id': 'mine', Referer: 'https://a.example/' } })
    const [id] = (await asked.json()) as [string]
    expect(id).toMatch(/^[0-9a-f]{12}-\w+$/)
    await get('/a/b/')
    // What a process of the app has answered it tells in its own time.
    await expect.poll(() => lines(access)).toHaveLength(2)
    const records = (await lines(access)).map((line) => JSON.parse(line))
    expect(records.find(({ app }) => app === '/shop')).toMatchObject({ id, referer: 'https://a.example/', status: 200 })
    expect(new Set(records.map((record) => record.id)).size).toBe(2)
    expect(events.filter(({ type }) => type === 'access')).toEqual([])

    const printed = new RegExp(`^\\S+Z 1.0.0 main stdout asked\u001b\\[1m ${id}$`)
    await expect.poll(() => lines(join(logs, 'apps/shop.log'))).toContainEqual(expect.stringMatching(printed))
    expect(await lines(join(logs, 'apps/a#b.log'))).toContainEqual(
      expect.stringMatching(/^\S+Z 1.0.0 - host starting → live: /),
    )

    await rename(access, `${access}.1`)
    await rename(join(logs, 'apps/shop.log'), join(logs, 'apps/shop.log.1'))
    await host.reopenLogs()
    expect(await lines(access)).toEqual([])
    await (await get('/shop/')).text()
    await expect.poll(() => lines(access)).toHaveLength(1)
    await expect.poll(() => lines(join(logs, 'apps/shop.log'))).not.toEqual([])
    expect(await lines(`${access}.1`)).toHaveLength(2)
    await host.close()
    expect((await lines(join(logs, 'apps/shop.log'))).at(-1)).toMatch(/ host .*→ stopped: /)
  })

  it('change with the settings', async () => {
    const { host, get, logs, file, events } = await withSettings({ logs: { access: { format: 'off' } } })
    await get('/a/b/')
    await writeFile(file, JSON.stringify({ logs: { access: { format: 'common', file: 'a.log' } } }))
    await host.reload()
    await get('/a/b/?two')
    await expect.poll(() => lines(join(logs, 'a.log'))).toHaveLength(1)
    await writeFile(file, '{}')
    await host.reload()
    await get('/a/b/?three')
    const printed = () => events.flatMap((event) => (event.type === 'access' ? [event.lines] : []))
    await expect.poll(() => printed()).toEqual([expect.stringContaining('"GET /a/b/?three HTTP/1.1" 200 ')])
  })

  it('keep the host from starting where they cannot be written', async () => {
    const dir = await tmpDir()
    const settings = join(dir, 'zapp.host.json')
    await writeFile(join(dir, 'file'), '')
    await writeFile(settings, JSON.stringify({ logs: { access: { file: 'file/access.log' } } }))
    const error = await rejection(serve({ apps: [{ path: dir }], port: 0, settings, watch: false }))
    expect(error).toMatchObject({ code: 'IO', message: expect.stringContaining('opening the log') })
  })
})

describe('who the client is', () => {
  const claims = [
    'X-Forwarded-For: 10.9.9.9, 192.0.2.7, 127.0.0.1',
    'X-Forwarded-Proto: https',
    'X-Request-Id: trace-1',
    'X-Forwarded-Prefix: /evil',
    'X-Real-IP: 10.9.9.9',
  ].join('\r\n')
  const ask = async (port: number, path: string) => {
    const answer = await sendRaw(port, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${claims}\r\n\r\n`)
    return JSON.parse(answer.slice(answer.indexOf('['), answer.lastIndexOf(']') + 1)) as [
      string,
      string,
      boolean,
      object,
    ]
  }

  it('a trusted proxy may say', async () => {
    const { host, events } = await withSettings({ proxies: ['127.0.0.0/8'], logs: { access: { format: 'json' } } })
    const [id, address, isSecure, headers] = await ask(host.address.port, '/shop/')
    expect([id, address, isSecure]).toEqual(['trace-1', '192.0.2.7', true])
    expect(headers).toMatchObject({ 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'https' })
    expect(JSON.stringify(headers)).not.toMatch(/evil|10\.9/)
    await expect.poll(() => events).toContainEqual(expect.objectContaining({ type: 'access' }))
    const logged = events.flatMap((event) => (event.type === 'access' ? [JSON.parse(event.lines)] : []))
    expect(logged).toMatchObject([{ peer: '192.0.2.7', id: 'trace-1', app: '/shop' }])
  })

  it('nobody else may', async () => {
    const { host } = await withSettings({ proxies: ['192.0.2.0/24', '::1'] })
    const [id, address, isSecure, headers] = await ask(host.address.port, '/shop/')
    expect(id).not.toBe('trace-1')
    expect([address, isSecure]).toEqual(['127.0.0.1', false])
    expect(JSON.stringify(headers)).not.toMatch(/evil|10\.9|192\.0\.2|https/)
  })

  it('is said by an address or a network', async () => {
    const dir = await tmpDir()
    const settings = join(dir, 'zapp.host.json')
    await writeFile(settings, '{\n  "proxies": ["127.0.0.1", "10.0.0.0/33"]\n}')
    const error = await rejection(serve({ apps: [{ path: dir }], port: 0, settings, watch: false }))
    expect(error?.findings).toMatchObject([{ code: 'MANIFEST_VALUE', line: 2, column: 28 }])
  })
})
