import { expect, test } from 'vitest'
import { parseManifest } from '../../src/format/manifest-parse.ts'
import { detectProject } from '../../src/pack/detect.ts'
import { pythonRange } from '../../src/pack/python/python-range.ts'
import { makeTree, type Tree } from './helpers/tree.ts'

async function detect(tree: Tree) {
  const detection = await detectProject(await makeTree(tree))
  // Every suggestion is a manifest, also one that leaves a doubt.
  expect(parseManifest(Buffer.from(detection.suggestion)).findings).toEqual([])
  return { ...detection, manifest: JSON.parse(detection.suggestion) }
}

const flask = 'from flask import Flask\n\napp = Flask(__name__)\n'
const wsgi = 'def application(environ, start_response):\n    return []\n'

const CERTAIN: Record<string, [tree: Tree, entry: object, because: string]> = {
  Flask: [{ 'app.py': flask }, { type: 'wsgi', app: 'app:app' }, 'app.py:3 has a Flask app: app = Flask(__name__)'],
  'Flask by its module, started only as a program': [
    {
      'main.py':
        '#!/usr/bin/env python3\n"""\napp = Django()\n"""\nimport flask as f\nserver: f.Flask = f.Flask(\n    __name__,\n    static_folder="x",\n)\nif __name__ == "__main__":\n    server.run()\n',
    },
    { type: 'wsgi', app: 'main:server' },
    'main.py:6 has a Flask app: server: f.Flask = f.Flask(',
  ],
  'Flask behind a proxy fix': [
    {
      'app.py': `${flask}from werkzeug.middleware.proxy_fix import ProxyFix\napp.wsgi_app = ProxyFix(app.wsgi_app)\napplication = ProxyFix(app)\n`,
    },
    { type: 'wsgi', app: 'app:application' },
    'app.py:6 has a Flask app: application = ProxyFix(app)',
  ],
  'a factory in a package': [
    {
      'shop/__init__.py':
        'def create_app(config=None, *, testing: bool = False) -> "Flask":\n    from flask import Flask\n    app = Flask(__name__)\n    return app\n',
    },
    { type: 'wsgi', app: 'shop:create_app', factory: true },
    'shop/__init__.py:1 is a factory of a Flask app: def create_app(config=None, *, testing: bool = False) -> "Flask":',
  ],
  'a module that calls the factory of a package': [
    {
      'wsgi.py': 'from shop import create_app\n\napplication = create_app()\n',
      'shop/__init__.py': 'from flask import Flask\n\ndef create_app():\n    app = Flask(__name__)\n    return app\n',
    },
    { type: 'wsgi', app: 'wsgi:application' },
    'wsgi.py:3 has a Flask app: application = create_app()',
  ],
  'a module that hands on the app of another': [
    { 'wsgi.py': 'from shop.web import app as application\n', 'shop/__init__.py': '', 'shop/web.py': flask },
    { type: 'wsgi', app: 'wsgi:application' },
    'wsgi.py:1 has a Flask app: from shop.web import app as application',
  ],
  'a src layout': [
    { 'src/shop/__init__.py': '', 'src/shop/app.py': flask },
    { type: 'wsgi', app: 'shop.app:app', root: 'src' },
    'src/shop/app.py:3 has a Flask app: app = Flask(__name__)',
  ],
  Bottle: [
    { 'app.py': 'import bottle\n\n@bottle.route("/")\ndef home(): return ""\n\napplication = bottle.default_app()\n' },
    { type: 'wsgi', app: 'app:application' },
    'app.py:6 has a Bottle app: application = bottle.default_app()',
  ],
  'FastAPI with WebSockets': [
    {
      'main.py':
        'from fastapi import FastAPI, WebSocket\n\napp = FastAPI()\n\n@app.websocket("/ws")\nasync def ws(socket: WebSocket): ...\n',
    },
    { type: 'asgi', app: 'main:app', websocket: true },
    'main.py:3 has a FastAPI app: app = FastAPI()',
  ],
  Starlette: [
    { 'app.py': 'from starlette.applications import Starlette\napp = Starlette(routes=[])\n' },
    { type: 'asgi', app: 'app:app' },
    'app.py:2 has a Starlette app: app = Starlette(routes=[])',
  ],
  Pyramid: [
    {
      'app.py':
        'from pyramid.config import Configurator\nwith Configurator() as config:\n    config.scan()\n    app = config.make_wsgi_app()\n',
    },
    { type: 'wsgi', app: 'app:app' },
    'app.py:4 has a Pyramid app: app = config.make_wsgi_app()',
  ],
  'Pyramid, a factory': [
    {
      'pylons/__init__.py':
        'from pyramid.config import Configurator\n\ndef main(global_config=None, **settings):\n    with Configurator(settings=settings) as config:\n        return config.make_wsgi_app()\n',
    },
    { type: 'wsgi', app: 'pylons:main', factory: true },
    'pylons/__init__.py:3 is a factory of a Pyramid app: def main(global_config=None, **settings):',
  ],
  'a WSGI function': [
    { 'wsgi.py': wsgi },
    { type: 'wsgi', app: 'wsgi:application' },
    'wsgi.py:1 has a WSGI callable: def application(environ, start_response):',
  ],
  'a WSGI class': [
    {
      'app.py': 'class App:\n    def __call__(self, env, start_response):\n        return []\n\napplication = App()\n',
    },
    { type: 'wsgi', app: 'app:application' },
    'app.py:5 has a WSGI callable: application = App()',
  ],
  'an ASGI function': [
    { 'asgi.py': 'async def app(scope, receive, send):\n    pass\n' },
    { type: 'asgi', app: 'asgi:app' },
    'asgi.py:1 has an ASGI callable: async def app(scope, receive, send):',
  ],
  'the only module, whatever its name': [
    { 'journal.py': wsgi },
    { type: 'wsgi', app: 'journal:application' },
    'journal.py:1 has a WSGI callable: def application(environ, start_response):',
  ],
  'beside a build of style sheets': [
    { 'app.py': flask, 'package.json': { scripts: { build: 'tailwindcss' } }, 'public/index.html': '' },
    { type: 'wsgi', app: 'app:app' },
    'app.py:3 has a Flask app: app = Flask(__name__)',
  ],
}

