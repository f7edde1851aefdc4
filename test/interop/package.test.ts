import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { tmpDir } from '../helpers/tmp.ts'

const root = join(import.meta.dirname, '../..')
const run = promisify(execFile)
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')

/** A folder that holds nothing but an installation of what `npm pack` yields. */
let consumer: string

beforeAll(async () => {
  const out = await tmpDir()
  await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', out], { cwd: root })
  const [tarball] = (await readdir(out)).filter((name) => name.endsWith('.tgz'))
  consumer = await tmpDir()
  await writeFile(join(consumer, 'package.json'), '{ "private": true, "type": "module" }')
  await run('npm', ['install', '--no-audit', '--no-fund', '--silent', join(out, tarball!), '@types/node@20'], {
    cwd: consumer,
  })
})

test('npx zapp pack works where the package is installed, and the library mounts the result', async () => {
  await mkdir(join(consumer, 'app'))
  await writeFile(
    join(consumer, 'app', 'package.json'),
    '{ "name": "hello", "version": "1.0.0", "main": "hello.js", "type": "module" }',
  )
  await writeFile(
    join(consumer, 'app', 'zapp.json'),
    '{ "zapp": 1, "name": "hello", "version": "1.0.0", "entry": { "type": "node", "module": "hello.js" } }',
  )
  await writeFile(join(consumer, 'app', 'hello.js'), "export default (req, res) => res.end('hello ' + req.url)\n")

  const { stdout } = await run('npx', ['zapp', 'pack', 'app', '-o', 'hello.zapp', '--json'], { cwd: consumer })
  expect(JSON.parse(stdout)).toMatchObject({ file: expect.stringContaining('hello.zapp') })

  await writeFile(
    join(consumer, 'serve.js'),
    `import { loadApp } from 'zapp'
const app = await loadApp('hello.zapp', { mount: '/h', cache: process.argv[2] })
console.log(await (await app.fetch(new Request('http://localhost/h/x'))).text())
await app.close()
`,
  )
  const cache = await tmpDir()
  expect((await run('node', ['serve.js', join(cache, 'zapp')], { cwd: consumer })).stdout).toBe('hello /x\n')
})

test.each([
  ['node16', 'node16'],
  ['esnext', 'bundler'],
])('the types resolve with module %s, moduleResolution %s', async (module, moduleResolution) => {
  await writeFile(
    join(consumer, 'types.ts'),
    `import { createServer } from 'node:http'
import { loadApp, openArchive, type App, type Archive, ZappError } from 'zapp'
import { zapp as express } from 'zapp/express'
import { zapp as fastify } from 'zapp/fastify'
import { zapp as fetcher } from 'zapp/fetch'
import { zapp as hono } from 'zapp/hono'
import { zapp as koa } from 'zapp/koa'
import { attach } from 'zapp/node-http'
const archive: Archive = await openArchive('hello.zapp')
const app: App = await loadApp('hello.zapp', { mount: '/shop', config: { A: 'b' } })
attach(createServer(), app)
express(app)
fastify(app)
fetcher(app, { next: (request, port: number) => new Response(request.url + port) }).fetch(new Request('a:b'), 80)
hono(app)
koa(app)
const size: number | undefined = archive.entries.get('zapp.json')?.size
const response: Response = await app.fetch(new Request('http://localhost/'))
console.log(size, response.status, ZappError)
// @ts-expect-error a mount is a string
await loadApp('hello.zapp', { mount: 1 })
`,
  )
  const args = ['--noEmit', '--strict', '--target', 'es2023', '--types', 'node', '--ignoreConfig']
  await run(process.execPath, [
    tsc,
    ...args,
    '--module',
    module,
    '--moduleResolution',
    moduleResolution,
    join(consumer, 'types.ts'),
  ]).catch((error: { stdout: string }) => expect.fail(error.stdout))
})

test('the package holds compiled code, types and schemas, and no sources or tests', async () => {
  const installed = await readdir(join(consumer, 'node_modules', 'zapp'), { recursive: true })
  expect(installed).toEqual(
    expect.arrayContaining(['bin/zapp.js', 'dist/index.js', 'dist/index.d.ts', 'schema/FORMAT.md', 'LICENSE']),
  )
  expect(installed.filter((name) => /^(src|test|fixtures|bench|scripts)\//.test(name))).toEqual([])
  const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { types: string; default: string }>
  }
  const targets = Object.values(exports).flatMap((target) =>
    typeof target === 'string' ? target : Object.values(target),
  )
  expect(installed).toEqual(expect.arrayContaining(targets.map((target) => target.slice(2))))
})
