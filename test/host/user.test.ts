import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, chown, lstat, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { sharedUser } from '../../src/host/users/shared-user.ts'
import { findUser } from '../../src/host/users/system-user.ts'
import { asPlainUser, plainUser } from '../helpers/as-user.ts'
import { descendants, isZombie } from '../helpers/processes.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { entry, folderOf, putArchive, rejection, says, settingsFile, start } from './helper.ts'
import { Talk } from './raw.ts'

const CLI = join(import.meta.dirname, '../../bin/zapp.js')
const isRoot = process.getuid?.() === 0
const NOBODY = plainUser()

/** Answers with what comes of the code behind `/?`, run in the app's process. */
const runs = (version = '1') => ({
  'app.cjs': `
    const fs = require('node:fs'); const path = require('node:path'); const { execFileSync } = require('node:child_process')
    const tryTo = (work) => { try { return work() } catch (error) { return error.code } }
    module.exports = (req, res) => {
      let said
      try { said = eval(decodeURIComponent(req.url.slice(2))) } catch (error) { said = error.code ?? String(error) }
      res.end(JSON.stringify({ version: ${JSON.stringify(version)}, pid: process.pid, said }))
    }`,
})

/** A folder that others can pass through, and a host in it with a state folder. */
async function place() {
  const dir = await tmpDir()
  await chmod(dir, 0o711)
  const at = (name: string) => join(dir, name)
  return { dir, at, options: { state: at('state'), cache: at('cache'), data: at('data'), watch: true } }
}

async function served(
  app: Record<string, unknown> = { user: 'nobody' },
  manifest: object = entry,
  files: Record<string, string> = runs(),
) {
  const where = await place()
  const dir = await folderOf({
    'shop.zapp': [{ ...manifest, name: 'shop', version: '1.0.0' }, files],
    // Of the host's own user.
    'other.zapp': [{ ...entry, name: 'other', data: { files: { path: 'files' } } }, says('other')],
  })
  const settings = await settingsFile({ apps: { shop: app } })
  const host = await start(dir, { ...where.options, settings })
  const said = async (code: string) => JSON.parse(await host.text(`/shop/?${encodeURIComponent(code)}`)).said
  return { ...host, ...where, apps: dir, said, settings }
}

