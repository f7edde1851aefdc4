import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { get } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { authorities, pairOf, replacePair } from '../helpers/certificates.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { cli, cliJson, startCli } from './helper.ts'

const SITE = { zapp: 1, name: 'site', version: '1.0.0', routes: { '/': { static: 'public' } } }
const APP = {
  'app.js': 'module.exports = (req, res) => res.end(process.env.GREETING)',
}

const address = { host: z.string(), port: z.int().positive(), url: z.url() }

const READY = z.strictObject({
  address: z.strictObject(address),
  listeners: z.array(z.strictObject({ ...address, isRedirect: z.boolean() })),
  apps: z.array(
    z.strictObject({
      id: z.string(),
      name: z.string(),
      version: z.string(),
      title: z.string(),
      mount: z.string(),
      url: z.url(),
      source: z.string(),
      state: z.enum(['live', 'failed']),
      error: z.looseObject({ code: z.string(), message: z.string(), fix: z.string() }).optional(),
    }),
  ),
})

let cwd: string
let file: string
beforeEach(async () => {
  cwd = await tmpDir()
  const config = { GREETING: { type: 'string', default: 'hello' } }
  file = await makeArchive(
    cwd,
    { name: 'greet', title: 'Greeter', entry: { type: 'node', module: 'app.js' }, config },
    APP,
  )
})

/** Serves on a free port until the test is over. */
async function serving(argv: readonly string[]) {
  const stop = new AbortController()
  const places = ['cache', 'data'].flatMap((name) => [`--${name}`, join(cwd, name)])
  const common = ['serve', '--port', '0', ...places]
  const { written, ended } = startCli([...common, ...argv], { cwd, signal: stop.signal })
  onTestFinished(() => {
    stop.abort('SIGINT')
    return ended.then(() => {})
  })
  await expect.poll(() => written.stdout).not.toBe('')
  const url = /http:\S+\//.exec(written.stdout)?.[0] as string
  const end = (signal: string) => {
    stop.abort(signal)
    return ended
  }
  return { written, url, end }
}

const text = async (url: string) => (await fetch(url)).text()

