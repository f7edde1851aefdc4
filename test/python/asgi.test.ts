import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './python.ts'

/** What a piece of Python says that uses the loader, without any package of the machine. */
function python(code: string): string {
  const env = { PATH: process.env.PATH, PYTHONPATH: join(ROOT, 'python') }
  const { stdout, stderr } = spawnSync('python3', ['-S', '-W', 'error', '-c', code], { encoding: 'utf8', env })
  return stdout + stderr
}

test('ENTRY_ASGI: an entry point that a WSGI server cannot call, and what can', () => {
  const said = python(`
import sys; sys.path.insert(0, ${JSON.stringify(join(ROOT, 'python'))})
import zapp
from tests.make_zapp import make_zapp
archive = make_zapp({"entry": {"type": "asgi", "app": "app:app"}}, {"app.py": ""})
try:
    zapp.load(archive)
except zapp.ZappError as error:
    print(error.code, error, error.fix)
zapp.load_asgi(archive, cache="/nowhere").close()
`)
  expect(said).toBe(
    'ENTRY_ASGI "zapp.json": entry "main" is of type asgi, which a WSGI server cannot call ' +
      'Load it with zapp.load_asgi, in a server like uvicorn or hypercorn.\n',
  )
})

test('ENTRY_RUNNER: no server is there; it lists what was looked for, and tells how to get one', () => {
  const said = python(`
import sys, zapp
from zapp.runners.find_server import find_server
sys.executable = "/usr/bin/python3"
for kind, wanted in (("asgi", None), ("asgi", "hypercorn"), ("wsgi", "gunicorn"), ("asgi", "gunicorn")):
    try:
        find_server(kind, wanted, "/tree")
    except zapp.ZappError as error:
        print(error.code, error, error.fix)
`)
  const lines = said.trimEnd().split('\n')
  expect(lines[0]).toBe(
    'ENTRY_RUNNER "main" needs one of uvicorn or hypercorn, got none in the archive and none for "/usr/bin/python3" ' +
      'Add it to the requirements of the project and pack it again, or: pip install uvicorn',
  )
  expect(lines.slice(1)).toEqual([
    expect.stringContaining('needs one of hypercorn, got none'),
    expect.stringContaining('pip install gunicorn'),
    expect.stringContaining('needs one of uvicorn or hypercorn, got none'),
  ])
})
