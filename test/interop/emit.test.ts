import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { pack } from '../../src/pack/pack.ts'
import { cli } from '../cli/helper.ts'
import { ask } from '../helpers/ask.ts'
import { freePort } from '../helpers/free-port.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { APACHE_USER, needApache, startApache } from './helpers/apache.ts'
import { needPrograms } from './helpers/apt.ts'
import { writeFiles } from './helpers/guide.ts'
import { startNginxSites } from './helpers/nginx.ts'
import { emitInto, newPlace, type Place } from './helpers/place.ts'
import { startProcess } from './helpers/server-process.ts'
import { DEBIAN_PYTHON } from './helpers/venv.ts'
import { startServe } from './helpers/zapp-serve.ts'

/* What the servers make of the configuration where names are not what one expects, and the ways beside the table. */

const run = promisify(execFile)
/** Every character that means something to one of the syntaxes, as far as none of them has no way to write it. */
const ODD = `a 'b" %n $x \\ [c]*`
const VALUE = `'"\\ %s $HOME [x] *`
const GET = { method: 'GET', path: '/' }

await needApache()
await needPrograms({ gunicorn: 'gunicorn', uwsgi: 'uwsgi-core', nginx: 'nginx-light', 'systemd-analyze': 'systemd' })

let archive: string
beforeAll(async () => {
  const project = await tmpDir()
  await writeFiles(project, {
    'zapp.json': JSON.stringify({
      ...{ zapp: 1, name: 'odd', version: '1.0.0', title: 'Odd \\ ', entry: { type: 'wsgi', app: 'odd:application' } },
      config: { VALUE: { type: 'string' }, KEY: { type: 'string', secret: true, required: true } },
    }),
    'odd.py': `import os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return ["|".join([os.environ["VALUE"], os.environ["KEY"], environ["SCRIPT_NAME"]]).encode()]
`,
  })
  archive = (await pack(project, { out: join(await tmpDir(), 'odd.zapp') })).file
})

/** A place with an odd name, the archive in it, and the file of secrets. */
async function oddPlace(user?: string): Promise<Place & { readonly file: string; readonly flags: string[] }> {
  const outer = await newPlace(user)
  const dir = join(outer.dir, ODD)
  await mkdir(dir)
  await chmod(dir, 0o755)
  const file = join(dir, 'odd.zapp')
  await copyFile(archive, file)
  const secrets = join(dir, 'secrets.env')
  await writeFile(secrets, `# a comment\nKEY=${VALUE}\n`)
  if (user !== undefined) await run('chown', [user, secrets])
  const place = { ...outer, dir, cache: join(dir, 'cache'), data: join(dir, 'data') }
  return { ...place, file, flags: ['--mount', '/a$&(b)', '--config', `VALUE=${VALUE}`, '--config-file', secrets] }
}

async function answers(port: number, server: { log(): string }): Promise<void> {
  const { status, body } = await ask(port, '/a$&(b)', GET)
  expect([status, body], server.log().slice(-3000)).toEqual([200, `${VALUE}|${VALUE}|/a$&(b)`])
}

describe('odd names and values arrive as they are', () => {
  test('gunicorn', async () => {
    const place = await oddPlace()
    const port = await freePort()
    const { steps } = await emitInto(
      place,
      'gunicorn',
      place.file,
      '--python',
      DEBIAN_PYTHON,
      ...place.flags,
      '-p',
      `${port}`,
    )
    await answers(port, await startProcess(['sh', '-c', `exec ${steps.Start}`], { at: port, cwd: place.dir }))
  })

  test('uWSGI', async () => {
    const place = await oddPlace()
    const port = await freePort()
    const { steps } = await emitInto(place, 'uwsgi', place.file, ...place.flags, '-p', `${port}`)
    await answers(port, await startProcess(['sh', '-c', `exec ${steps.Start}`], { at: port, cwd: place.dir }))
  })

  test.each([[['mod_wsgi']], [['mod_wsgi', '--daemon']], [['cgi', '--python', DEBIAN_PYTHON]]])(
    '%s',
    async ([target = '', ...more]) => {
      const place = await oddPlace(APACHE_USER)
      const emitted = await emitInto(place, target, place.file, ...place.flags, ...more)
      // Apache's own places are ordinary: they are this test's.
      const apache = await startApache(await newPlace(APACHE_USER), emitted)
      await answers(apache.port, apache)
    },
  )

  test('nginx', async () => {
    const place = await oddPlace()
    const socket = join(place.dir, 'a socket')
    await startProcess([DEBIAN_PYTHON, '-c', HELLO, socket], { at: socket, cwd: place.dir })
    const port = await freePort()
    const { file } = await emitInto(place, 'nginx', place.file, '--mount', '/a$&(b)', '--socket', socket)
    const site = (await readFile(file, 'utf8')).replace('127.0.0.1:80;', `127.0.0.1:${port};`)
    const front = await startNginxSites((await newPlace()).dir, port, site)
    onTestFinished(front.stop)
    expect((await ask(port, '/a$&(b)', { method: 'GET', path: '/x%2F?y' })).body).toBe('/a$&(b)/x%2F?y')
    expect((await ask(port, '', { method: 'GET', path: '/a$&(b)' })).body).toBe('/a$&(b)')
    expect((await ask(port, '', { method: 'GET', path: '/a$&(b)c' })).status).toBe(404)
  })

  test('systemd', async () => {
    const place = await oddPlace()
    const { file } = await emitInto(place, 'systemd', place.file, ...place.flags)
    // The program must be there for systemd to look at; only its name is changed.
    const text = (await readFile(file, 'utf8')).replace('ExecStart=zapp ', `ExecStart=${process.execPath} `)
    await writeFile(file, text)
    const { stdout, stderr } = await run('systemd-analyze', ['verify', '--recursive-errors=no', file])
    expect(`${stdout}${stderr}`.split('\n').filter((line) => line.includes('odd.service'))).toEqual([])
  })
})

