import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { chmod, chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, onTestFailed, onTestFinished, test } from 'vitest'
import { BIN } from '../cli/helper.ts'
import { freePort } from '../helpers/free-port.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { needPrograms } from './helpers/apt.ts'
import { startNginxSites } from './helpers/nginx.ts'
import { type ServerProcess, startProcess } from './helpers/server-process.ts'

/*
 * docs/host.md from "From nothing to a service" to "Upgrade and backup": every file that it prints is written, every
 * command is typed, in its order. Changed are the root of the file system, the ports, and the name of the user; systemd is
 * played by the test: it starts what the unit says, as that user, in the folders that the unit asks for.
 */

const run = promisify(execFile)
/** Else everything belongs to the one user that there is. */
const isRoot = process.getuid?.() === 0
/** Debian's nobody and nogroup. */
const NOBODY = { uid: 65534, gid: 65534 }
const GUIDE = readFileSync(join(import.meta.dirname, '../../docs/host.md'), 'utf8')

interface Block {
  readonly section: string
  readonly lang: string
  readonly path: string | undefined
  readonly body: string
}

const blocks: Block[] = GUIDE.split(/^## /m).flatMap((text) =>
  [...text.matchAll(/^```(?<lang>\w+)(?: (?<path>\S+))?\n(?<body>.*?)^```$/gms)].map(({ groups }) => ({
    section: text.split('\n')[0] as string,
    lang: groups?.lang ?? '',
    path: groups?.path,
    body: groups?.body ?? '',
  })),
)

/** What a client and the app agree that it is. */
const APP = (version: string) => `
module.exports = (req, res) => {
  console.log('asked ' + req.headers['x-request-id'])
  const { remoteAddress: address, encrypted } = req.socket
  res.end(JSON.stringify({ version: '${version}', address, encrypted, id: req.headers['x-request-id'], host: req.headers.host }))
}
module.exports.upgrade = (req, socket) =>
  socket.end('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\nhello')
`

let root: string
let ports: { app: number; admin: number; web: number }
let host: ServerProcess | undefined
let unit: string

await needPrograms({ nginx: 'nginx-light', logrotate: 'logrotate', curl: 'curl', 'systemd-analyze': 'systemd' })
await needPrograms({ promtool: 'prometheus' })

