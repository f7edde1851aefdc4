import { basename } from 'node:path'
import { expect, test } from 'vitest'
import type { ZappError } from '../../src/errors.ts'
import { parseManifest } from '../../src/format/manifest-parse.ts'
import { type Detection, detectProject } from '../../src/pack/detect.ts'
import { planPack } from '../../src/pack/plan.ts'
import { makeTree, type Tree } from './helpers/tree.ts'

async function detect(tree: Tree): Promise<Detection & { manifest: Record<string, unknown> }> {
  const detection = await detectProject(await makeTree(tree))
  // Every suggestion is a manifest, also one that leaves a doubt.
  expect(parseManifest(Buffer.from(detection.suggestion)).findings).toEqual([])
  return { ...detection, manifest: JSON.parse(detection.suggestion) }
}

const standaloneServer = 'process.env.__NEXT_PRIVATE_STANDALONE_CONFIG = JSON.stringify(nextConfig)\n'
const express = { dependencies: { express: '^5.1.0' } }

const CERTAIN: Record<string, [tree: Tree, module: string, because: RegExp]> = {
  'Express, CommonJS': [
    {
      'package.json': { name: 'shop', main: 'src/app.js', ...express },
      'src/app.js': "const express = require('express')\nconst app = express()\napp.get('/')\nmodule.exports = app\n",
    },
    'src/app.js',
    /^src\/app.js exports an Express app: module.exports = app$/,
  ],
  'Express, all in one line': [
    {
      'package.json': { main: 'app.js', ...express },
      'app.js': "const e=require('express');const app=e();app.get('/',(q,r)=>r.send('x'));module.exports=app\n",
    },
    'app.js',
    /^app.js exports an Express app: /,
  ],
  'Express, ES module, listening only as a program': [
    {
      'package.json': {
        type: 'module',
        scripts: { start: 'NODE_ENV=production node --enable-source-maps server.js' },
        ...express,
      },
      'server.js':
        "import express from 'express'\nexport const app = express()\nif (import.meta.filename === process.argv[1]) app.listen(3000)\n",
    },
    'server.js',
    /^server.js exports an Express app/,
  ],
  'express-generator: bin/www starts, app.js exports': [
    {
      'package.json': { scripts: { start: 'node ./bin/www' }, ...express },
      'bin/www':
        "#!/usr/bin/env node\nvar app = require('../app');\nvar server = http.createServer(app);\nserver.listen(port);\n",
      'app.js': "var express = require('express');\nvar app = express();\nmodule.exports = app;\n",
    },
    'app.js',
    /^bin\/www loads app.js$/,
  ],
  'plain http, without package.json': [
    { 'app.js': 'module.exports = async (req, res) => {\n  res.end()\n}\n' },
    'app.js',
    /exports a \(req, res\) function/,
  ],
  'a function that is exported by name': [
    { 'index.mjs': 'export default handler\nasync function handler(_req, res, next) {}\n' },
    'index.mjs',
    /export default handler/,
  ],
  'an object with the app in it': [
    {
      'package.json': { main: './lib', ...express },
      'lib/index.js': "const app = require('express')()\nmodule.exports = { db, app }\n",
    },
    'lib/index.js',
    /an Express app/,
  ],
  'a server that does not listen': [
    {
      'server.js':
        "const { createServer } = require('node:http')\nconst server = createServer((q, s) => s.end())\nmodule.exports = server\n",
    },
    'server.js',
    /an http.Server/,
  ],
  'guarded by require.main': [
    {
      'app.js':
        'module.exports = (req, res) => res.end()\nif (require.main === module) http.createServer(module.exports).listen(80)\n',
    },
    'app.js',
    /\(req, res\)/,
  ],
}

for (const [name, [tree, module, because]] of Object.entries(CERTAIN)) {
  test(`certain: ${name}`, async () => {
    const { manifest, because: reasons, doubt } = await detect(tree)
    expect(doubt).toBeUndefined()
    expect(manifest.entry).toEqual({ type: 'node', module })
    expect(reasons).toEqual(expect.arrayContaining([expect.stringMatching(because)]))
  })
}

