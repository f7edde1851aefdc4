import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import { ZappError } from '../../src/errors.ts'
import { loadApp } from '../../src/runtimes/load.ts'
import { load, loadNode } from '../helpers/load.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'

const hello = 'module.exports = (req, res) => res.end("hello")'

async function failure(promise: Promise<unknown>): Promise<ZappError> {
  const error = await promise.then(
    () => undefined,
    (e) => e,
  )
  expect(error).toBeInstanceOf(ZappError)
  return error
}

async function text(app: { fetch(request: Request): Promise<Response> }, path: string): Promise<string> {
  return (await app.fetch(new Request(`http://host${path}`))).text()
}

let before: NodeJS.ProcessEnv
beforeEach(() => {
  before = { ...process.env }
})
afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
  Object.assign(process.env, before)
})

describe('needs', () => {
  it('are checked before anything is unpacked, and told all at once', async () => {
    const cache = join(await tmpDir(), 'cache')
    const manifest = {
      dependencies: {
        runtime: { node: '>=99' },
        commands: ['no-such-program'],
        provided: { node: ['no-such-package', 'vitest'] },
      },
      config: {
        DATABASE_URL: { type: 'url', required: true, description: 'Where the data is' },
        PAGE_SIZE: { type: 'integer' },
        LOG_FILE: { type: 'file' },
      },
      base: '/elsewhere',
      processes: { mail: { run: ['{node}', 'mail.js'] } },
      lifecycle: { migrate: { run: ['{node}', 'migrate.js'] } },
      workers: { processes: 2 },
      roles: { admin: {} },
    }
    const config = { PAGE_SIZE: 'many', LOG_FILE: '/no/such/file', PAGESIZE: '1' }
    const error = await failure(loadNode(hello, { cache, config }, manifest))
    const got = error.findings.map((f) => [f.code, f.args.key ?? f.args.name ?? f.args.command ?? f.args.package ?? ''])
    expect(got).toEqual([
      ['UNSUPPORTED_KEY', 'roles'],
      ['UNSUPPORTED_KEY', 'lifecycle.migrate'],
      ['UNSUPPORTED_KEY', 'processes'],
      ['UNSUPPORTED_KEY', 'workers.processes'],
      ['MOUNT_BASE', ''],
      ['NEED_RUNTIME', ''],
      ['NEED_COMMAND', 'no-such-program'],
      ['NEED_PROVIDED', 'no-such-package'],
      ['NEED_CONFIG', 'DATABASE_URL'],
      ['CONFIG_INVALID', 'PAGE_SIZE'],
      ['CONFIG_INVALID', 'LOG_FILE'],
      ['CONFIG_UNKNOWN', 'PAGESIZE'],
    ])
    expect(error.findings.at(-1)?.args.hint).toContain('PAGE_SIZE')
    await expect(readdir(cache)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('include entries that this loader cannot run', async () => {
    const manifest = {
      entries: { api: { type: 'asgi', app: 'api:app' }, old: { type: 'cgi', script: 'old.pl' } },
      routes: { '/api/*': { entry: 'api' }, '/old/*': { entry: 'old' } },
    }
    const error = await failure(load(manifest, { 'old.pl': '#!/no/such/perl\n', 'api.py': '' }))
    expect(error.findings.map((f) => f.code)).toEqual(['ENTRY_RUNTIME', 'NEED_COMMAND'])
    expect(error.findings[0]?.args).toMatchObject({ entry: 'api', type: 'asgi' })
  })

  it('hold for native code', async () => {
    const addon = (over: object) => ({
      path: 'node_modules/sharp/a.node',
      package: 'node_modules/sharp',
      kind: 'addon',
      platform: process.platform,
      arch: process.arch,
      abi: 'napi',
      ...over,
    })
    const build = (...native: object[]) => ({
      'app.js': hello,
      'ZAPP-INF/build.json': JSON.stringify({ v: 1, packer: { name: 'zapp', version: '0.1.0' }, packages: [], native }),
    })
    const entry = { entry: { type: 'node', module: 'app.js' } }
    const other = addon({ platform: 'sunos' })
    const error = await failure(load(entry, build(other, addon({ arch: 'mips' }))))
    expect(error.code).toBe('NEED_NATIVE')
    expect(error.args.expected).toBe(`sunos-${process.arch} or ${process.platform}-mips`)
    expect((await failure(load(entry, build(addon({ abi: 1 }))))).args.expected).toContain('Node ABI 1')
    // One that fits is enough; what is optional or only a program is not asked for.
    await load(entry, build(other, addon({})))
    await load(entry, build(addon({ arch: 'mips', optional: true }), addon({ arch: 'mips', kind: 'program' })))
  })

  it('are met by what the container supplies', async () => {
    const code = 'const ws = require("ws"); module.exports = (req, res) => res.end(typeof ws.WebSocketServer)'
    const app = await loadNode(code, {}, { dependencies: { provided: { node: ['ws'] } } })
    expect(await text(app, '/')).toBe('function')
  })

  it('name the mount that a build was made for', async () => {
    expect((await failure(loadNode(hello, {}, { base: '/shop' }))).args).toEqual({ expected: '/shop', got: '/' })
    await loadNode(hello, { mount: '/shop' }, { base: '/shop' })
    await loadNode(hello, { mount: '/' }, { base: '/' })
  })
})

describe('the mount', () => {
  it('is a path', async () => {
    for (const mount of ['shop', '/shop/', '//shop', '/a b', '/../x', '/./x', '/x?y', '/a%2fb']) {
      expect((await failure(loadNode(hello, { mount }))).code, mount).toBe('MOUNT_PATH')
    }
  })
})

describe('configuration', () => {
  const show = 'module.exports = (req, res) => res.end(JSON.stringify(process.env[req.url.slice(1)] ?? null))'

  it('reaches the app as environment variables: given, else found, else default', async () => {
    process.env.FOUND_A = 'outside'
    process.env.FOUND_B = 'outside'
    const manifest = {
      config: {
        GIVEN: { type: 'string', default: 'default' },
        FOUND_A: { type: 'string', default: 'default' },
        FOUND_B: { type: 'string', required: true },
        SIZE: { type: 'integer', default: 20 },
        NONE: { type: 'string' },
      },
      entry: { type: 'node', module: 'app.js', env: { APP_MODE: 'quiet' } },
      data: { uploads: { path: 'uploads', env: 'UPLOAD_DIR' } },
    }
    const data = await tmpDir()
    const app = await loadNode(show, { config: { GIVEN: 'given' }, data }, manifest)
    const value = async (name: string) => JSON.parse(await text(app, `/${name}`))
    expect(await value('GIVEN')).toBe('given')
    expect(await value('FOUND_A')).toBe('outside')
    expect(await value('FOUND_B')).toBe('outside')
    expect(await value('SIZE')).toBe('20')
    expect(await value('NONE')).toBe(null)
    expect(await value('APP_MODE')).toBe('quiet')
    expect(await value('UPLOAD_DIR')).toBe(join(data, 'uploads'))

    await app.close()
    expect(process.env.GIVEN).toBeUndefined()
    expect(process.env.SIZE).toBeUndefined()
    expect(process.env.FOUND_A).toBe('outside')
  })

  it('is production where nobody says otherwise', async () => {
    delete process.env.NODE_ENV
    const app = await loadNode(show)
    expect(await text(app, '/NODE_ENV')).toBe('"production"')
    await app.close()
    expect(process.env.NODE_ENV).toBeUndefined()
    process.env.NODE_ENV = 'staging'
    expect(await text(await loadNode(show), '/NODE_ENV')).toBe('"staging"')
  })

  it('that contradicts what is set is refused', async () => {
    process.env.TAKEN = 'outside'
    const manifest = { config: { TAKEN: { type: 'string' } } }
    const error = await failure(loadNode(show, { config: { TAKEN: 'given' } }, manifest))
    expect([error.code, error.args.name]).toEqual(['CONFIG_CONFLICT', 'TAKEN'])
    await loadNode(show, { config: { TAKEN: 'outside' } }, manifest)
  })

  it('of one app is not lent to another', async () => {
    const manifest = { config: { SECRET_A: { type: 'string', secret: true } } }
    const first = await loadNode(show, { config: { SECRET_A: 'one' } }, manifest)
    // Equal values may be shared, others not; and what the first was given is not what the second finds.
    const same = await loadNode(show, { config: { SECRET_A: 'one' } }, manifest)
    expect((await failure(loadNode(show, { config: { SECRET_A: 'two' } }, manifest))).code).toBe('CONFIG_CONFLICT')
    expect((await failure(loadNode(show, {}, manifest))).code).toBe('CONFIG_CONFLICT')
    const required = { config: { SECRET_A: { type: 'string', required: true } } }
    expect((await failure(loadNode(show, {}, required))).code).toBe('NEED_CONFIG')
    await first.close()
    expect(process.env.SECRET_A).toBe('one')
    await same.close()
    expect(process.env.SECRET_A).toBeUndefined()
    await loadNode(show, { config: { SECRET_A: 'two' } }, manifest)
  })

  it('is let go when the app does not start', async () => {
    const manifest = { config: { HELD: { type: 'string' } } }
    await failure(loadNode('throw new Error("no")', { config: { HELD: 'x' } }, manifest))
    expect(process.env.HELD).toBeUndefined()
  })
})

describe('an app', () => {
  it('is loaded from a path, from bytes, and from an open archive that stays open', async () => {
    const dir = await tmpDir()
    const files = { 'app.js': hello, 'public/a.txt': 'static' }
    const routes = { '/': { static: 'public', else: { entry: 'main' } } }
    const file = await makeArchive(dir, { entry: { type: 'node', module: 'app.js' }, routes }, files)
    const archive = await openArchive(file)
    for (const input of [file, await readFile(file), archive]) {
      const app = await loadApp(input, { cache: join(dir, 'cache') })
      expect(await text(app, '/a.txt')).toBe('static')
      expect(await text(app, '/b.txt')).toBe('hello')
      await app.close()
    }
    expect(Buffer.from(await archive.read(archive.entries.get('public/a.txt')!)).toString()).toBe('static')
    await archive.close()
  })

  it('without entries needs no cache', async () => {
    const cache = join(await tmpDir(), 'cache')
    const app = await load({ routes: { '/': { static: 'public' } } }, { 'public/index.html': 'site' }, { cache })
    expect(await text(app, '/')).toBe('site')
    await expect(readdir(cache)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('may be closed twice, and does not answer afterwards', async () => {
    const app = await loadNode(hello)
    await Promise.all([app.close(), app.close()])
    const answer = await app.fetch(new Request('http://host/'))
    expect(answer.status).toBe(503)
  })

  it('reads files that lie beside its code', async () => {
    const files = {
      'src/app.mjs':
        'import { readFileSync } from "node:fs"; const page = readFileSync(new URL("../views/page.html", import.meta.url)); export default (req, res) => res.end(page)',
      'views/page.html': 'a view',
    }
    const app = await load({ entry: { type: 'node', module: 'src/app.mjs' } }, files)
    expect(await text(app, '/')).toBe('a view')
  })

  it('leaves the working folder alone', async () => {
    const app = await loadNode('const cwd = process.cwd(); module.exports = (req, res) => res.end(cwd)')
    expect(await text(app, '/')).toBe(process.cwd())
  })

  it('keeps its data from version to version', async () => {
    const [cache, data] = [join(await tmpDir(), 'cache'), await tmpDir()]
    const manifest = { data: { notes: { path: 'notes' } } }
    const code = (v: number) =>
      `// ${v}
      const { join } = require("node:path"), fs = require("node:fs"), file = join(__dirname, "notes/n.txt")
      module.exports = (req, res) => {
        if (req.url === "/add") fs.appendFileSync(file, "${v}")
        res.end(fs.existsSync(file) ? fs.readFileSync(file) : "none")
      }`
    const one = await loadNode(code(1), { cache, data }, manifest)
    expect(await text(one, '/')).toBe('none')
    expect(await text(one, '/add')).toBe('1')
    await one.close()
    const two = await loadNode(code(2), { cache, data }, { ...manifest, version: '2.0.0' })
    expect(await text(two, '/add')).toBe('12')
    expect(await readFile(join(data, 'notes/n.txt'), 'utf8')).toBe('12')
    await writeFile(join(data, 'notes/n.txt'), 'x')
    expect(await text(two, '/')).toBe('x')
  })
})
