import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { cli, ensureBuilt, spawnCli } from './helper.ts'

const MANIFEST = {
  name: 'shop',
  version: '1.2.0',
  // What this version of `serve` cannot run is no obstacle.
  entries: {
    web: { type: 'node', module: 'app.js', env: { MODE: 'web', ONLY_WEB: '1' } },
    api: { type: 'asgi', app: 'api:app', env: { MODE: 'api', ONLY_API: '1' } },
  },
  routes: { '/': { entry: 'web' } },
  dependencies: { runtime: { node: '>=20' } },
  config: {
    GREETING: { type: 'string', required: true },
    PAGE_SIZE: { type: 'integer', default: 20 },
    UNSET: { type: 'string' },
  },
  data: { uploads: { path: 'uploads', env: 'UPLOAD_DIR' } },
  lifecycle: { migrate: { run: ['{node}', 'show.js', '{data.uploads}', 'size={config.PAGE_SIZE}', '{2}'] } },
  processes: { mail: { run: ['{node}', 'show.js', 'mail'], count: 2 } },
}
const FILES = {
  'app.js': 'module.exports = (req, res) => res.end()',
  'api.py': 'app = None',
  'show.js': `
    const { execArgv, argv, env } = process
    console.log(JSON.stringify({ cwd: process.cwd(), argv: argv.slice(1), env, shop: require('./lib/shop') }))
  `,
  'lib/shop.js': 'module.exports = "shop"',
  'copy.js': 'process.stdin.pipe(process.stdout)',
  'wait.js': `
    process.on('SIGTERM', () => { console.log('told'); setTimeout(() => process.exit(7), 10) })
    process.on('SIGINT', () => console.log('again'))
    setInterval(() => {}, 1000)
    console.log('ready')
  `,
  'uploads/seed.txt': 'seed',
}

let file: string
beforeAll(async () => {
  ensureBuilt()
  file = await makeArchive(await tmpDir(), MANIFEST, FILES)
})

let dir: string
beforeEach(async () => {
  dir = await tmpDir()
})

const flags = () => ['--cache', join(dir, 'cache'), '--data', join(dir, 'data'), '--config', 'GREETING=hello']
const run = (...rest: string[]) =>
  spawnCli(['run', ...flags(), file, ...rest], { cwd: dir, env: { SECRET: 'x', TZ: 'UTC' } })