const DOUBTFUL: Record<string, [tree: Tree, doubt: RegExp]> = {
  'what it exports is not seen to be a listener': [
    { 'package.json': { main: 'index.js' }, 'index.js': "module.exports = require('./lib').create()\n" },
    /index.js exports no listener that could be recognised/,
  ],
  'the listener stands in a comment': [
    {
      'app.js':
        '// module.exports = (req, res) => res.end()\n/* module.exports = (req, res) => 1 */\nmodule.exports = {}\n',
    },
    /app.js exports no listener/,
  ],
  'a client, whose function is called fetch as well': [
    { 'index.js': 'module.exports = {\n  fetch(url) {},\n}\n' },
    /index.js exports no listener/,
  ],
  'two customary files export listeners': [
    { 'app.js': 'module.exports = (req, res) => 1\n', 'server.js': 'module.exports = (req, res) => 2\n' },
    /app.js and server.js both export a listener/,
  ],
  'WebSockets without a server to attach to': [
    {
      'package.json': { main: 'app.js', dependencies: { ws: '8' } },
      'app.js': "require('./lib/live')\nmodule.exports = (req, res) => 1\n",
      'lib/live.js': "const { WebSocketServer } = require('ws')\n",
    },
    /it uses ws, but app.js exports no server/,
  ],
  'Next, not built as standalone': [{ 'next.config.mjs': '' }, /set output: "standalone" in next.config.mjs and build/],
  'Next, above its standalone folder': [
    { 'next.config.mjs': '', 'public/a': '', '.next/standalone/server.js': standaloneServer },
    /^the app is the folder .next\/standalone: cp -r public .next\/standalone\/, cp -r .next\/static .next\/standalone\/.next\/, zapp pack .next\/standalone$/,
  ],
  'Next without what its pages load': [{ 'server.js': standaloneServer }, /the folder .next\/static is missing/],
  'Next built for a path': [
    {
      'server.js': standaloneServer,
      '.next/static/a': '',
      '.next/required-server-files.json': { config: { basePath: '/docs' } },
    },
    /basePath of next.config is "\/docs", and a program is asked for paths below its mount/,
  ],
  'Nuxt, not built': [{ 'nuxt.config.ts': '' }, /there is no .output: build the project first/],
  'Nitro for another host': [{ '.output/nitro.json': { preset: 'vercel' } }, /must be "node-server", it is "vercel"/],
  'SvelteKit, not built': [
    { 'package.json': { devDependencies: { '@sveltejs/adapter-node': '5' } } },
    /there is no build\/handler.js/,
  ],
  'what package.json starts is not built': [
    { 'package.json': { scripts: { start: 'node dist/main.js' } } },
    /names dist\/main.js, which is not there: build the project first/,
  ],
  'a start that only a shell understands': [
    { 'package.json': { scripts: { start: 'tool $FILE && other' }, dependencies: { tool: '1' } } },
    /no module named by package.json/,
  ],
  'a site that is not built': [
    { 'package.json': { scripts: { build: 'vite build' } }, 'index.html': 'x', 'public/favicon.svg': 'x' },
    /what its build script makes was not found/,
  ],
  'nothing at all': [{ 'notes.txt': 'x' }, /no module named by package.json/],
  'a site in the root': [{ 'index.html': 'x', 'style.css': 'x' }, /index.html lies in the project’s root/],
  'two sites': [{ 'public/index.html': 'x', 'dist/index.html': 'x' }, /public and dist both hold an index.html/],
}

for (const [name, [tree, doubt]] of Object.entries(DOUBTFUL)) {
  test(`doubtful: ${name}`, async () => {
    const dir = await makeTree(tree)
    const error: ZappError = await planPack(dir).catch((e) => e)
    expect(error.code).toBe('PACK_NO_MANIFEST')
    expect(error.args.reason).toMatch(doubt)
    expect(parseManifest(Buffer.from(String(error.args.suggestion))).findings).toEqual([])
  })
}

const bin = (name: string, file: string) => ({ name, version: '1.0.0', bin: { [name]: file } })

