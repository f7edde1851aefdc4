import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ZappError } from '../../src/errors.ts'
import { type App, loadApp } from '../../src/runtimes/load.ts'
import { listen, load, loadNode } from '../helpers/load.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { npmTree } from '../helpers/npm-tree.ts'
import { tmpDir } from '../helpers/tmp.ts'

async function textOf(app: { fetch(request: Request): Promise<Response> }, path = '/'): Promise<string> {
  return (await app.fetch(new Request(`http://host${path}`))).text()
}

const plain = '(req, res) => res.end("yes")'
const express = 'require("express")().get("/", (req, res) => res.send("yes"))'
const koa = 'new (require("koa"))().use((ctx) => { ctx.body = "yes" })'

const commonjs: Record<string, string> = {
  'a function': `module.exports = ${plain}`,
  'a function named app': `exports.app = ${plain}`,
  'a function named handler': `exports.handler = ${plain}`,
  'a function named listener': `exports.listener = ${plain}`,
  'the default export of a compiler': `Object.defineProperty(exports, "__esModule", { value: true }); exports.default = ${plain}`,
  'a promise of one': `module.exports = Promise.resolve(${plain})`,
  'an async function': 'module.exports = async (req, res) => { await null; res.end("yes") }',
  'an Express app': `module.exports = ${express}`,
  'an Express app by name': `exports.app = ${express}`,
  'a Koa app': `module.exports = ${koa}`,
  "a Koa app's callback": `module.exports = ${koa}.callback()`,
  'a server that does not listen': `module.exports = require("node:http").createServer(${plain})`,
  'a server by name': `exports.server = require("node:http").createServer(${plain})`,
  'an object with handle': 'module.exports = { handle(req, res) { res.end(this.word) }, word: "yes" }',
  'an app that listens only when it is the main program': `const app = ${express}; if (!module.parent || require.main === module) throw new Error("listens"); module.exports = app`,
}

const modules: Record<string, string> = {
  'a default function': `export default ${plain}`,
  'a function by name': `export const app = ${plain}`,
  'a default Express app': 'import express from "express"; export default express().get("/", (q, s) => s.send("yes"))',
  'a default Koa app': 'import Koa from "koa"; export default new Koa().use((ctx) => { ctx.body = "yes" })',
  'one that is waited for': `import "node:fs"; await new Promise(setImmediate); export default ${plain}`,
  'a default object with handle': 'export default { handle: (req, res) => res.end("yes") }',
}

/** One app with an entry for each: they share a process and a run tree, as entries do. */
const cases = [...Object.entries(commonjs), ...Object.entries(modules)].map(([what, code], i) => {
  return { what, name: `e${i}`, module: what in commonjs ? `e${i}.js` : `e${i}.mjs`, code }
})
let app: App

beforeAll(async () => {
  const entries = cases.map(({ name, module }) => [name, { type: 'node', module }])
  const routes = cases.map(({ name }) => [`/${name}/*`, { entry: name, strip: true }])
  const files = cases.map(({ module, code }) => [module, code])
  const packages = { ...npmTree('express5', 'express'), ...npmTree('koa') }
  const manifest = { entries: Object.fromEntries(entries), routes: Object.fromEntries(routes) }
  const dir = await tmpDir()
  const archive = await makeArchive(dir, manifest, { ...Object.fromEntries(files), ...packages })
  app = await loadApp(archive, { cache: join(dir, 'cache') })
})

afterAll(() => app.close())

describe('a module may export', () => {
  for (const { what, name, module } of cases) {
    it(`${what} (${module.endsWith('.js') ? 'CommonJS' : 'ES module'})`, async () => {
      expect(await textOf(app, `/${name}/`)).toBe('yes')
    })
  }

  it('the same in a .js file of a package of type module', async () => {
    const files = { 'src/app.js': `export default ${plain}`, 'package.json': '{"type":"module"}' }
    expect(await textOf(await load({ entry: { type: 'node', module: 'src/app.js' } }, files))).toBe('yes')
  })
})

describe('the manifest may name the export', () => {
  const entry = { type: 'node', module: 'app.js', export: 'web' }
  it('which is then taken', async () => {
    const files = { 'app.js': `module.exports = () => { throw 1 }; module.exports.web = ${plain}` }
    expect(await textOf(await load({ entry }, files))).toBe('yes')
  })

  it('and no other', async () => {
    const error = await load({ entry }, { 'app.js': `exports.app = ${plain}` }).catch((e) => e)
    expect(error.code).toBe('ENTRY_EXPORT')
    expect(error.message).toContain('web')
  })
})