describe('serve', () => {
  it('prints the address on stdout, a line for each request on stderr, and stops when told to', async () => {
    const { written, url, end } = await serving([file])
    expect(written.stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/ {2}greet 1\.0\.0 {2}Greeter\n$/)
    expect(await text(url)).toBe('hello')
    expect(await end('SIGTERM')).toBe(0)
    expect(written.stderr).toMatch(/^live {5}\/ {2}greet 1\.0\.0 {2}Greeter {2}in [\d.]+ m?s\n/)
    // What a process of the app has answered it tells in its own time.
    expect(written.stderr).toMatch(/^\S+ 127\.0\.0\.1 "GET \/ HTTP\/1\.1" 200 \d+ [\d.]+ms \/$/m)
    expect(written.stderr).toMatch(/^stopping$/m)
    await expect(fetch(url)).rejects.toThrow()
  })

  it('tells errors: those of the app with its stack, those of the host in a line, with the code', async () => {
    const code = `module.exports = (req, res) => {
      if (req.url === '/throw') throw new Error('boom')
      if (req.url === '/exit') process.exit(3)
    }`
    const app = await makeArchive(cwd, { name: 'bad', entry: { type: 'node', module: 'app.js' } }, { 'app.js': code })
    const settings = { apps: { bad: { mount: '/', limits: { requestTime: '100ms' } } } }
    await writeFile(join(cwd, 'zapp.host.json'), JSON.stringify(settings))
    const { written, url } = await serving([app, '--settings', 'zapp.host.json'])
    const errors = () => written.stderr.split('\n').filter((line) => /^error |^ +at /.test(line))
    for (const path of ['throw', 'hang', 'exit']) await fetch(url + path).catch(() => {})
    await expect
      .poll(errors)
      .toEqual([
        'error    bad  entry main: Error: boom',
        expect.stringMatching(/^ +at .*app\.js:2:\d+\)$/),
        expect.stringMatching(/^error {4}bad {2}entry main: ENTRY_TIMEOUT: /),
        'error    bad  the process ended: the process of bad: it ended with exit code 3',
      ])
  })

  it('mounts, and takes values from the command line before those of a file', async () => {
    await writeFile(join(cwd, 'app.env'), 'GREETING=from the file\nOTHER=left aside\n')
    const first = await serving([file, '--mount', '/greet', '--config-file', 'app.env'])
    expect(first.url).toMatch(/\/greet\/$/)
    expect(await text(first.url)).toBe('from the file')
    expect(await first.end('SIGINT')).toBe(0)
    const second = await serving([file, '--config-file', 'app.env', '--config', 'GREETING=a=b'])
    expect(await text(second.url)).toBe('a=b')
  })

  it('serves a project folder, and follows it with --watch', async () => {
    const project = join(cwd, 'project')
    await mkdir(join(project, 'public'), { recursive: true })
    await writeFile(join(project, 'zapp.json'), JSON.stringify(SITE))
    await writeFile(join(project, 'public/index.html'), 'one')
    const { written, url } = await serving(['project', '--watch'])
    expect(await text(url)).toBe('one')
    await writeFile(join(project, 'public/index.html'), 'two')
    await expect.poll(() => text(url)).toBe('two')
    await writeFile(join(project, 'zapp.json'), '{"zapp": 1,\n "name": 5}')
    await expect.poll(() => written.stderr).toContain('the version before it goes on serving')
    await expect.poll(() => written.stderr).toMatch(/^error MANIFEST_TYPE {2}project\/zapp\.json:2:10\n/m)
    expect(written.stderr).toContain('\n  2 |  "name": 5}\n    |          ^\n')
    expect(await text(url)).toBe('two')
  })

  it('lists the apps of a folder, the failed ones on stderr', async () => {
    const apps = join(cwd, 'apps')
    await mkdir(apps)
    await makeArchive(apps, { name: 'site', routes: { '/': { static: 'public' } } }, { 'public/index.html': 'site' })
    await writeFile(join(apps, 'broken.zapp'), 'junk')
    const { written, url } = await serving(['apps', '--state', join(cwd, 'state')])
    expect(written.stdout).toMatch(/^http:\S+:\d+\/ +all apps\nhttp:\S+\/site\S*\/ {2}site 1\.0\.0\n$/)
    await expect
      .poll(() => written.stderr)
      .toMatch(/^failed {3}\/broken {2}apps\/broken\.zapp\nerror TOO_SHORT {2}apps\/broken\.zapp\n/m)
    expect((await fetch(new URL('broken/', url))).status).toBe(503)
  })

  it('of settings serves their folders, not what lies where it was started; an empty one is served at its address', async () => {
    await mkdir(join(cwd, 'inbox'))
    await writeFile(join(cwd, 'zapp.host.json'), JSON.stringify({ folders: ['inbox'] }))
    const { written, url } = await serving(['--settings', 'zapp.host.json', '--state', 'state'])
    expect(written.stdout).toMatch(/^http:\S+ {2}no app yet\n$/)
    expect((await fetch(new URL('greet/', url))).status).toBe(404)
  })

  it('answers in JSON when it is ready', async () => {
    const { written, url } = await serving([file, '--json'])
    const json = READY.parse(JSON.parse(written.stdout))
    expect(json.apps).toMatchObject([{ name: 'greet', version: '1.0.0', mount: '', state: 'live', url }])
    expect(json.address.url).toBe(url)
  })
})

