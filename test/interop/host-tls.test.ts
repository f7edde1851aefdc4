import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, onTestFailed, test } from 'vitest'
import { BIN } from '../cli/helper.ts'
import { type CertificateName, certificateFile, pairOf } from '../helpers/certificates.ts'
import { freePort } from '../helpers/free-port.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { needPrograms } from './helpers/apt.ts'
import { startProcess } from './helpers/server-process.ts'

/*
 * docs/host.md §TLS: its files are written, its commands typed, with curl as the client. Changed are the root of the file
 * system, the ports and the group of the host's user; certbot is played by a program that does with the folders what
 * certbot does, and asks for its challenge over the network before.
 */

const run = promisify(execFile)
const GUIDE = readFileSync(join(import.meta.dirname, '../../docs/host.md'), 'utf8')
const [, SECTION = ''] = /^## TLS\n(.*?)^## /ms.exec(GUIDE) ?? []
const blocks = [...SECTION.matchAll(/^```(?<lang>\w+)(?: (?<path>\S+))?\n(?<body>.*?)^```$/gms)].map(
  ({ groups }) => groups as { lang: string; path?: string; body: string },
)
const [SERVE = '', CERTBOT = ''] = blocks.filter(({ lang, path }) => lang === 'sh' && !path).map(({ body }) => body)
const SETTINGS = blocks.find(({ lang }) => lang === 'json')?.body ?? ''
const HOOK = blocks.find(({ path }) => path?.includes('letsencrypt'))

let root: string
let ports: { plain: number; secure: number; local: number }

function here(text: string): string {
  return text
    .replace(/(?<![\w.:-])\/(?=(?:etc|var)\/)/g, `${root}/`)
    .replaceAll(' -g zapp', '')
    .replaceAll('"0.0.0.0"', '"127.0.0.1"')
    .replace('"port": 80,', `"port": ${ports.plain},`)
    .replace('"port": 443,', `"port": ${ports.secure},`)
    .replace('8080', String(ports.local))
}

const APP = `
const { createHash } = require('node:crypto')
module.exports = (req, res) => {
  const hash = createHash('sha256')
  req.on('data', (chunk) => hash.update(chunk))
  req.on('end', () => res.end(JSON.stringify({ proto: req.headers['x-forwarded-proto'], encrypted: req.socket.encrypted === true, url: req.url, hash: hash.digest('hex') })))
}`

beforeAll(async () => {
  await needPrograms({ curl: 'curl', sha256sum: 'coreutils' })
  root = await tmpDir()
  ports = { plain: await freePort(), secure: await freePort(), local: await freePort() }
  for (const folder of ['bin', 'apps', 'etc/zapp', 'var/lib']) await mkdir(join(root, folder), { recursive: true })
  const certbot = `
while [ $# -gt 0 ]; do
  case "$1" in -w) webroot=$2;; -d) domain=$2;; --cert-name) name=$2;; esac
  shift
done
folder="$webroot/.well-known/acme-challenge"
mkdir -p "$folder"
printf abc.thumbprint > "$folder/abc"
answer=$(curl -fsS --resolve "$domain:${ports.plain}:127.0.0.1" "http://$domain:${ports.plain}/.well-known/acme-challenge/abc")
rm -r "$webroot/.well-known"
[ "$answer" = abc.thumbprint ]
cert=${certificateFile('')}/\${RENEWED:-shop}
live=${root}/etc/letsencrypt/live/$name
archive=${root}/etc/letsencrypt/archive/$name/\${RENEWED:-shop}
mkdir -p "$live" "$archive"
cp "$cert.pem" "$archive/fullchain.pem"
cp "$cert.key.pem" "$archive/privkey.pem"
ln -sfn "$archive/fullchain.pem" "$live/fullchain.pem"
ln -sfn "$archive/privkey.pem" "$live/privkey.pem"
`
  await writeFile(join(root, 'bin/certbot'), `#!/bin/sh -e\n${certbot}`, { mode: 0o755 })
  const hook = here(HOOK?.path ?? '')
  await mkdir(dirname(hook), { recursive: true })
  await writeFile(hook, here(HOOK?.body ?? ''), { mode: 0o755 })
  const manifest = { name: 'shop', entry: { type: 'node', module: 'app.cjs' } }
  await rename(await makeArchive(root, manifest, { 'app.cjs': APP }), join(root, 'apps/shop.zapp'))
})

const env = () => ({ PATH: `${root}/bin:${process.env.PATH}`, HOME: root })
const type = (commands: string, more: object = {}) => run('sh', ['-ec', commands], { env: { ...env(), ...more } })