beforeAll(async () => {
  root = await tmpDir()
  await chmod(root, 0o755)
  ports = { app: await freePort(), admin: await freePort(), web: await freePort() }
  for (const folder of [
    'bin',
    'work',
    'srv',
    'etc/systemd/system',
    'etc/logrotate.d',
    'var/lib',
    'var/log',
    'var/cache',
    'var/backups',
  ]) {
    await mkdir(join(root, folder), { recursive: true, mode: 0o755 })
  }
  const programs = {
    zapp: `exec ${process.execPath} ${BIN} "$@"`,
    useradd: 'true',
    sudo: `shift 2; exec ${isRoot ? 'setpriv --reuid nobody --regid nogroup --clear-groups ' : ''}"$@"`,
    systemctl: `echo "$*" >> ${root}/systemctl\ncase "$1" in kill) kill -USR1 $(cat ${root}/main.pid);; esac`,
  }
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(root, 'bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  }
  for (const version of ['1.2.0', '1.3.0']) {
    const manifest = { name: 'shop', version, entry: { type: 'node', module: 'app.cjs', websocket: true } }
    const made = await makeArchive(root, manifest, { 'app.cjs': APP(version) })
    await rename(made, join(root, 'work', `shop-${version}.zapp`))
  }
  for (const { path, body } of blocks) {
    if (path === undefined) continue
    await mkdir(dirname(here(path)), { recursive: true })
    await writeFile(here(path), here(body))
  }
})

function here(text: string): string {
  return text
    .replace(/(?<![\w.:-])\/(?=(?:srv|etc|var)\/)/g, `${root}/`)
    .replace('-C / ', `-C ${root} `)
    .replaceAll('8080', String(ports.app))
    .replaceAll('8081', String(ports.admin))
    .replace('listen 80;', `listen 127.0.0.1:${ports.web};`)
    .replaceAll(' -o zapp -g zapp', isRoot ? ' -o nobody -g nogroup' : '')
    .replace('su zapp zapp', isRoot ? 'su nobody nogroup' : 'su $(id -un) $(id -gn)')
}

/** Types the n-th block of a section. */
async function type(section: string, n = 0): Promise<string> {
  const body = blocks.filter((block) => block.section === section && block.lang === 'sh')[n]?.body ?? 'false'
  const state = join(root, 'var/lib/zapp-host')
  const env = { PATH: `${root}/bin:${process.env.PATH}`, HOME: root, ZAPP_STATE: state, ZAPP_TOKEN: token() }
  const { stdout } = await run('sh', ['-ec', here(body)], { cwd: join(root, 'work'), env })
  return stdout
}

function token(): string {
  const file = join(root, 'var/lib/zapp-host/admin.token')
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
}

/** As systemd does: the folders, the specifiers, the words. */
async function startUnit(): Promise<void> {
  const setting = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? ''
  for (const [name, at] of Object.entries({ State: 'lib', Cache: 'cache', Logs: 'log' })) {
    for (const folder of setting(`${name}Directory`).split(' ')) {
      const mode = Number.parseInt(setting(`${name}DirectoryMode`), 8)
      await mkdir(join(root, 'var', at, folder), { recursive: true, mode })
      if (isRoot) await chown(join(root, 'var', at, folder), NOBODY.uid, NOBODY.gid)
    }
  }
  const line = setting('ExecStart').replaceAll('%S', '/var/lib').replaceAll('%C', '/var/cache').replaceAll(root, '')
  const [program, ...words] = line.split(' ').map(here)
  expect(program).toBe('zapp')
  host = await startProcess([process.execPath, BIN, ...words], {
    at: ports.app,
    own: true,
    cwd: '/',
    env: { HOME: '/nonexistent' },
    user: isRoot ? NOBODY : undefined,
  })
  await writeFile(join(root, 'main.pid'), String(host.pid))
  await expect.poll(async () => (await admin('/healthz')).status).toBe(200)
}

const admin = (path: string) =>
  fetch(`http://127.0.0.1:${ports.admin}${path}`, { headers: { Authorization: `Bearer ${token()}` } })

/** Through nginx, as a client of another address. */
async function ask(path = '/shop/', headers: Record<string, string> = {}): Promise<Record<string, unknown>> {
  const asked = request({ port: ports.web, host: '127.0.0.1', localAddress: '127.0.0.2', path, agent: false, headers })
  asked.setHeader('Host', 'shop.example')
  asked.end()
  const [answer] = await once(asked, 'response')
  let text = ''
  for await (const chunk of answer) text += chunk
  return { status: answer.statusCode, ...(answer.statusCode === 200 ? JSON.parse(text) : {}) }
}

const served = (version: string) => expect.poll(() => ask()).toMatchObject({ status: 200, version })

const text = (file: string) => readFile(join(root, file), 'utf8').catch(() => '')
const lines = async (file: string) => (await text(file)).split('\n').slice(0, -1)

test('what the guide prints and says holds, in its order', async () => {
  onTestFailed(() => console.log(host?.log()))
  await installs()
  await standsBehindNginx()
  await deploys()
  await rotatesLogs()
  await isMeasured()
  await isBackedUp()
})

/** And starts. */
async function installs(): Promise<void> {
  await type('From nothing to a service', 0)
  await type('From nothing to a service', 1)
  expect(await lines('systemctl')).toEqual(['enable --now zapp.service'])
  const file = join(root, 'etc/systemd/system/zapp.service')
  unit = await readFile(file, 'utf8')
  // The program must be there for systemd to look at.
  await writeFile(file, unit.replace('ExecStart=zapp ', `ExecStart=${process.execPath} `))
  const { stdout, stderr } = await run('systemd-analyze', ['verify', '--recursive-errors=no', file])
  expect(`${stdout}${stderr}`.split('\n').filter((line) => line.includes('zapp.service'))).toEqual([])
  await startUnit()
}

async function standsBehindNginx(): Promise<void> {
  const site = await readFile(join(root, 'etc/nginx/sites-enabled/zapp.conf'), 'utf8')
  onTestFinished((await startNginxSites(join(root, 'nginx'), ports.web, site)).stop)
  await type('Deploy and roll back', 0)
  await served('1.2.0')
  const claims = { 'X-Forwarded-For': '192.0.2.1', 'X-Forwarded-Proto': 'https', 'X-Request-Id': 'mine' }
  const seen = await ask('/shop/', claims)
  expect(seen).toMatchObject({ address: '127.0.0.2', encrypted: false, host: 'shop.example' })
  // Of nginx.
  expect(seen.id).toMatch(/^[0-9a-f]{32}$/)
  await expect.poll(() => text('var/log/zapp/access.log')).toContain(`"${seen.id}"`)
  const record = (await lines('var/log/zapp/access.log'))
    .map((line) => JSON.parse(line))
    .find(({ id }) => id === seen.id)
  expect(record).toMatchObject({ peer: '127.0.0.2', target: '/shop/', status: 200, app: '/shop', version: '1.2.0' })
  await expect.poll(() => text('var/log/zapp/apps/shop.log')).toContain(`asked ${seen.id}`)

  const upgrade = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': 'x',
    'Sec-WebSocket-Version': '13',
  }
  const asked = request({ port: ports.web, host: '127.0.0.1', path: '/shop/', headers: upgrade }).end()
  const [, socket] = await once(asked, 'upgrade')
  socket.destroy()
}