describe.skipIf(!isRoot)('an app of another user (needs root: nobody else can become another user)', () => {
  it('is that user, with all that it starts, and sees nothing that is the host’s or another app’s', async () => {
    const { said, at, settings } = await served()
    const gid = (await findUser('nobody', { file: '', app: '' }))?.gid
    expect(await said('[process.getuid(), process.getgid(), process.getgroups()]')).toEqual([NOBODY, gid, [gid]])
    expect(await said(`execFileSync('id', ['-u']).toString().trim()`)).toBe(String(NOBODY))
    expect(await said(`fs.readFileSync('/proc/self/status', 'latin1').match(/Cap(?:Eff|Prm):.*/g).join()`)).toMatch(
      /^CapPrm:\t0+,CapEff:\t0+$/,
    )

    const secret = at('secret')
    await writeFile(secret, 'mine', { mode: 0o600 })
    const [archive] = (await readdir(at('state'), { recursive: true })).filter((name) => name.endsWith('.zapp'))
    const closed = [at('state/state.json'), at('state/admin.token'), join(at('state'), archive!), secret]
    for (const file of closed) expect(await said(`fs.readFileSync(${JSON.stringify(file)})`)).toBe('EACCES')
    for (const dir of [at('state'), at('cache'), at('data/other'), at('cache-users')]) {
      expect(await said(`fs.readdirSync(${JSON.stringify(dir)})`)).toBe('EACCES')
    }
    for (const file of [...closed, settings]) {
      expect(await said(`fs.appendFileSync(${JSON.stringify(file)}, 'x')`)).toBe('EACCES')
    }
  })

  it('has folders of its own to write to', async () => {
    const manifest = { ...entry, data: { files: { path: 'files', env: 'FILES' } } }
    const { said, at } = await served({ user: 'nobody' }, manifest)
    await said(
      `fs.writeFileSync(path.join(process.env.FILES, 'a'), 'x'); fs.writeFileSync(path.join(process.env.HOME, 'b'), 'x')`,
    )
    expect((await lstat(at('data/shop/files/a'))).uid).toBe(NOBODY)
    expect((await lstat(at('data/shop/b'))).uid).toBe(NOBODY)
    expect((await stat(at('data/shop'))).mode & 0o777).toBe(0o700)
  })

  it('answers on connections that are handed to it, goes on through a redeploy, and leaves no copy behind', async () => {
    const { said, apps, host, at } = await served()
    const talk = await Talk.open(host.address.port)
    const { socket } = talk
    const ask = async () => {
      const target = `/shop/?${encodeURIComponent('req.socket.remotePort')}`
      const { body } = await talk.ask(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      return JSON.parse(body) as { version: string; pid: number; said: number }
    }
    const [first, second] = [await ask(), await ask()]
    // No proxy is in between.
    expect([first.said, second.said]).toEqual([socket.localPort, socket.localPort])
    expect((await stat(`/proc/${first.pid}`)).uid).toBe(NOBODY)

    await putArchive(join(apps, 'shop.zapp'), { ...entry, name: 'shop', version: '2.0.0' }, runs('2'))
    await expect.poll(async () => (await ask()).version, { timeout: 10_000 }).toBe('2')
    socket.destroy()
    expect(await said('process.getuid()')).toBe(NOBODY)
    await host.close({ drainMs: 0 })
    expect(await readdir(at(`cache-users/${NOBODY}/archives`))).toEqual([])
  })

  it.each([
    [
      'programs',
      { entry: { type: 'server', run: ['{node}', 'app.js'] } },
      {
        'app.js': `require('node:http').createServer((req, res) => res.end(String(process.getuid()))).listen(process.env.PORT)`,
      },
    ],
    [
      'scripts of CGI',
      { entry: { type: 'cgi', script: 'id.cgi' }, executable: ['id.cgi'] },
      { 'id.cgi': '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\n"; id -u\n' },
    ],
    [
      'WSGI',
      { entry: { type: 'wsgi', app: 'app:application' } },
      {
        'app.py': `import os
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [str(os.getuid()).encode()]
`,
      },
    ],
  ])('runs its %s as that user', async (_, manifest, files) => {
    const { text } = await served({ user: 'nobody' }, manifest, files as Record<string, string>)
    expect((await text('/shop/')).trim()).toBe(String(NOBODY))
  })

  it('runs its migration and its background processes as that user, and ends them', async () => {
    const note = (name: string) => `
      const { writeFileSync } = require('node:fs'); const { join } = require('node:path')
      writeFileSync(join(process.env.HOME, '${name}'), process.getuid() + ' ' + process.pid + ' ' + process.env.WORD)`
    const manifest = {
      ...entry,
      config: { WORD: { type: 'string' } },
      lifecycle: { migrate: { run: ['{node}', 'migrate.js'] } },
      processes: { mail: { run: ['{node}', 'mail.js'] } },
    }
    const files = {
      ...runs(),
      'migrate.js': note('migrated'),
      'mail.js': `${note('mail')}; setInterval(() => {}, 1000)`,
    }
    const { at, host } = await served({ user: 'nobody', config: { WORD: 'hush' } }, manifest, files)
    const textOf = (name: string) => readFile(at(`data/shop/${name}`), 'utf8').catch(() => '')
    expect(await textOf('migrated')).toMatch(new RegExp(`^${NOBODY} [0-9]+ hush$`))
    await expect.poll(() => textOf('mail'), { timeout: 10_000 }).toMatch(new RegExp(`^${NOBODY} [0-9]+ hush$`))
    const pid = Number((await textOf('mail')).split(' ')[1])
    await host.stop('shop')
    await expect
      .poll(() =>
        stat(`/proc/${pid}`).then(
          () => true,
          () => false,
        ),
      )
      .toBe(false)
  })

  it('is failed when its program dies again and again', async () => {
    const { host, get } = await served(
      { user: 'nobody', limits: { restarts: { count: 2, within: '1m' } } },
      { entry: { type: 'server', run: ['{node}', 'app.js'] } },
      { 'app.js': `require('node:http').createServer(() => process.exit(3)).listen(process.env.PORT)` },
    )
    const die = async () => (await get('/shop')) && host.app('shop')
    await expect
      .poll(die, { timeout: 10_000 })
      .toMatchObject({ state: 'failed', error: { code: 'APP_DIED', args: { times: 2 } } })
  })

  it('cannot lead the host to another socket', async () => {
    const code = `
      const fs = require('node:fs'); const path = require('node:path'); const net = require('node:net')
      const { listen } = net.Server.prototype
      net.Server.prototype.listen = function (at, ...rest) {
        if (typeof at === 'string') this.once('listening', () => { fs.unlinkSync(at); fs.symlinkSync(process.env.TO, at) })
        return listen.call(this, at, ...rest)
      }
      module.exports = (req, res) => res.end()`
    const { host } = await served(
      { user: 'nobody', config: { TO: '/elsewhere/admin.sock' } },
      { ...entry, config: { TO: { type: 'string' } } },
      { 'app.cjs': code },
    )
    expect(host.app('shop')).toMatchObject({ state: 'failed', error: { code: 'ENTRY_LOAD' } })

    // One that is up has lost its right to do so.
    const later = await served({ user: 'nobody' })
    const tried = await later.said(
      `
      const folder = fs.readdirSync('/tmp').map((name) => path.join('/tmp', name, 'u')).filter((one) => tryTo(() => fs.statSync(one).isDirectory()) === true)
      folder.map((one) => tryTo(() => fs.symlinkSync('/elsewhere', path.join(one, 't'))) ?? 'done')`.replace(
        'const folder',
        'var folder',
      ),
    )
    expect(new Set(tried)).toEqual(new Set(['EACCES']))
  })

  it('ends with its background processes when the host is killed', async () => {
    const { at } = await place()
    const mail = `require('node:fs').writeFileSync(process.env.HOME + '/mail', String(process.pid)); setInterval(() => {}, 1000)`
    const manifest = { ...entry, name: 'shop', processes: { mail: { run: ['{node}', 'mail.js'] } } }
    const apps = await folderOf({ 'shop.zapp': [manifest, { ...runs(), 'mail.js': mail }] })
    const settings = await settingsFile({ apps: { shop: { user: 'nobody' } } })
    const folders = ['state', 'cache', 'data'].map((name) => [`--${name}`, at(name)])
    const args = [CLI, 'serve', apps, ...folders.flat(), '--settings', settings, '--port', '0']
    const host = spawn(process.execPath, args, { stdio: 'ignore' })
    onTestFinished(() => void host.kill('SIGKILL'))
    const textOf = () => readFile(at('data/shop/mail'), 'utf8').catch(() => '')
    await expect.poll(textOf, { timeout: 20_000 }).toMatch(/^[0-9]+$/)
    const pids = descendants(host.pid!)
    expect(pids).toContain(Number(await textOf()))
    host.kill('SIGKILL')
    await expect
      .poll(() => pids.filter((pid) => existsSync(`/proc/${pid}`) && !isZombie(pid)), { timeout: 10_000 })
      .toEqual([])
  })

  it('tells why a migration failed', async () => {
    const migrate = { run: ['{node}', '-e', 'console.error("no table"); process.exit(3)'] }
    const { host } = await served({ user: 'nobody' }, { ...entry, lifecycle: { migrate } })
    expect(host.app('shop').error).toMatchObject({
      code: 'MIGRATE_FAILED',
      args: { reason: expect.stringMatching(/exit code 3.*no table/) },
    })
  })

  it('goes on serving where the settings begin to name a user that there is not', async () => {
    const { host, settings, said } = await served({ user: 'nobody' })
    await writeFile(settings, JSON.stringify({ apps: { shop: { user: 'no-such-user' } } }))
    await host.reload()
    expect(host.app('shop')).toMatchObject({
      state: 'degraded',
      error: { code: 'USER_UNKNOWN', args: { app: 'shop', user: 'no-such-user' } },
    })
    expect(await said('process.getuid()')).toBe(NOBODY)
    await writeFile(settings, JSON.stringify({ apps: { shop: { user: `${NOBODY}:${NOBODY}` } } }))
    await host.reload()
    expect(host.app('shop').state).toBe('live')
    expect(await said('process.getgid()')).toBe(NOBODY)
  })

  it('is not given folders that are somebody else’s', async () => {
    const where = await place()
    const apps = await folderOf({ 'shop.zapp': [{ ...entry, name: 'shop' }, runs()] })
    const data = where.at('theirs')
    await mkdir(data)
    const serveWith = async (own: object) => {
      const settings = await settingsFile({ apps: { shop: { user: 'nobody', ...own } } })
      const { host } = await start(apps, { ...where.options, settings })
      const { error } = host.app('shop')
      await host.close({ drainMs: 0 })
      return error
    }
    expect(await serveWith({ data })).toMatchObject({ code: 'USER_ACCESS', args: { path: data, got: 'owner 0' } })
    expect((await stat(data)).uid).toBe(0)

    // Whoever may write to the folder around it could put a link in its place.
    await chmod(data, 0o777)
    expect(await serveWith({ data: join(data, 'shop') })).toMatchObject({
      code: 'USER_ACCESS',
      args: { path: data, got: 'mode 0777' },
    })
    await chmod(data, 0o700)
    await mkdir(join(data, 'shop'))
    await chown(join(data, 'shop'), NOBODY, NOBODY)
    expect(await serveWith({ data: join(data, 'shop') })).toMatchObject({
      code: 'USER_ACCESS',
      args: { path: data, got: 'mode 0700' },
    })
    await chmod(data, 0o711)
    expect(await serveWith({ data: join(data, 'shop') })).toBeUndefined()
    await rm(data, { recursive: true })
  })

  it('loses its data when it is undeployed with them', async () => {
    const { host, at, said } = await served({ user: 'nobody' }, { ...entry, data: { files: { path: 'files' } } })
    await said(`fs.writeFileSync(path.join(process.env.HOME, 'files/b'), 'x')`)
    await host.undeploy('shop', { keepData: false })
    expect(await readdir(at('data/shop'))).toEqual([])
  })

  it('is refused where the host is not root', async () => {
    const place = { file: '/etc/zapp.host.json', app: 'shop' }
    const error = await asPlainUser(() => rejection(findUser('1:1', place)))
    expect(error).toMatchObject({ code: 'USER_DENIED', args: { app: 'shop', user: '1:1' } })
    expect(await asPlainUser(() => findUser(`${NOBODY}:${NOBODY}`, place))).toBeUndefined()
  })
})

describe('a host whose apps could read each other', () => {
  it('says so when it starts', async () => {
    const dir = await folderOf({
      'a.zapp': [{ ...entry, name: 'a' }, says('a')],
      'b.zapp': [{ ...entry, name: 'b' }, says('b')],
    })
    const { events } = await start(dir)
    const warned = events.flatMap((event) => (event.type === 'warned' ? [event.finding] : []))
    expect(warned).toMatchObject([{ code: 'ONE_USER', args: { count: 2 } }])
  })

  const app = (user?: string, code = true) => ({
    user,
    manifest: { entries: new Map(code ? [['web', {}]] : []), processes: new Map() } as never,
  })
  it.each([
    ['one app', [app()], undefined],
    ['one with code', [app(), app(undefined, false)], undefined],
    ['users of their own', [app('a'), app('b')], undefined],
    ['some that share one', [app('a'), app('a'), app('b')], undefined],
    ['a single other user', [app('a'), app('a')], { count: 2, user: 'user a' }],
    ['several as the host', [app(), app(), app('a')], { count: 2, user: 'the host’s own user' }],
  ])('%s', (_, apps, args) => {
    expect(sharedUser(apps)?.args).toEqual(args)
  })
})
