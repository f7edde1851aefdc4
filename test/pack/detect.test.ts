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

const DOUBTFUL: Record<string, [tree: Tree, doubt: RegExp, entry?: object]> = {
  'it only listens': [
    {
      'package.json': { scripts: { start: 'node server.js' }, ...express },
      'server.js': "const app = require('express')()\napp.listen(3000)\n",
    },
    /server.js listens by itself and exports no listener: it is an entry of type "server"/,
    { type: 'server', run: ['{node}', 'server.js'] },
  ],
  'it exports and listens': [
    { 'app.js': "const app = require('express')()\napp.listen(process.env.PORT)\nmodule.exports = app\n" },
    /app.js exports an Express app but also listens by itself when it is loaded/,
    { type: 'server', run: ['{node}', 'app.js'] },
  ],
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
  'two customary files export listeners': [
    { 'app.js': 'module.exports = (req, res) => 1\n', 'server.js': 'module.exports = (req, res) => 2\n' },
    /app.js and server.js both export a listener/,
  ],
  'WebSockets without a server to attach to': [
    { 'package.json': { main: 'app.js', dependencies: { ws: '8' } }, 'app.js': 'module.exports = (req, res) => 1\n' },
    /it uses ws, but app.js exports no server/,
  ],
  'nothing at all': [{ 'notes.txt': 'x' }, /no module named by package.json/],
  'a site in the root': [{ 'index.html': 'x', 'style.css': 'x' }, /index.html lies in the project’s root/],
  'two sites': [{ 'public/index.html': 'x', 'dist/index.html': 'x' }, /public and dist both hold an index.html/],
  'a site that is built': [
    { 'package.json': { scripts: { build: 'vite build' } }, 'dist/index.html': 'x' },
    /has a build script/,
  ],
}

for (const [name, [tree, doubt, entry]] of Object.entries(DOUBTFUL)) {
  test(`doubtful: ${name}`, async () => {
    const dir = await makeTree(tree)
    const error: ZappError = await planPack(dir).catch((e) => e)
    expect(error.code).toBe('PACK_NO_MANIFEST')
    expect(error.args.reason).toMatch(doubt)
    const suggestion = JSON.parse(String(error.args.suggestion))
    expect(parseManifest(Buffer.from(String(error.args.suggestion))).findings).toEqual([])
    if (entry) expect(suggestion.entry).toEqual(entry)
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
    'app.js': "const http = require('http')\nconst server = http.createServer()\nmodule.exports = { server }\n",
  })
  expect(manifest.entry).toEqual({ type: 'node', module: 'app.js', websocket: true })
})
