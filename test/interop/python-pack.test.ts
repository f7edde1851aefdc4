import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import { parseBuildInfo } from '../../src/archive/build-info.ts'
import { detectProject } from '../../src/pack/detect.ts'
import { type PackResult, pack } from '../../src/pack/pack.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { makeTree, type Tree } from '../pack/helpers/tree.ts'

/*
 * Projects as their frameworks' documentation has them, with what PyPI has today: found out by init, packed with their
 * wheels, and loaded by the Python loader of the archive itself.
 */

const run = promisify(execFile)
const times: string[] = []
afterAll(() => console.info(`packed, wheels fetched:\n${times.map((line) => `  ${line}`).join('\n')}`))

async function packed(name: string, dir: string, target = {}): Promise<PackResult> {
  const result = await pack(dir, { out: join(dir, `${name}.zapp`), target })
  const { files, bytes, ms } = result
  times.push(`${name}: ${files} files, ${Math.ceil(bytes / 1024)} KiB, ${ms} ms`)
  return result
}

async function python(script: string, { file }: PackResult, ...args: string[]): Promise<string> {
  const env = { ...process.env, PYTHONPATH: `${file}/ZAPP-INF/lib`, SECRET_KEY: 'for tests' }
  const { stdout } = await run('python3', ['-c', script, file, await tmpDir(), ...args], { env })
  return stdout
}

const WSGI = `
import sys, zapp
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator
app = validator(zapp.load(sys.argv[1], mount="/at", cache=sys.argv[2]))
for path in sys.argv[3:]:
    environ = {"PATH_INFO": path, "SCRIPT_NAME": "/at", "HTTP_HOST": "localhost"}
    setup_testing_defaults(environ)
    body = app(environ, lambda status, headers, exc=None: print(status, end=" ") or (lambda data: None))
    print(b"".join(body).decode()[:60].split("\\n")[0])
    body.close()
`

const ASGI = `
import asyncio, sys, zapp
app = zapp.load_asgi(sys.argv[1], mount="/at", cache=sys.argv[2])
async def get(path):
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
             "path": "/at" + path, "raw_path": ("/at" + path).encode(), "query_string": b"", "root_path": "",
             "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)}
    sent = []
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        sent.append(message)
    await app(scope, receive, send)
    print(sent[0]["status"], b"".join(m.get("body", b"") for m in sent[1:]).decode())
asyncio.run(get(sys.argv[3]))
`

interface Project {
  readonly tree: Tree
  readonly entry: object
  readonly requests: Readonly<Record<string, string>>
}

const DJANGO: Tree = {
  'requirements.txt': 'django>=5,<6\n',
  'manage.py': `#!/usr/bin/env python
import os, sys
def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
if __name__ == "__main__":
    main()
`,
  'mysite/__init__.py': '',
  'mysite/settings.py': `import os
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["localhost"]
INSTALLED_APPS = ["django.contrib.staticfiles"]
ROOT_URLCONF = "mysite.urls"
WSGI_APPLICATION = "mysite.wsgi.application"
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
`,
  'mysite/urls.py':
    'from django.http import HttpResponse\nfrom django.urls import path\nurlpatterns = [path("healthz/", lambda request: HttpResponse("fine " + request.get_full_path()))]\n',
  'mysite/wsgi.py':
    'import os\nfrom django.core.wsgi import get_wsgi_application\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")\napplication = get_wsgi_application()\n',
  'staticfiles/site.css': 'body { color: teal }\n',
}