/** What is found beside modules that export a node listener: the whole of the manifest but its identity. */
const FOUND: Record<string, [tree: Tree, manifest: object, because: RegExp, ignore?: readonly string[]]> = {
  'a program that only listens': [
    {
      'package.json': {
        scripts: { start: 'NODE_ENV=production DEBUG=a node --no-warnings server --trace' },
        ...express,
      },
      'server.js': "const app = require('express')()\napp.listen(3000)\n",
    },
    { entry: { type: 'server', run: ['{node}', '--no-warnings', 'server.js', '--trace'], env: { DEBUG: 'a' } } },
    /^server.js listens when it is loaded/,
  ],
  'an app that is exported and listens whenever it is loaded': [
    { 'app.js': "const app = require('express')()\napp.listen(process.env.PORT)\nmodule.exports = app\n" },
    { entry: { type: 'server', run: ['{node}', 'app.js'] } },
    /^app.js listens/,
  ],
  'WebSockets that only the program serves': [
    {
      'package.json': { scripts: { start: 'node bin/www' }, dependencies: { express: '5', 'socket.io': '4' } },
      'bin/www': "const app = require('../app')\nrequire('socket.io')\nhttp.createServer(app).listen(3000)\n",
      'app.js': "const app = require('express')()\nmodule.exports = app\n",
    },
    { entry: { type: 'server', run: ['{node}', 'bin/www'], websocket: true } },
    /^bin\/www loads socket.io, for WebSockets$/,
  ],
  'ws that only development needs': [
    { 'package.json': { devDependencies: { ws: '8' } }, 'app.js': "require('ws')\nmodule.exports = (req, res) => 1\n" },
    { entry: { type: 'node', module: 'app.js' } },
    /./,
  ],
  Koa: [
    {
      'package.json': { main: 'a.mjs' },
      'a.mjs': "import Koa from 'koa'\nconst app = new Koa()\nexport default app\n",
    },
    { entry: { type: 'node', module: 'a.mjs' } },
    /exports a Koa app: export default app/,
  ],
  'the callback of Koa': [
    { 'app.js': "const Koa = require('koa')\nconst app = new Koa()\nmodule.exports = app.callback()\n" },
    { entry: { type: 'node', module: 'app.js' } },
    /exports a \(req, res\) function/,
  ],
  Fastify: [
    { 'app.js': "const app = require('fastify')({ logger: true })\nmodule.exports = app\n" },
    { entry: { type: 'node', module: 'app.js' } },
    /exports a Fastify instance/,
  ],
  'Fastify by name, compiled from TypeScript': [
    {
      'package.json': { main: 'dist/app.js' },
      'dist/app.js':
        '"use strict";\nconst fastify_1 = __importDefault(require("fastify"));\nconst app = (0, fastify_1.default)();\nexports.default = app;\n',
    },
    { entry: { type: 'node', module: 'dist/app.js' } },
    /exports a Fastify instance/,
  ],
  Hono: [
    {
      'index.mjs':
        "import { Hono } from 'hono'\nconst app = new Hono().get('/', (c) => c.text(''))\nexport default app\n",
    },
    { entry: { type: 'fetch', module: 'index.mjs' } },
    /exports a Hono app/,
  ],
  'Hono that listens': [
    {
      'index.mjs':
        "import { serve } from '@hono/node-server'\nimport { Hono } from 'hono'\nconst app = new Hono()\nserve(app)\n",
    },
    { entry: { type: 'server', run: ['{node}', 'index.mjs'] } },
    /^index.mjs listens/,
  ],
  'an object with a method fetch': [
    { 'server.mjs': 'export default {\n  port: 3000,\n  fetch(request) { return new Response() },\n}\n' },
    { entry: { type: 'fetch', module: 'server.mjs' } },
    /exports an object with a method fetch/,
  ],
  'a fetch function': [
    { 'server.mjs': 'export default async (request) => new Response()\n' },
    { entry: { type: 'fetch', module: 'server.mjs' } },
    /exports a fetch function/,
  ],
  NestJS: [
    {
      'package.json': { dependencies: { '@nestjs/core': '11' }, engines: { node: '>=20' } },
      'dist/main.js': 'app.listen(3000)',
    },
    { entry: { type: 'server', run: ['{node}', 'dist/main.js'] }, dependencies: { runtime: { node: '>=20' } } },
    /^dist\/main.js is what was built of a NestJS app/,
    ['/src/', '/test/'],
  ],
  'the standalone folder of Next': [
    {
      'server.js': standaloneServer,
      'public/robots.txt': '',
      '.next/static/chunks/a.js': '',
      '.next/required-server-files.json': { config: { basePath: '' } },
    },
    {
      base: '/',
      entry: { type: 'server', run: ['{node}', 'server.js'], env: { HOSTNAME: '127.0.0.1' } },
      routes: {
        '/': { static: 'public', else: { entry: 'main' } },
        '/_next/static/*': { static: '.next/static', cache: 'immutable' },
      },
    },
    /^server.js is the standalone server of Next/,
  ],
  'the output of Nitro': [
    {
      'nuxt.config.ts': 'export default defineNuxtConfig({})',
      '.output/nitro.json': { preset: 'node-server' },
      '.output/server/index.mjs': '',
      '.output/public/_nuxt/a.js': '',
    },
    {
      base: '/',
      entry: { type: 'server', run: ['{node}', '.output/server/index.mjs'] },
      routes: {
        '/': { static: '.output/public', else: { entry: 'main' } },
        '/_nuxt/*': { static: '.output/public/_nuxt', cache: 'immutable' },
      },
    },
    /^\.output\/nitro.json says/,
    ['/*', '!/.output/'],
  ],
  'Astro as a program': [
    {
      'package.json': { dependencies: { '@astrojs/node': '9' } },
      'dist/server/entry.mjs': 'const _args = {"mode": "standalone"}',
      'dist/client/_astro/a.css': '',
    },
    {
      base: '/',
      entry: { type: 'server', run: ['{node}', './dist/server/entry.mjs'] },
      routes: {
        '/': { static: 'dist/client', else: { entry: 'main' } },
        '/_astro/*': { static: 'dist/client/_astro', cache: 'immutable' },
      },
    },
    /in mode standalone$/,
    ['/.astro/', '/src/', '/public/'],
  ],
  'Astro as a handler': [
    {
      'package.json': { dependencies: { '@astrojs/node': '9' } },
      'dist/server/entry.mjs': 'const _args = {"mode": "middleware"}',
    },
    { base: '/', entry: { type: 'node', module: 'dist/server/entry.mjs', export: 'handler' } },
    /in mode middleware$/,
    ['/.astro/', '/src/', '/public/'],
  ],
  'Astro as a handler, by its configuration': [
    {
      'package.json': { dependencies: { '@astrojs/node': '11' } },
      'astro.config.mjs': "export default defineConfig({ adapter: node({ mode: 'middleware' }) })\n",
      'dist/server/entry.mjs': 'export { handler } from "./chunks/server.mjs"\n',
    },
    { base: '/', entry: { type: 'node', module: 'dist/server/entry.mjs', export: 'handler' } },
    /in mode middleware$/,
    ['/.astro/', '/src/', '/public/'],
  ],
  'a command of a dependency': [
    {
      'package.json': { scripts: { start: 'tool "my file.json" --quiet' }, dependencies: { tool: '1' } },
      'node_modules/tool/package.json': bin('tool', './lib/bin.js'),
    },
    { entry: { type: 'server', run: ['{node}', 'node_modules/tool/lib/bin.js', 'my file.json', '--quiet'] } },
    /^node_modules\/tool\/lib\/bin.js is that command/,
  ],
  'a site that Vite built, of one page': [
    {
      'package.json': { scripts: { build: 'vite build' } },
      'index.html': '<script type="module" src="/main.js">',
      'dist/index.html': '<script type="module" crossorigin src="/assets/index-B1a2_3d4.js"></script>',
      'dist/assets/index-B1a2_3d4.js': '',
    },
    {
      base: '/',
      routes: {
        '/': { static: 'dist', else: { file: 'dist/index.html' } },
        '/assets/*': { static: 'dist/assets', cache: 'immutable' },
      },
    },
    /^dist is what was built last/,
    ['/*', '!/dist/'],
  ],
  'a site that was built for a folder, of several pages': [
    {
      'package.json': { scripts: { build: 'make' } },
      'build/index.html': '<link href="/docs/style.css">',
      'build/404.html': '',
      'build/style.css': '',
    },
    { base: '/docs', routes: { '/': { static: 'build' } }, errors: { 404: 'build/404.html' } },
    /asks for its files below \/docs$/,
    ['/*', '!/build/'],
  ],
  'a folder of CGI scripts beside a site': [
    {
      'cgi-bin/hello.pl': '#!/usr/bin/perl -wT\n',
      'cgi-bin/admin/report': '#!/usr/bin/env -S python3 -u\n',
      'cgi-bin/env.sh': '#!/bin/sh\n',
      'cgi-bin/README': 'no script',
      'htdocs/index.html': '',
    },
    {
      entry: { type: 'cgi', dir: 'cgi-bin' },
      routes: { '/cgi-bin/*': { entry: 'main', strip: true }, '/': { static: 'htdocs' } },
      dependencies: { commands: ['perl', 'python3'] },
    },
    /^cgi-bin\/hello.pl begins with "#!\/usr\/bin\/perl -wT"$/,
  ],
  'a site whose addresses are relative': [
    {
      'package.json': { scripts: { build: 'vite build' } },
      'dist/index.html': '<script src="./assets/main.js"></script>',
      'dist/assets/main.js': '',
    },
    { routes: { '/': { static: 'dist', else: { file: 'dist/index.html' } } } },
    /./,
    ['/*', '!/dist/'],
  ],
}