describe('zapp run', () => {
  it('runs what the manifest declares, in the run tree, with exactly the environment of the format', async () => {
    const { code, stdout, stderr } = await run('migrate').ended
    expect([code, stderr]).toEqual([0, ''])
    const { cwd, argv, env, shop } = JSON.parse(stdout)
    expect(cwd.startsWith(join(dir, 'cache'))).toBe(true)
    expect(argv).toEqual([join(cwd, 'show.js'), join(dir, 'data/shop/uploads'), 'size=20', '{2}'])
    expect(shop).toBe('shop')
    expect(env).toEqual({
      PATH: process.env.PATH,
      HOME: join(dir, 'data/shop'),
      TZ: 'UTC',
      LANG: 'C.UTF-8',
      NODE_ENV: 'production',
      GREETING: 'hello',
      PAGE_SIZE: '20',
      UPLOAD_DIR: join(dir, 'data/shop/uploads'),
      MODE: 'web',
      ONLY_WEB: '1',
      ONLY_API: '1',
    })
    expect(await readFile(join(dir, 'data/shop/uploads/seed.txt'), 'utf8')).toBe('seed')
    expect(JSON.parse((await run('mail').ended).stdout).argv.slice(1)).toEqual(['mail'])
  })

  it('runs what is typed behind --, word by word, without a shell', async () => {
    const typed = ['{node}', './show.js', '$HOME;*', '', '--json', '{config.GREETING}', '--']
    const { code, stdout } = await run('--', ...typed).ended
    expect(code).toBe(0)
    expect(JSON.parse(stdout).argv.slice(1)).toEqual(['$HOME;*', '', '--json', 'hello', '--'])
    // By the PATH that the command gets.
    expect(await run('--', 'node', '-p', '40 + 2').ended).toMatchObject({ code: 0, stdout: '42\n' })
  })

  it('is the input, the output and the exit code of the command', async () => {
    const { child, ended } = spawnCli(['run', ...flags(), file, '--', '{node}', 'copy.js'], { stdin: true })
    child.stdin.end('through')
    expect(await ended).toEqual({ code: 0, signal: null, stdout: 'through', stderr: '' })
    expect(await run('--', '{node}', '-e', 'console.error("no"); process.exit(9)').ended).toEqual({
      code: 9,
      signal: null,
      stdout: '',
      stderr: 'no\n',
    })
    expect(await run('--', '{node}', '-e', 'process.kill(process.pid, "SIGKILL")').ended).toMatchObject({ code: 137 })
  })

  it('passes signals on, every one, and waits', async () => {
    const { child, written, ended } = run('--', '{node}', 'wait.js')
    await expect.poll(() => written.stdout, { timeout: 20_000 }).toBe('ready\n')
    for (const count of [1, 2, 3]) {
      child.kill('SIGINT')
      await expect.poll(() => written.stdout).toBe(`ready\n${'again\n'.repeat(count)}`)
    }
    child.kill('SIGTERM')
    expect(await ended).toMatchObject({ code: 7, signal: null, stdout: 'ready\nagain\nagain\nagain\ntold\n' })
  })

  it('does not start what was stopped before it began', async () => {
    const { code, stdout, stderr } = await cli(['run', ...flags(), file, '--', 'touch', join(dir, 'touched')], {
      signal: AbortSignal.abort('SIGTERM'),
    })
    expect([code, stdout, stderr]).toEqual([143, '', 'stopped by SIGTERM\n'])
    await expect(readFile(join(dir, 'touched'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('takes values from the environment and from a file, as serve does', async () => {
    await writeFile(join(dir, 'values'), 'GREETING=file\nPAGE_SIZE=5\nNOT_DECLARED=x\n')
    const rest = ['--cache', 'cache', '--data', 'data', file, 'migrate']
    const env = async (argv: string[], outer = {}) =>
      JSON.parse((await spawnCli(['run', ...argv, ...rest], { cwd: dir, env: outer }).ended).stdout).env
    expect(await env([], { GREETING: 'outer' })).toMatchObject({ GREETING: 'outer', PAGE_SIZE: '20' })
    expect(await env(['--config-file', 'values', '--config', 'PAGE_SIZE=6'])).toMatchObject({
      GREETING: 'file',
      PAGE_SIZE: '6',
    })
  })

  it('lets Python find what the archive brings', async () => {
    const notes = await makeArchive(
      dir,
      { name: 'notes', entry: { type: 'wsgi', app: 'app:application' } },
      {
        'app.py': '',
        'manage.py': 'import sys, dep; print(dep.NAME, sys.argv[1])',
        'ZAPP-INF/lib/dep.py': 'NAME = "dep"',
      },
    )
    const words = ['--cache', 'cache', '--data', 'data', notes, '--', '{python}', 'manage.py', 'shell']
    const { code, stdout } = await spawnCli(['run', ...words], { cwd: dir }).ended
    expect([code, stdout]).toEqual([0, 'dep shell\n'])
  })

  it('says all that is missing before anything is unpacked', async () => {
    const needy = await makeArchive(
      dir,
      {
        ...MANIFEST,
        dependencies: { runtime: { node: '>=99', python: '>=99' }, commands: ['no-such-program'] },
      },
      FILES,
    )
    const findings = async (...words: string[]) => {
      const { code, stdout, stderr } = await cli([
        'run',
        '--cache',
        join(dir, 'none'),
        '--config',
        'NOPE=1',
        needy,
        ...words,
      ])
      expect([code, stdout]).toEqual([1, ''])
      return [...stderr.matchAll(/^error (\w+)/gm)].map(([, code]) => code)
    }
    const all = ['NEED_RUNTIME', 'NEED_COMMAND', 'NEED_CONFIG', 'CONFIG_UNKNOWN']
    expect(await findings('migrate')).toEqual(all)
    expect(await findings('--', '{python}', 'x.py')).toEqual(['NEED_RUNTIME', ...all])
    await expect(readFile(join(dir, 'none'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it.each([
    ['no command', [], 'what to run must be one of mail, migrate'],
    ['an unknown name', ['migrat'], 'what to run must be one of mail, migrate, got "migrat" (did you mean "migrate"?)'],
    ['a command without --', ['node', 'show.js'], 'a command of your own stands behind --, got "node show.js"'],
    ['both', ['mail', '--', 'node'], 'either a name or a command behind --, got both'],
  ])('%s is a wrong command line', async (_, words, problem) => {
    const { code, stdout, stderr } = await cli(['run', ...flags(), file, ...words])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(problem)
  })

  it('says what cannot be started', async () => {
    const missing = await cli(['run', ...flags(), file, '--', 'no-such-program'])
    expect([missing.code, missing.stderr]).toEqual([
      1,
      expect.stringMatching(/^error NEED_COMMAND[\s\S]*no-such-program/),
    ])
    const noProgram = await cli(['run', ...flags(), file, '--', './app.js'])
    expect([noProgram.code, noProgram.stderr]).toEqual([1, expect.stringMatching(/^error IO[\s\S]*EACCES/)])
  })
})
