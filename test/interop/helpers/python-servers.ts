import { execFile } from 'node:child_process'
import { readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { openArchive } from '../../../src/archive/archive.ts'
import type { Manifest } from '../../../src/format/manifest-types.ts'
import { freePort } from '../../helpers/free-port.ts'
import { APACHE_USER, startApache } from './apache.ts'
import { startNginxSites } from './nginx.ts'
import { type Emitted, emitInto, newPlace, type Place } from './place.ts'
import { startProcess } from './server-process.ts'
import { DEBIAN_PYTHON } from './venv.ts'
import { startServe } from './zapp-serve.ts'

const run = promisify(execFile)

export interface Running {
  readonly port: number
  /** What an administrator does when another file has taken the archive's place. */
  redeploy?(): Promise<void>
  log(): string
  stop(): Promise<void>
}

/** A server that runs the archive of a WSGI app. */
export interface PythonServer {
  readonly name: string
  /** A field that it leaves out of answers, where it likes, and why. */
  readonly drops?: readonly [field: string, why: string]
  /**
   * @param mount "" or "/shop"
   * @param prepare of those that are configured by `zapp emit`: fills the place, and says further options
   */
  start(archive: string, mount: string, prepare?: Prepare): Promise<Running>
}

export type Prepare = (place: Place) => Promise<readonly string[]>

const nothing: Prepare = async () => []

/** wsgiref, waitress and what else takes a callable: a module of one line, with the loader that the archive brings. */
function fromModule(name: string, python: string, argv: readonly string[], load = 'load'): PythonServer {
  return {
    name,
    async start(archive, mount) {
      const place = await newPlace()
      const port = await freePort()
      const { dir, cache, data } = place
      const options = Object.entries({ mount, cache, data }).map(([key, value]) => `${key}=${JSON.stringify(value)}`)
      const module = `import zapp\napplication = zapp.${load}(${[JSON.stringify(archive), ...options].join(', ')})\n`
      await writeFile(join(dir, 'site_notes.py'), module)
      const env = { PYTHONPATH: `${dir}:${archive}/ZAPP-INF/lib` }
      const filled = argv.map((word) => word.replace('{port}', String(port)).replace('{socket}', join(dir, 'socket')))
      return { port, ...(await startProcess([python, ...filled], { at: port, cwd: dir, env })) }
    },
  }
}

const WSGIREF = `
from wsgiref.simple_server import make_server
from site_notes import application
make_server("127.0.0.1", {port}, application).serve_forever()
`

/** The archive as the program, with an interpreter or, where it is executable, without. */
function itself(name: string, ...python: string[]): PythonServer {
  return {
    name,
    async start(archive, mount) {
      const { dir, cache, data } = await newPlace()
      const port = await freePort()
      const options = ['--port', String(port), '--cache', cache, '--data', data, ...(mount ? ['--mount', mount] : [])]
      return { port, ...(await startProcess([...python, archive, ...options], { at: port, cwd: dir, own: true })) }
    },
  }
}

function gunicorn(name: string, python: string, threads: number): PythonServer {
  return {
    name,
    async start(archive, mount, prepare = nothing) {
      const place = await newPlace()
      const port = await freePort()
      const workers = ['--processes', '2', '--threads', String(threads)]
      const flags = ['--python', python, '--port', String(port), '--mount', mount || '/', ...workers]
      const { steps } = await emitInto(place, 'gunicorn', archive, ...flags, ...(await prepare(place)))
      const argv = ['sh', '-c', `exec ${steps.Start}`]
      const server = await startProcess(argv, { at: port, cwd: place.dir })
      return { port, ...server, redeploy: async () => server.signal('SIGHUP') }
    },
  }
}

function uwsgi(
  name: string,
  program: string,
  change: (ini: string, mount: string) => string = (ini) => ini,
): PythonServer {
  return {
    name,
    async start(archive, mount, prepare = nothing) {
      const place = await newPlace()
      const port = await freePort()
      const flags = ['--port', String(port), '--mount', mount || '/', '--processes', '2', '--threads', '2']
      const python = program.includes('/') ? ['--python', join(program, '../python')] : []
      const emitted = await emitInto(place, 'uwsgi', archive, ...flags, ...python, ...(await prepare(place)))
      await writeFile(emitted.file, change(await readFile(emitted.file, 'utf8'), mount))
      const server = await startUwsgi(program, emitted, place, port)
      const said = (words: string) => server.log().split(words).length - 1
      let redeploys = 0
      // It follows the archive by itself. Once a second it looks at the time of the file, in whole seconds; what it sees
      // first, a moment after it listens, is no change, and one that it sees while it reloads is lost.
      const redeploy = async () => {
        redeploys++
        for (;;) {
          await sleep(1000)
          if (said('chain reloading complete') >= redeploys) return
          if (said('chain reload !!!') >= redeploys) continue
          const later = (await stat(archive)).mtimeMs / 1000 + 1
          await utimes(archive, later, later)
        }
      }
      return { port, ...server, redeploy }
    },
  }
}

/** Its ini says how several apps share one server. */
function mounted(ini: string, mount: string): string {
  return ini.replace(/^wsgi-file = (.+)$/m, `mount = ${mount || '/'}=$1\nmanage-script-name = true`)
}

function startUwsgi(program: string, { steps }: Emitted, place: Place, at: number | string) {
  const line = steps.Start!.replace(/^uwsgi/, program)
  return startProcess(['sh', '-c', `exec ${line}`], { at, cwd: place.dir })
}

const nginxUwsgi: PythonServer = {
  name: 'nginx, uWSGI',
  async start(archive, mount) {
    const place = await newPlace()
    const socket = join(place.dir, 'uwsgi.sock')
    const flags = ['--socket', socket, '--mount', mount || '/']
    const behind = await startUwsgi('uwsgi', await emitInto(place, 'uwsgi', archive, ...flags), place, socket)
    const { file } = await emitInto(place, 'nginx', archive, '--uwsgi', ...flags)
    const port = await freePort()
    const site = (await readFile(file, 'utf8')).replace('listen 127.0.0.1:80;', `listen 127.0.0.1:${port};`)
    const params = 'include uwsgi_params;'
    const front = await startNginxSites(place.dir, port, site.replaceAll(params, 'include /etc/nginx/uwsgi_params;'))
    return {
      port,
      log: behind.log,
      async stop() {
        await front.stop()
        await behind.stop()
      },
    }
  },
}

function apache(name: string, target: string, flags: readonly string[], wsgi?: string): PythonServer {
  return {
    name,
    async start(archive, mount, prepare = nothing) {
      const place = await newPlace(APACHE_USER)
      const more = await prepare(place)
      const emitted = await emitInto(place, target, archive, '--mount', mount || '/', ...flags, ...more)
      const server = await startApache(place, emitted, wsgi)
      const script = emitted.file.replace(/conf$/, 'wsgi')
      return {
        ...server,
        redeploy: async () => {
          const now = new Date()
          await utimes(script, now, now)
        },
      }
    },
  }
}

const serve: PythonServer = {
  name: 'zapp serve, Python',
  async start(archive, mount, prepare = nothing) {
    const port = await freePort()
    const place = await newPlace()
    // It runs many apps: the data of each is below its name.
    const { name } = await manifestOf(archive)
    const flags = await prepare({ ...place, data: join(place.data, name) })
    return { port, ...(await startServe(archive, mount, place, port, ...flags)) }
  },
}

async function manifestOf(file: string): Promise<Manifest> {
  const archive = await openArchive(file)
  await archive.close()
  return archive.manifest
}

/** @param environment interpreters that have the current releases of the package index */
export async function pythonServers(python: string): Promise<PythonServer[]> {
  const bin = join(python, '..')
  const { stdout } = await run(join(bin, 'mod_wsgi-express'), ['module-location'])
  const debian = DEBIAN_PYTHON
  const system = ['--python', debian]
  return [
    serve,
    fromModule('wsgiref', debian, ['-c', WSGIREF]),
    itself('python FILE', debian),
    gunicorn('gunicorn 20 sync', debian, 1),
    gunicorn('gunicorn 20 gthread', debian, 4),
    gunicorn('gunicorn gthread', python, 4),
    uwsgi('uWSGI 2.0.21', 'uwsgi'),
    uwsgi('uWSGI 2.0.21 mount', 'uwsgi', mounted),
    uwsgi('uWSGI', join(bin, 'uwsgi')),
    nginxUwsgi,
    fromModule('waitress 2', debian, ['-m', 'waitress', '--listen=127.0.0.1:{port}', 'site_notes:application']),
    fromModule('waitress', python, ['-m', 'waitress', '--listen=127.0.0.1:{port}', 'site_notes:application']),
    fromModule('granian', python, [...GRANIAN, 'wsgi', 'site_notes:application']),
    apache('mod_wsgi 4 embedded', 'mod_wsgi', []),
    apache('mod_wsgi 4 daemon', 'mod_wsgi', ['--daemon']),
    apache('mod_wsgi daemon', 'mod_wsgi', ['--daemon', '--python', python], stdout.trim()),
    { ...apache('CGI, Apache', 'cgi', system), drops: ['content-length', 'since 2.4.59 it measures for itself'] },
    fromModule('uvicorn 0.17', debian, [...UVICORN], 'load_asgi'),
    fromModule('uvicorn', python, [...UVICORN], 'load_asgi'),
    fromModule('hypercorn', python, [...HYPERCORN], 'load_asgi'),
  ]
}

const GRANIAN = ['-m', 'granian', '--host', '127.0.0.1', '--port', '{port}', '--interface']
const UVICORN = ['-m', 'uvicorn', '--port', '{port}', 'site_notes:application']
const HYPERCORN = ['-m', 'hypercorn', '--bind', '127.0.0.1:{port}', 'site_notes:application']

/** What `pythonServers` runs of the package index. */
export const PACKAGES = ['gunicorn', 'uwsgi', 'waitress', 'granian', 'mod_wsgi', 'uvicorn', 'hypercorn'] as const