test.each(Object.entries(CERTAIN))('%s', async (_, [tree, entry, because]) => {
  const found = await detect(tree)
  expect(found.doubt).toBeUndefined()
  expect(found.manifest.entry).toEqual(entry)
  expect(found.because[0]).toBe(because)
})

const DOUBTFUL: Record<string, [tree: Tree, doubt: RegExp]> = {
  'a factory that must be given something': [
    {
      'shop/__init__.py':
        'from pyramid.config import Configurator\ndef main(global_config, **settings):\n    return Configurator().make_wsgi_app()\n',
    },
    /^shop\/__init__\.py:2 must be called with arguments: add a wsgi\.py/,
  ],
  'a server that starts at import': [
    { 'app.py': `${flask}app.run(debug=True)\n` },
    /^app\.py:4 starts a server when it is imported/,
  ],
  'routes of Bottle without an app': [
    { 'app.py': 'from bottle import route, run\n@route("/")\ndef home(): return ""\n' },
    /application = bottle\.default_app\(\)/,
  ],
  'two apps of different kinds': [
    { 'app.py': flask, 'main.py': 'from fastapi import FastAPI\napp = FastAPI()\n' },
    /^app\.py:3 has a Flask app and main\.py:2 a FastAPI app$/,
  ],
  'an app of Node as well': [
    { 'app.py': flask, 'app.js': 'module.exports = (req, res) => res.end()\n', 'package.json': { main: 'app.js' } },
    /^it looks like two apps: app\.py:3 has a Flask app/,
  ],
  'a Django project without wsgi.py': [
    { 'manage.py': 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.settings")', 'site/settings.py': '' },
    /no wsgi\.py/,
  ],
}

test.each(Object.entries(DOUBTFUL))('%s leaves a doubt', async (_, [tree, doubt]) => {
  expect((await detect(tree)).doubt).toMatch(doubt)
})

test('what is read, what is asked for, and for which Python', async () => {
  const { manifest, because } = await detect({
    'pyproject.toml': '[project]\nname = "My.Shop"\nversion = "1.4"\nrequires-python = ">=3.10,!=3.11.1,<4"\n',
    'app.py': `import os\n${flask}app.secret_key = os.environ["SECRET_KEY"]\nPAGE = os.getenv("PAGE_SIZE", "20")\nPORT = os.environ["PORT"]\n\n@app.get("/healthz")\ndef health(): return "ok"\n`,
  })
  expect(manifest).toMatchObject({
    name: 'my.shop',
    version: '1.4.0',
    config: { SECRET_KEY: { type: 'string', required: true, secret: true }, PAGE_SIZE: { type: 'string' } },
    health: { path: '/healthz' },
    dependencies: { runtime: { python: '>=3.10,<4' } },
  })
  expect(because).toEqual([
    'app.py:4 has a Flask app: app = Flask(__name__)',
    'app.py:5 needs the variable SECRET_KEY',
    'app.py:6 reads the variable PAGE_SIZE',
    'app.py:9 answers /healthz',
    'pyproject.toml asks for Python >=3.10,!=3.11.1,<4',
  ])
  expect((await detect({ 'app.py': flask, '.python-version': '3.12.4\n' })).manifest.dependencies).toEqual({
    runtime: { python: '>=3.12' },
  })
})

const DJANGO: Tree = {
  'manage.py': 'import os\ndef main():\n    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notes.settings.dev")\n',
  'notes/__init__.py': '',
  'notes/settings/__init__.py': '',
  'notes/settings/base.py': `from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent.parent.parent
INSTALLED_APPS = ["django.contrib.staticfiles"]
ROOT_URLCONF = "notes.urls"
WSGI_APPLICATION = "notes.wsgi.application"
STATIC_URL = "/assets/"
STATIC_ROOT = BASE_DIR / "var" / "static"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
`,
  'notes/settings/dev.py': 'from .base import *\nDEBUG = True\n',
  'notes/settings/production.py': 'from .base import *\nALLOWED_HOSTS = [".notes.example", "notes.example"]\n',
  'notes/urls.py': 'urlpatterns = [path("healthz/", health)]\n',
  'notes/wsgi.py': 'from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n',
}

test('Django: settings for production, its server module, health with a host, the database beside the code', async () => {
  const { manifest, because, doubt } = await detect({ ...DJANGO, 'var/static/x.css': '' })
  expect(doubt).toBeUndefined()
  expect(manifest).toMatchObject({
    entry: {
      type: 'wsgi',
      app: 'notes.wsgi:application',
      env: { DJANGO_SETTINGS_MODULE: 'notes.settings.production' },
    },
    routes: { '/': { entry: 'main' }, '/assets/*': { static: 'var/static', cache: '1h' } },
    health: { path: '/healthz/', host: 'notes.example' },
  })
  expect(because).toEqual([
    'manage.py:3 makes it a Django project',
    'notes/settings/base.py:5 names notes.wsgi',
    'notes/settings/base.py:7 collects static files into var/static',
    'notes/urls.py:1 answers /healthz/',
    expect.stringMatching(/^notes\/settings\/base\.py:8 keeps the database beside the code/),
  ])
})

test('Django: static files that are not collected are a doubt; under names with a hash they are cached for good', async () => {
  const missing = await detect(DJANGO)
  expect(missing.doubt).toMatch(/var\/static is missing: run "python manage\.py collectstatic --noinput"/)
  const storage =
    'from .base import *\nSTORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}}\n'
  const hashed = await detect({ ...DJANGO, 'notes/settings/production.py': storage, 'var/static/x.css': '' })
  expect(hashed.manifest.routes['/assets/*']).toEqual({ static: 'var/static', cache: 'immutable' })
})

test('Django with Channels, in a folder of its own', async () => {
  const { manifest } = await detect({
    'backend/manage.py': 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chat.settings")\n',
    'backend/chat/__init__.py': '',
    'backend/chat/settings.py':
      'INSTALLED_APPS = [\n    "daphne",\n    "channels",\n]\nASGI_APPLICATION = "chat.asgi.application"\n',
    'backend/chat/asgi.py': 'application = ProtocolTypeRouter({})\n',
    'backend/chat/wsgi.py': 'application = get_wsgi_application()\n',
  })
  expect(manifest.entry).toEqual({
    type: 'asgi',
    app: 'chat.asgi:application',
    websocket: true,
    root: 'backend',
    env: { DJANGO_SETTINGS_MODULE: 'chat.settings' },
  })
})

test.each([
  ['>=3.9', '>=3.9'],
  ['>=3.9,<3.13', '>=3.9,<3.13'],
  ['>= 3.9, != 3.9.1, < 4', '>=3.9,<4'],
  ['~=3.11', '>=3.11,<4'],
  ['~=3.11.2', '>=3.11.2,<3.12'],
  ['^3.10', '>=3.10,<4'],
  ['==3.12.*', '>=3.12,<3.13'],
  ['>3.10', '>=3.11'],
  ['<=3.12', '<3.13'],
  ['3.12', '>=3.12,<3.13'],
  ['!=3.0.*', undefined],
  ['', undefined],
  ['what', undefined],
])('Python %s is the range %s', (specifier, range) => {
  expect(pythonRange(specifier)).toBe(range)
})