async function deploys(): Promise<void> {
  const local = await type('Deploy and roll back', 1)
  expect(local).toMatch(/\/shop .*1\.2\.0/)
  expect(local).toContain('asked ')
  await served('1.2.0')
  await type('Deploy and roll back', 2)
  await served('1.2.0')
  const tomcat = await type('Deploy and roll back', 3)
  expect(tomcat.split('\n')).toEqual([
    'OK - Deployed application at context path [/shop]',
    'OK - Listed applications for virtual host [localhost]',
    '/shop:running:0:shop##1.3.0',
    'OK - Reloaded application at context path [/shop]',
    'OK - Undeployed application at context path [/shop]',
    '',
  ])
  expect(await ask()).toMatchObject({ status: 404 })
  expect(existsSync(join(root, 'srv/apps/shop-1.2.0.zapp'))).toBe(false)
}

async function rotatesLogs(): Promise<void> {
  await type('Deploy and roll back', 0)
  await served('1.2.0')
  const before = (await lines('var/log/zapp/access.log')).length
  await run('logrotate', ['-f', '-s', join(root, 'logrotate'), join(root, 'etc/logrotate.d/zapp')], {
    env: { PATH: `${root}/bin:${process.env.PATH}` },
  })
  expect((await lines('systemctl')).at(-1)).toBe('kill --signal=USR1 --kill-whom=main zapp.service')
  await expect.poll(() => existsSync(join(root, 'var/log/zapp/access.log'))).toBe(true)
  const { id } = await ask()
  await expect.poll(() => text('var/log/zapp/access.log')).toContain(`"${id}"`)
  expect((await lines('var/log/zapp/access.log.1')).length).toBeGreaterThanOrEqual(before)
  await expect.poll(() => text('var/log/zapp/apps/shop.log')).toContain(`asked ${id}`)
}

async function isMeasured(): Promise<void> {
  const config = join(root, 'etc/prometheus/prometheus.yml')
  await run('promtool', ['check', 'config', config])
  await writeFile(config, (await readFile(config, 'utf8')).replace('15s', '1s'))
  const web = `127.0.0.1:${await freePort()}`
  const flags = [`--config.file=${config}`, `--storage.tsdb.path=${root}/tsdb`, `--web.listen-address=${web}`]
  await startProcess(['prometheus', ...flags], { at: Number(web.split(':')[1]), cwd: root })
  const query = encodeURIComponent('zapp_requests_total{app="/shop",version="1.2.0",status="2xx"} > 0')
  const asked = async () => (await fetch(`http://${web}/api/v1/query?query=${query}`)).json()
  await expect.poll(asked).toMatchObject({ data: { result: [{ metric: { job: 'zapp', name: 'shop' } }] } })
  expect(await type('Metrics and health')).toBe('{"ready":true}\n')
}

async function isBackedUp(): Promise<void> {
  await type('Upgrade and backup')
  await host?.stop()
  for (const lost of ['srv/apps', 'etc/zapp', 'var/lib/zapp-host', 'var/lib/zapp', 'var/cache/zapp'])
    await rm(join(root, lost), { recursive: true })
  await run('tar', ['-C', root, '-xzf', join(root, 'var/backups/zapp.tar.gz')])
  await startUnit()
  await served('1.2.0')
}