const PROJECTS: Readonly<Record<string, Project>> = {
  'Flask 3': {
    tree: {
      'requirements.txt': 'Flask>=3,<4\n',
      'app.py':
        'from flask import Flask, render_template, url_for\n\napp = Flask(__name__)\n\n\n@app.get("/")\ndef hello():\n    return render_template("page.html", home=url_for("hello"))\n',
      'templates/page.html': '<a href="{{ home }}">home</a>',
    },
    entry: { type: 'wsgi', app: 'app:app' },
    requests: { '/': '200 OK <a href="/at/">home</a>' },
  },
  'Flask 3, a factory in a package': {
    tree: {
      'requirements.txt': 'Flask>=3,<4\n',
      'pyproject.toml': '[project]\nname = "shop"\nversion = "1.2"\nrequires-python = ">=3.9"\n',
      'shop/__init__.py':
        'from flask import Flask\n\n\ndef create_app(test_config=None):\n    app = Flask(__name__, instance_relative_config=True)\n\n    @app.route("/hello")\n    def hello():\n        return "Hello"\n\n    return app\n',
    },
    entry: { type: 'wsgi', app: 'shop:create_app', factory: true },
    requests: { '/hello': '200 OK Hello', '/other': '404 NOT FOUND <!doctype html>' },
  },
  'Django 5': {
    tree: DJANGO,
    entry: { type: 'wsgi', app: 'mysite.wsgi:application', env: { DJANGO_SETTINGS_MODULE: 'mysite.settings' } },
    requests: { '/healthz/': '200 OK fine /at/healthz/', '/static/site.css': '200 OK body { color: teal }' },
  },
  Bottle: {
    tree: {
      'requirements.txt': 'bottle\n',
      'app.py':
        'from bottle import Bottle, run\n\napp = Bottle()\n\n\n@app.route("/hello/<name>")\ndef index(name):\n    return "Hello " + name\n\n\nif __name__ == "__main__":\n    run(app)\n',
    },
    entry: { type: 'wsgi', app: 'app:app' },
    requests: { '/hello/you': '200 OK Hello you' },
  },
  Pyramid: {
    tree: {
      'requirements.txt': 'pyramid>=2\n',
      'wsgi.py':
        'from pyramid.config import Configurator\nfrom pyramid.response import Response\n\n\ndef hello(request):\n    return Response("Hello from " + request.script_name)\n\n\nwith Configurator() as config:\n    config.add_route("hello", "/")\n    config.add_view(hello, route_name="hello")\n    application = config.make_wsgi_app()\n',
    },
    entry: { type: 'wsgi', app: 'wsgi:application' },
    requests: { '/': '200 OK Hello from /at' },
  },
  FastAPI: {
    tree: {
      'requirements.txt': 'fastapi\n',
      'main.py':
        'from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get("/items/{item_id}")\ndef item(item_id: int):\n    return {"item": item_id}\n',
    },
    entry: { type: 'asgi', app: 'main:app' },
    requests: { '/items/7': '200 {"item":7}' },
  },
}

test.each(Object.entries(PROJECTS))('%s', async (name, { tree, entry, requests }) => {
  const dir = await makeTree(tree)
  const { suggestion, doubt } = await detectProject(dir)
  expect(doubt).toBeUndefined()
  expect(JSON.parse(suggestion).entry).toEqual(entry)
  const result = await packed(name, dir)
  expect(result.warnings).toEqual([])
  const again = await pack(dir, { out: join(dir, 'again.zapp') })
  expect(again.digest).toBe(result.digest)

  const isAsgi = result.plan.manifest.entries.get('main')?.type === 'asgi'
  const answers = await python(isAsgi ? ASGI : WSGI, result, ...Object.keys(requests))
  expect(answers.trim().split('\n')).toEqual(Object.values(requests))
})

test('native wheels are recorded with their ABI, for this machine and for others', async () => {
  const project = {
    'requirements.txt': 'markupsafe\n',
    'app.py': 'import markupsafe\ndef application(environ, start_response): pass\n',
  }
  const dir = await makeTree(project)
  const platforms = ['manylinux_2_17_aarch64', 'manylinux2014_aarch64']
  const there = await packed('markupsafe, for aarch64', dir, { python: '3.12', platforms })
  const archive = await openArchive(there.file)
  const build = parseBuildInfo(await archive.read(archive.entries.get('ZAPP-INF/build.json')!))
  await archive.close()
  expect(build?.native).toMatchObject([
    { kind: 'addon', platform: 'linux', arch: 'arm64', libc: 'glibc', python: 'cp312' },
  ])
  const load =
    'import sys, zapp\ntry: zapp.load(sys.argv[1], cache=sys.argv[2])\nexcept zapp.ZappError as error: print(error.code)'
  expect(await python(load, there)).toBe('NEED_NATIVE\n')
  expect(await python(load, await packed('markupsafe, for this machine', dir))).toBe('')
})

