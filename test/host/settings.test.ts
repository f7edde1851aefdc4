import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readSettings } from '../../src/host/settings/read-settings.ts'
import { entry, folderOf, rejection, says, settingsFile, start } from './helper.ts'
import { parseResponse, sendRaw } from './raw.ts'

const shows = (name: string) => ({ 'app.cjs': `module.exports = (req, res) => res.end(String(process.env.${name}))` })
const declares = (...names: string[]) => ({
  ...entry,
  config: Object.fromEntries(names.map((name) => [name, { type: 'string', default: 'default' }])),
})

describe('a settings file', () => {
  it('gives each app its own values: written, of a file, of the environment', async () => {
    const folder = await folderOf({
      'a.zapp': [{ ...declares('HOST_SET_A'), name: 'a' }, shows('HOST_SET_A')],
      'b.zapp': [{ ...declares('HOST_SET_B'), name: 'b' }, shows('HOST_SET_B')],
      'c.zapp': [{ ...declares('HOST_SET_C'), name: 'c' }, shows('HOST_SET_C')],
      'd.zapp': [{ ...entry, name: 'd' }, says('d')],
    })
    const settings = await settingsFile({
      folders: [folder],
      apps: {
        a: { config: { HOST_SET_A: 20 } },
        b: { secrets: { HOST_SET_B: { file: 'secret' } }, mount: '/elsewhere' },
        '/c': { secrets: { HOST_SET_C: { env: 'FROM_HERE' } } },
        d: { enabled: false },
      },
    })
    await writeFile(join(settings, '../secret'), 'of a file\n')
    const served = await start([], { settings, env: { FROM_HERE: 'of the environment' }, watch: true })
    expect([await served.text('/a'), await served.text('/elsewhere'), await served.text('/c')]).toEqual([
      '20',
      'of a file',
      'of the environment',
    ])
    expect(served.host.app('d').state).toBe('stopped')
    expect((await served.get('/d')).status).toBe(503)
  })

  it('is read again without a failed request: what differs is started anew, a mistake changes nothing', async () => {
    const dir = await folderOf({
      'a.zapp': [{ ...declares('HOST_SET_D'), name: 'a' }, shows('HOST_SET_D')],
      'b.zapp': [{ ...entry, name: 'b' }, says('b')],
    })
    const settings = await settingsFile({ apps: { a: { config: { HOST_SET_D: 'one' } } } })
    const served = await start(dir, { settings })
    expect(await served.text('/a')).toBe('one')

    let going = true
    const bad: unknown[] = []
    const asking = (async () => {
      while (going) {
        const response = await served.get('/a').catch((error: Error) => error)
        if (!('status' in response) || response.status !== 200) bad.push(response)
      }
    })()
    await writeFile(settings, JSON.stringify({ apps: { a: { config: { HOST_SET_D: 'two' } } } }))
    await served.host.reload()
    // On a connection that the old process holds still, one more request may be the old one's to answer.
    await expect.poll(() => served.text('/a')).toBe('two')
    await writeFile(settings, '{"apps": {"a": {"confg": {}}}}')
    expect(await rejection(served.host.reload())).toMatchObject({ code: 'MANIFEST_UNKNOWN_KEY' })
    expect(await served.text('/a')).toBe('two')
    going = false
    await asking
    expect(bad).toEqual([])
    const live = served.events.flatMap((event) => (event.type === 'live' ? [event.app.id] : []))
    expect(live.sort()).toEqual(['/a', '/a', '/b'])
    expect(served.events.filter(({ type }) => type === 'reloaded')).toMatchObject([
      {},
      { error: { code: 'MANIFEST_UNKNOWN_KEY' } },
    ])
  })

  it('is warned of where it is for no app, or read when the host starts alone', async () => {
    const dir = await folderOf({ 'flask.zapp': [{ ...entry, name: 'flaskapp' }, says('a')] })
    await writeFile(join(dir, 'torn-1.0.0.zapp'), 'this is no zip, but it is long enough to be one')
    const apps = { flaskap: {}, '/flask': {}, flaskapp: {}, torn: {} }
    const settings = await settingsFile({ apps })
    const { host, events } = await start(dir, { settings })
    const warned = () =>
      events.splice(0).flatMap((event) => (event.type === 'warned' ? [[event.finding.code, event.finding.args]] : []))
    const misspelt = ['SETTINGS_APP', { app: 'flaskap', hint: ' (did you mean "flaskapp"?)' }]
    expect(warned()).toEqual([misspelt])
    await writeFile(settings, JSON.stringify({ apps, admin: { port: 1 } }))
    await host.reload()
    expect(warned()).toEqual([['SETTINGS_AT_START', { key: 'admin' }], misspelt])
    await writeFile(settings, '{}')
    await host.reload()
    expect(warned()).toEqual([])
  })

  it('names hosts that are not known by a dot, and their other names', async () => {
    const dir = await folderOf({})
    await mkdir(join(dir, 'intranet'))
    const inHost = await folderOf({ 'ROOT.zapp': [entry, says('inside')] })
    await rename(join(inHost, 'ROOT.zapp'), join(dir, 'intranet/ROOT.zapp'))
    const settings = await settingsFile({ hosts: { intranet: { aliases: ['intra.example'] } } })
    const { host } = await start(dir, { settings })
    const ask = async (name: string) =>
      parseResponse(await sendRaw(host.address.port, `GET / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`))
        .body
    expect([await ask('intranet'), await ask('intra.example'), await ask('other')]).toEqual([
      'inside |/',
      'inside |/',
      expect.stringContaining('No apps yet'),
    ])
  })

  it('of the guide is right', async () => {
    const guide = await readFile(join(import.meta.dirname, '../../docs/host.md'), 'utf8')
    const examples = [...guide.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => text)
    const read = await Promise.all(examples.map(async (text) => readSettings(await settingsFile(text))))
    expect(read).toMatchObject([
      { listen: [{ port: 80 }, { port: 443 }, { port: 8080 }] },
      { folders: ['/srv/apps'] },
      { idle: '30m' },
    ])
  })

  it.each([
    ['a key that is none', '{\n  "listne": {}\n}', 'MANIFEST_UNKNOWN_KEY', 2, 3],
    ['no JSON', '{\n  "apps": [}\n', 'MANIFEST_SYNTAX', 2, 12],
    ['a port beyond all', '{"listen": {"port": 70000}}', 'MANIFEST_VALUE', 1, 21],
    ['memory of no unit', '{"apps": {"a": {"limits": {"memory": "512"}}}}', 'MANIFEST_VALUE', 1, 38],
    ['a time beyond all', '{"apps": {"a": {"limits": {"requestTime": "30d"}}}}', 'MANIFEST_VALUE', 1, 43],
    ['a value of the wrong type', '{"apps": {"a": {"config": {"A": []}}}}', 'MANIFEST_TYPE', 1, 33],
    [
      'two sources of a secret',
      '{"apps": {"a": {"secrets": {"A": {"env": "A", "file": "a"}}}}}',
      'MANIFEST_VALUE',
      1,
      34,
    ],
    [
      'a name of two hosts',
      '{"hosts": {"a.example": {"aliases": ["b.example"]}, "b.example": {}}}',
      'MANIFEST_VALUE',
      1,
      38,
    ],
  ])('with %s is refused, with its place', async (_, text, code, line, column) => {
    const error = await rejection(readSettings(await settingsFile(text)))
    expect(error?.findings[0]).toMatchObject({ code, line, column })
  })
})