describe('serve with a certificate', () => {
  it('speaks TLS, and says for which names and until when', async () => {
    const { cert, key } = await pairOf('shop')
    const { written } = await serving([file, '--tls-cert', cert, '--tls-key', key])
    expect(written.stdout).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/ {2}greet/)
    expect(written.stderr).toContain(`tls      ${cert}  shop.example, *.shop.example, localhost  until 2126-01-01\n`)
    const asked = get(`${/https:\S+/.exec(written.stdout)?.[0]}`, { ca: await authorities('shop') })
    const [answer] = await once(asked, 'response')
    expect(answer.statusCode).toBe(200)
    answer.resume()
  })

  it('refuses one with the key of another, with the file and what to do', async () => {
    const { cert, key } = await pairOf('shop')
    await replacePair({ cert, key }, 'shop', 'other')
    const argv = ['serve', file, '--port', '0', '--cache', join(cwd, 'cache'), '--tls-cert', cert, '--tls-key', key]
    const { code, stderr } = await cli(argv, { cwd })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error TLS_MISMATCH {2}\S+privkey\.pem\n[\s\S]*fix: /)])
    expect((await cli(['serve', file, '--tls-cert', cert], { cwd })).code).toBe(2)
  })
})

describe('serve warns', () => {
  it('with the code', async () => {
    const app = await makeArchive(cwd, { name: 'other', entry: { type: 'node', module: 'app.js' } }, APP)
    const { written } = await serving([file, app])
    await expect.poll(() => written.stderr).toMatch(/^warning {2}ONE_USER: apps /m)
  })
})

describe('serve refuses', () => {
  it('an address in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void taken.close())
    await expect.poll(() => taken.listening).toBe(true)
    const { port } = taken.address() as AddressInfo
    const argv = ['serve', file, '--port', String(port), '--cache', join(cwd, 'cache')]
    expect(await cli(argv, { cwd })).toEqual({
      code: 1,
      stdout: '',
      stderr: `error PORT_IN_USE\n  "127.0.0.1:${port}" must be free\n  fix: Choose another with --port.\n`,
    })
  })

  it('apps whose needs are not met, naming all of them', async () => {
    const config = { A: { type: 'url', required: true }, B: { type: 'string', required: true } }
    const dependencies = { commands: ['no-such-program'] }
    const needy = await makeArchive(
      cwd,
      { name: 'needy', entry: { type: 'node', module: 'app.js' }, config, dependencies },
      APP,
    )
    const { code, answer } = await cliJson<{ findings: { code: string }[] }>(
      ['serve', needy, '--port', '0', '--cache', join(cwd, 'cache')],
      { cwd },
    )
    expect(code).toBe(1)
    expect(answer.findings.map((f) => f.code).sort()).toEqual(['NEED_COMMAND', 'NEED_CONFIG', 'NEED_CONFIG'])
  })

  it.each([
    ['what is not there', ['nope.zapp'], 2, 'NOT_FOUND'],
    ['an env file that is not there', ['site', '--config-file', 'nope.env'], 2, 'NOT_FOUND'],
    ['a folder without apps that is not followed', ['empty', '--no-watch', '--state', 'state'], 2, 'USAGE'],
    ['a mount that is no path', ['site', '--mount', 'shop/'], 2, 'MOUNT_PATH'],
    ['an admin address of one app without a state folder', ['site', '--admin', '8081'], 2, 'USAGE'],
    ['a value that no app declares', ['site', '--config', 'NOPE=1'], 1, 'CONFIG_UNKNOWN'],
  ])('%s', async (_, argv, exit, error) => {
    await mkdir(join(cwd, 'empty'))
    await mkdir(join(cwd, 'site/public'), { recursive: true })
    await writeFile(join(cwd, 'site/zapp.json'), JSON.stringify(SITE))
    await writeFile(join(cwd, 'site/public/index.html'), '')
    const { code, answer } = await cliJson<{ error: { code: string } }>(
      ['serve', ...argv, '--port', '0', '--cache', join(cwd, 'cache')],
      { cwd },
    )
    expect([code, answer.error.code]).toEqual([exit, error])
  })
})