describe('an app that cannot start', () => {
  it('keeps its own error, with the stack, as the cause', async () => {
    const error = await loadNode('function broken() { throw new TypeError("no database\\nat all") }\nbroken()').catch(
      (e) => e,
    )
    expect(error).toBeInstanceOf(ZappError)
    expect(error.code).toBe('ENTRY_LOAD')
    expect(error.message).toContain('TypeError: no database')
    expect(error.message).not.toContain('\n')
    expect(error.message).not.toMatch(/ at |node:/)
    expect(error.cause.stack).toMatch(/broken .*app\.js:1/)
  })

  it('may throw anything, or be no program at all', async () => {
    expect((await loadNode('throw "just text"').catch((e) => e)).message).toContain('just text')
    expect((await loadNode('throw undefined').catch((e) => e)).code).toBe('ENTRY_LOAD')
    expect((await loadNode('module.exports = {{').catch((e) => e)).message).toContain('SyntaxError')
    expect((await loadNode('require("not-there")').catch((e) => e)).message).toContain("Cannot find module 'not-there'")
    expect((await loadNode('import "not-there"').catch((e) => e)).code).toBe('ENTRY_LOAD')
    expect((await loadNode('module.exports = Promise.reject(new Error("later"))').catch((e) => e)).message).toContain(
      'later',
    )
  })

  it('because it exports no listener is told what it exports', async () => {
    const got = async (code: string) => {
      const error = await loadNode(code).catch((e) => e)
      expect(error.code).toBe('ENTRY_EXPORT')
      return error.args.got
    }
    expect(await got('')).toBe('nothing')
    expect(await got('exports.start = () => {}; exports.config = {}')).toBe('exports named start, config')
    expect(await got('module.exports = 42')).toBe('a number')
    expect(await got('module.exports = class App {}')).toBe('a function')
    const listening = 'const s = require("node:http").createServer().listen(0); s.unref(); module.exports = s'
    expect(await got(listening)).toContain('listens already')
  })

  it('can be loaded again once its reason is gone', async () => {
    const code =
      'if (process.env.READY_NOW !== "yes") throw new Error("not yet"); module.exports = (q, s) => s.end("yes")'
    const manifest = { config: { READY_NOW: { type: 'string' } } }
    expect((await loadNode(code, {}, manifest).catch((e) => e)).code).toBe('ENTRY_LOAD')
    expect(await textOf(await loadNode(code, { config: { READY_NOW: 'yes' } }, manifest))).toBe('yes')
  })
})

describe('an app that throws while it answers', () => {
  const errors: [unknown, string][] = []
  const onError = (error: unknown, where: string) => errors.push([error, where])
  const code = `
    module.exports = (req, res) => {
      if (req.url === "/sync") throw new Error("sync")
      if (req.url === "/async") return Promise.reject(new Error("async"))
      if (req.url === "/half") { res.setHeader("X-Half", "1"); throw new Error("half") }
      if (req.url === "/late") { res.write("x"); setImmediate(() => res.emit("go")); return new Promise((_, no) => res.on("go", () => no(new Error("late")))) }
      if (req.url === "/after") { res.end("whole"); throw new Error("after") }
      res.end("fine")
    }`

  it('gives 500, its error to onError, and goes on', async () => {
    const app = await loadNode(code, { onError })
    const origin = await listen(app.listener)
    for (const path of ['/sync', '/async', '/half']) {
      const answer = await fetch(origin + path)
      expect(answer.status).toBe(500)
      expect(answer.headers.get('x-half')).toBe(null)
      expect(await answer.text()).not.toContain(path.slice(1))
      expect(errors.pop()).toMatchObject([{ message: path.slice(1) }, 'entry main'])
    }
    // What was sent as a part must not look whole; what was whole stays.
    await expect(fetch(`${origin}/late`).then((r) => r.text())).rejects.toThrow()
    expect(errors.pop()).toMatchObject([{ message: 'late' }, 'entry main'])
    expect(await (await fetch(`${origin}/after`)).text()).toBe('whole')
    expect(await (await fetch(origin)).text()).toBe('fine')
  })

  it("gets the app's own error page", async () => {
    const files = { 'app.js': code, 'public/500.html': 'sorry' }
    const app = await load({ entry: { type: 'node', module: 'app.js' }, errors: { '5xx': 'public/500.html' } }, files)
    expect(await textOf(app, '/sync')).toBe('sorry')
  })
})