test('Flask answers from the archive on sys.path, with no Zapp at all', async () => {
  const tree = {
    'requirements.txt': 'Flask>=3,<4\n',
    'app.py': 'from flask import Flask\napp = Flask(__name__)\n@app.get("/")\ndef home(): return "Hello"\n',
  }
  const { file } = await packed('Flask 3, imported from the zip', await makeTree(tree))
  const script = 'from app import app; print(app.test_client().get("/").text)'
  const env = { ...process.env, PYTHONPATH: `${file}:${file}/ZAPP-INF/lib` }
  expect((await run('python3', ['-c', script], { env })).stdout).toBe('Hello\n')
})

// As uv and Poetry write them, for one small package and one for another system.
const CLICK = 'sha256:8bb5376d2006950386f8c6427613334a2acadc5f559cb80e638d00b4df957e37'
const COLORAMA = 'sha256:4f1d9991f5acc0ca119f9d443620b77f9d6b33703e51011c16baf57afb285fc6'
const UV_LOCK = `version = 1
revision = 3
requires-python = ">=3.10"

[[package]]
name = "click"
version = "8.5.1"
source = { registry = "https://example.org/simple" }
dependencies = [
    { name = "colorama", marker = "sys_platform == 'win32'" },
]
wheels = [
    { url = "https://example.org/click-8.5.1-py3-none-any.whl", hash = "${CLICK}", size = 126163 },
]

[[package]]
name = "colorama"
version = "0.4.6"
source = { registry = "https://example.org/simple" }
wheels = [
    { url = "https://example.org/colorama-0.4.6-py2.py3-none-any.whl", hash = "${COLORAMA}", size = 25335 },
]

[[package]]
name = "stall"
version = "0.3.0"
source = { virtual = "." }
dependencies = [
    { name = "click" },
]
`
const POETRY_LOCK = `[[package]]
name = "click"
version = "8.5.1"
description = "Composable command line interface toolkit"
optional = false
python-versions = ">=3.10"
groups = ["main"]
files = [
    {file = "click-8.5.1-py3-none-any.whl", hash = "${CLICK}"},
]

[package.dependencies]
colorama = {version = "*", markers = "platform_system == \\"Windows\\""}

[[package]]
name = "colorama"
version = "0.4.6"
description = "Cross-platform colored terminal text."
optional = false
python-versions = "!=3.0.*,!=3.1.*,>=2.7"
groups = ["main"]
markers = "platform_system == \\"Windows\\""
files = [
    {file = "colorama-0.4.6-py2.py3-none-any.whl", hash = "${COLORAMA}"},
]

[metadata]
lock-version = "2.1"
python-versions = ">=3.10"
`

test.each([
  ['uv.lock', { 'uv.lock': UV_LOCK }],
  [
    'poetry.lock',
    { 'poetry.lock': POETRY_LOCK, 'pyproject.toml': '[tool.poetry.dependencies]\npython = ">=3.10"\nclick = "^8"\n' },
  ],
])('%s: what it pins, from PyPI, for this system and for Windows', async (name, tree) => {
  const dir = await makeTree({ 'app.py': 'import click\ndef application(environ, start_response): pass\n', ...tree })
  const versions = ({ plan }: PackResult) => plan.packages.map((pkg) => `${pkg.name} ${pkg.version}`)
  expect(versions(await packed(name, dir))).toEqual(['click 8.5.1', expect.stringMatching(/^zapp /)])
  const windows = await packed(`${name}, for Windows`, dir, { platforms: ['win_amd64'] })
  expect(versions(windows)).toEqual(['click 8.5.1', 'colorama 0.4.6', expect.stringMatching(/^zapp /)])
})