for (const [name, [tree, expected, because, ignore = []]] of Object.entries(FOUND)) {
  test(`found: ${name}`, async () => {
    const { manifest, because: reasons, doubt, ignore: lines } = await detect(tree)
    expect(doubt).toBeUndefined()
    const { zapp, name, version, ...rest } = manifest
    expect(rest).toEqual(expected)
    expect(reasons).toEqual(expect.arrayContaining([expect.stringMatching(because)]))
    expect(lines).toEqual(ignore)
  })
}

test('a folder of files around an index.html is a static site', async () => {
  const dir = await makeTree({ 'public/index.html': 'x' })
  const { suggestion, because, doubt } = await detectProject(dir)
  expect(doubt).toBeUndefined()
  expect(because).toEqual(['public/index.html makes public a static site'])
  const name = basename(dir).toLowerCase()
  expect(JSON.parse(suggestion)).toEqual({ zapp: 1, name, version: '0.0.0', routes: { '/': { static: 'public' } } })
})

test('identity and the Node version come from package.json, put into a form that a manifest may have', async () => {
  const app = { 'app.js': 'module.exports = (req, res) => 1\n' }
  const from = async (json: object) => (await detect({ ...app, 'package.json': json })).manifest
  expect(await from({ name: '@acme/My_Shop', version: 'v1.2.3' })).toMatchObject({ name: 'my_shop', version: '1.2.3' })
  expect(await from({ name: '--Ünï--', version: 'latest' })).toMatchObject({ name: 'n', version: '0.0.0' })
  const node = async (range: string) => (await from({ engines: { node: range } })).dependencies
  expect(await node('^20.19.0 || >=22.12')).toEqual({ runtime: { node: '>=20.19' } })
  expect(await node('>=18')).toEqual({ runtime: { node: '>=18' } })
  expect(await node('20.1.3')).toEqual({ runtime: { node: '>=20.1.3' } })
  expect(await node('*')).toBeUndefined()
  expect(await node('lts/*')).toBeUndefined()
})

test('a server that is exported takes WebSockets where the project uses them', async () => {
  const { manifest } = await detect({
    'package.json': { main: 'app.js', dependencies: { ws: '8' } },
    'app.js':
      "const http = require('http')\nrequire('ws')\nconst server = http.createServer()\nmodule.exports = { server }\n",
  })
  expect(manifest.entry).toEqual({ type: 'node', module: 'app.js', websocket: true })
})
