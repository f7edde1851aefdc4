import { execFile } from 'node:child_process'
import { cp, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { freePort } from '../helpers/free-port.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { ROOT } from '../python/python.ts'
import { startProcess } from './helpers/server-process.ts'
import { venv } from './helpers/venv.ts'

/* The Python loader as a package of its own: what pip makes of it, in an environment that has nothing else. */

const run = promisify(execFile)
const tools = await venv('mypy', 'setuptools', 'wheel')

let wheel: string
beforeAll(async () => {
  // A copy: setuptools builds in the folder of the sources.
  const dir = await tmpDir()
  await cp(join(ROOT, 'python'), join(dir, 'python'), { recursive: true })
  const build = ['-m', 'pip', 'wheel', '--quiet', '--no-deps', '--no-build-isolation', '-w', dir, join(dir, 'python')]
  await run(tools, build)
  const wheels = (await readdir(dir)).filter((name) => name.endsWith('.whl'))
  expect(wheels).toEqual(['zapp-0.1.0-py3-none-any.whl'])
  wheel = join(dir, wheels[0]!)
})

test('the wheel holds the whole package, its types and tables, and no scripts', async () => {
  const { stdout } = await run(tools, ['-m', 'zipfile', '-l', wheel])
  const names = new Set([...stdout.matchAll(/^(zapp\S+)/gm)].map(([, name]) => name))
  const sources = (await readdir(join(ROOT, 'python/zapp'), { recursive: true })).filter((name) =>
    /\.(py|json|typed)$/.test(name),
  )
  expect(sources.filter((name) => !names.has(`zapp/${name}`))).toEqual([])
  expect([...names].filter((name) => name!.endsWith('entry_points.txt'))).toEqual([])
})

test('installed into a fresh environment it serves an archive with wsgiref', async () => {
  const dir = await tmpDir()
  const python = join(dir, 'venv/bin/python')
  await run(tools, ['-m', 'venv', join(dir, 'venv')])
  await run(python, ['-m', 'pip', 'install', '--quiet', '--no-index', wheel])
  const app =
    'def app(environ, start):\n    start("200 OK", [("Content-Type", "text/plain")])\n    return [environ["SCRIPT_NAME"].encode()]\n'
  const manifest = {
    entry: { type: 'wsgi', app: 'app:app' },
    routes: { '/': { static: 'public' }, '/app': { entry: 'main' } },
  }
  const file = await makeArchive(dir, manifest, { 'app.py': app, 'public/index.html': 'hello' })
  const port = await freePort()
  const code = `
from wsgiref.simple_server import make_server
from wsgiref.validate import validator
import zapp
application = zapp.load(${JSON.stringify(file)}, "/shop", cache=${JSON.stringify(join(dir, 'cache'))})
make_server("127.0.0.1", ${port}, validator(application)).serve_forever()
`
  const server = await startProcess([python, '-c', code], { at: port, cwd: dir })
  try {
    const url = `http://127.0.0.1:${port}/shop`
    expect(await (await fetch(`${url}/`)).text()).toBe('hello')
    expect(await (await fetch(`${url}/app`)).text()).toBe('/shop')
    expect(server.log()).not.toContain('AssertionError')
  } finally {
    await server.stop()
  }
})

test('mypy --strict finds nothing, in the package and in code that uses it', async () => {
  const dir = await tmpDir()
  const user = `
import zapp
app = zapp.load("shop.zapp", "/shop", {"KEY": "value"})
reveal_type(app.mount)
reveal_type(zapp.load_asgi("shop.zapp"))
app.close()
`
  await writeFile(join(dir, 'user.py'), user)
  const env = { ...process.env, MYPYPATH: join(ROOT, 'python') }
  const cache = ['--cache-dir', join(dir, 'mypy')]
  await run(tools, ['-m', 'mypy', '--strict', ...cache, '-p', 'zapp'], { env, cwd: dir }).catch(({ stdout }) => {
    throw new Error(stdout)
  })
  const { stdout } = await run(tools, ['-m', 'mypy', '--strict', ...cache, 'user.py'], { env, cwd: dir })
  expect(stdout).toContain('Revealed type is "str"')
  expect(stdout).toContain('zapp.asgi.AsgiApplication')
})