/** Answers with the target that it was asked for. */
const HELLO = `
import socketserver, sys
from http.server import BaseHTTPRequestHandler
class Handler(BaseHTTPRequestHandler):
    def address_string(self): return "x"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.path)))
        self.end_headers()
        self.wfile.write(self.path.encode())
socketserver.UnixStreamServer(sys.argv[1], Handler).serve_forever()
`

test('code that reads no files beside itself runs in gunicorn from the zip, with no Zapp', async () => {
  const project = await tmpDir()
  const entry = { type: 'wsgi', app: 'zip_safe:application' }
  await writeFiles(project, {
    'zapp.json': JSON.stringify({ zapp: 1, name: 'safe', version: '1.0.0', entry }),
    'zip_safe.py': `from greeting import TEXT

def application(environ, start_response):
    start_response("200 OK", [])
    return [TEXT]
`,
    'greeting.py': 'TEXT = b"hello"\n',
  })
  const { file } = await pack(project, { out: join(project, 'safe.zapp') })
  const port = await freePort()
  const argv = [DEBIAN_PYTHON, '-m', 'gunicorn', '-b', `127.0.0.1:${port}`, 'zip_safe:application']
  const env = { PYTHONPATH: `${file}:${file}/ZAPP-INF/lib` }
  const server = await startProcess(argv, { at: port, cwd: '/', env })
  const answer = await ask(port, '', GET).catch(String)
  expect(answer, server.log()).toMatchObject({ status: 200, body: 'hello' })
})

describe('an executable archive', () => {
  let file: string
  beforeAll(async () => {
    const project = await tmpDir()
    await chmod(project, 0o755)
    await writeFiles(project, {
      'zapp.json': JSON.stringify({
        zapp: 1,
        name: 'self',
        version: '1.0.0',
        entry: { type: 'wsgi', app: 'a:application' },
      }),
      'a.py':
        'def application(environ, start):\n    start("200 OK", [])\n    return [environ["SCRIPT_NAME"].encode()]\n',
    })
    file = join(project, 'self.zapp')
    const { code, stderr } = await cli(['pack', project, '--executable', '-o', file])
    expect([code, stderr]).toEqual([0, expect.anything()])
  })

  test('is a program', async () => {
    const { dir, cache } = await newPlace()
    const port = await freePort()
    const argv = [file, '--port', `${port}`, '--mount', '/own', '--cache', cache]
    await startProcess(argv, { at: port, cwd: dir, own: true })
    expect((await ask(port, '/own', GET)).body).toBe('/own')
  })

  test('is a CGI script of Apache itself', async () => {
    const place = await newPlace(APACHE_USER)
    const emitted = await emitInto(place, 'cgi', file, '--mount', '/cgi-bin/self')
    expect(await readFile(emitted.file, 'utf8')).toContain(`ScriptAlias "/cgi-bin/self" "${file}"`)
    const apache = await startApache(place, emitted)
    const { status, body } = await ask(apache.port, '/cgi-bin/self', GET)
    expect([status, body], apache.log()).toEqual([200, '/cgi-bin/self'])
  })
})

test('nginx in front of zapp serve', async () => {
  const place = await newPlace()
  const [port, behind] = [await freePort(), await freePort()]
  const project = await tmpDir()
  await writeFiles(project, {
    'zapp.json': JSON.stringify({ zapp: 1, name: 'web', version: '1.0.0', entry: { type: 'node', module: 'a.js' } }),
    'a.js': 'module.exports = (req, res) => res.end(req.headers.host + (req.originalUrl ?? req.url))',
  })
  const { file } = await pack(project, { out: join(place.dir, 'web.zapp') })
  await startServe(file, '/web', place, behind)
  const emitted = await emitInto(place, 'nginx', file, '--mount', '/web', '-p', `${behind}`)
  const site = (await readFile(emitted.file, 'utf8')).replace('127.0.0.1:80;', `127.0.0.1:${port};`)
  const front = await startNginxSites((await newPlace()).dir, port, site)
  onTestFinished(front.stop)
  expect((await ask(port, '/web', { method: 'GET', path: '/a%2Fb' })).body).toBe('shop.example/web/a%2Fb')
})