/** Whose certificate curl is shown; the address is that of everybody who needs no port. */
async function curl(url: string, ca: CertificateName, ...flags: string[]): Promise<{ status: number; body: string }> {
  const to = [`shop.example:443:127.0.0.1:${ports.secure}`, `shop.example:80:127.0.0.1:${ports.plain}`]
  const connect = [...to, `other.example:443:127.0.0.1:${ports.secure}`].flatMap((one) => ['--connect-to', one])
  const common = ['-sS', '--cacert', certificateFile(`${ca}.pem`), '-w', '\n%{http_code}', ...connect]
  const { stdout } = await run('curl', [...common, ...flags, url], { env: env() })
  const at = stdout.lastIndexOf('\n')
  return { status: Number(stdout.slice(at + 1)), body: stdout.slice(0, at) }
}

test('what the guide says of certbot holds, from no certificate to the second', async () => {
  const settings = join(root, 'etc/zapp/zapp.host.json')
  const { listen } = JSON.parse(here(SETTINGS))
  const put = (addresses: unknown) => writeFile(settings, JSON.stringify({ listen: addresses }))
  await put(listen.slice(0, 1))
  const places = ['state', 'cache', 'data'].flatMap((name) => [`--${name}`, join(root, name)])
  const argv = [process.execPath, BIN, 'serve', join(root, 'apps'), '--settings', settings, ...places]
  const host = await startProcess(argv, { at: ports.plain, cwd: root, env: env() })
  onTestFailed(() => console.log(host.log()))
  await expect.poll(host.log, { timeout: 90_000 }).toMatch(/^listens .* leads to https$/m)

  await type(here(CERTBOT))
  const lineage = { RENEWED_LINEAGE: join(root, 'etc/letsencrypt/live/shop') }
  await type(here(HOOK?.path ?? ''), lineage)
  const { cert, key } = await pairOf('other')
  await mkdir(join(root, 'etc/zapp/tls/wiki'))
  await run('cp', [cert, key, join(root, 'etc/zapp/tls/wiki/')])
  await put(listen)
  host.signal('SIGHUP')
  await expect.poll(host.log).toContain('settings read again')

  const asked = await curl('https://shop.example/shop/x?y', 'shop')
  expect(asked.status).toBe(200)
  expect(JSON.parse(asked.body)).toMatchObject({ proto: 'https', encrypted: true, url: '/x?y' })
  expect((await curl('https://other.example/shop/', 'other')).status).toBe(200)
  await expect(curl('https://other.example/shop/', 'shop')).rejects.toThrow(/SSL|certificate/)
  // From http, with its method and body; ten megabytes of them.
  const body = join(root, 'body')
  await writeFile(body, Buffer.alloc(10 * 1024 * 1024, 'zapp'))
  const { stdout } = await run('sha256sum', [body])
  const sent = await curl('http://shop.example/shop/', 'shop', '-L', '--data-binary', `@${body}`)
  expect([sent.status, JSON.parse(sent.body).hash]).toEqual([200, stdout.slice(0, 64)])
  expect((await curl(`http://127.0.0.1:${ports.local}/shop/`, 'shop')).status).toBe(200)
  expect(await curl(`http://127.0.0.1:${ports.secure}/`, 'shop')).toMatchObject({ status: 400 })
  expect((await curl('https://shop.example/', 'shop', '-H', 'Host: other.example')).status).toBe(421)

  await type(here(CERTBOT), { RENEWED: 'renewed' })
  await type(here(HOOK?.path ?? ''), lineage)
  await expect
    .poll(() => curl('https://shop.example/shop/', 'renewed').then(({ status }) => status, String), { timeout: 20_000 })
    .toBe(200)
  expect(host.log()).not.toContain('refused')
})

test('the command for one certificate is right', async () => {
  const dir = await tmpDir()
  const made = await makeArchive(dir, { name: 'shop', entry: { type: 'node', module: 'app.cjs' } }, { 'app.cjs': APP })
  const { cert, key } = await pairOf('shop')
  await run('sh', ['-ec', 'cp "$0" fullchain.pem; cp "$1" privkey.pem; mv "$2" shop.zapp', cert, key, made], {
    cwd: dir,
  })
  const [program, ...words] = SERVE.trim().split(' ')
  expect(program).toBe('zapp')
  const port = await freePort()
  const flags = ['-p', String(port), '--cache', join(dir, 'cache'), '--data', join(dir, 'data')]
  const host = await startProcess([process.execPath, BIN, ...words, ...flags], { at: port, cwd: dir })
  await expect.poll(host.log, { timeout: 90_000 }).toMatch(/^live /m)
  const ca = certificateFile('shop.pem')
  const { stdout } = await run('curl', ['-fsS', '--http1.1', '--cacert', ca, `https://localhost:${port}/`])
  expect(JSON.parse(stdout)).toMatchObject({ proto: 'https' })
})
