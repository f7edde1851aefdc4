import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { BIN, ensureBuilt, ROOT, spawnCli } from './helper.ts'

beforeAll(ensureBuilt)

/** Packages and folders of dist/ that a run of the command line loads: V8 tells, on every Node, without hooks. */
async function loadedBy(...argv: string[]): Promise<Set<string>> {
  const dir = await tmpDir()
  const { child, ended } = spawnCli(argv, { env: { NODE_V8_COVERAGE: dir } })
  // A server says where it answers, and is not needed any more then.
  if (argv[0] === 'serve') child.stdout.once('data', () => child.kill('SIGTERM'))
  await ended
  const loaded = new Set<string>()
  for (const name of await readdir(dir)) {
    const text = await readFile(join(dir, name), 'utf8')
    // A process that a server has started may have been killed while it wrote.
    const { result } = (text.endsWith('}') ? JSON.parse(text) : { result: [] }) as { result: { url: string }[] }
    for (const { url } of result) {
      const part = /(?:node_modules|dist)\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]
      if (part !== undefined) loaded.add(part)
      // What is joined with our own modules is named above each of its own.
      const joined = part === 'chunks' ? await readFile(fileURLToPath(url), 'utf8') : ''
      for (const [, name = ''] of joined.matchAll(/^\/\/ .*node_modules\/((?:@[^/]+\/)?[^/]+)/gm)) loaded.add(name)
    }
  }
  return loaded
}

describe('bin/zapp.js', () => {
  it('prints the version of the package', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
    expect(await spawnCli(['--version']).ended).toEqual({ code: 0, signal: null, stdout: `${version}\n`, stderr: '' })
  })

  it('loads only the command line itself for --version and --help', async () => {
    for (const flag of ['--version', '--help']) {
      expect([...(await loadedBy(flag))].sort()).toEqual(['chunks', 'cli', 'commander', 'picocolors'])
    }
    // The same measurement sees them where they are used.
    expect(await loadedBy('validate', 'package.json')).toContain('zod')
  })

  it('serves an archive that it has checked before without what checks, packs and watches', async () => {
    const dir = await tmpDir()
    const file = await makeArchive(dir, { routes: { '/': { static: 'public' } } }, { 'public/index.html': 'x' })
    const serve = ['serve', file, '--port', '0', '--cache', join(dir, 'cache'), '--data', join(dir, 'data')]
    await loadedBy(...serve)
    const loaded = [...(await loadedBy(...serve))].sort()
    expect(loaded).toEqual(['chunks', 'cli', 'commander', 'picocolors'])
  })

  it('ends with the exit code of the command', async () => {
    expect(await spawnCli(['nope']).ended).toMatchObject({ code: 2, stdout: '' })
    expect(await spawnCli(['inspect', 'nope.zapp']).ended).toMatchObject({ code: 2, stdout: '' })
  })

  it('drops what nobody reads any more and keeps its exit code', async () => {
    const dir = await tmpDir()
    const names = Array.from({ length: 3000 }, (_, i) => [`public/file-${i}.txt`, ''])
    const file = await makeArchive(dir, { routes: { '/': { static: 'public' } } }, Object.fromEntries(names))
    // More than a pipe holds, so that the process is still writing when its reader goes.
    const { child, ended } = spawnCli(['inspect', file, '--json'])
    child.stdout.once('data', () => child.stdout.destroy())
    expect(await ended).toMatchObject({ code: 0, signal: null, stderr: '' })
  })

  it('that serves is not ended by a SIGHUP while it starts', async () => {
    const dir = await tmpDir()
    const [loading, flag] = [join(dir, 'loading'), join(dir, 'flag')]
    const module = `const { existsSync, writeFileSync } = require('node:fs')
    writeFileSync(${JSON.stringify(loading)}, '')
    while (!existsSync(${JSON.stringify(flag)})) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    module.exports = (req, res) => res.end('up')`
    const file = await makeArchive(dir, { entry: { type: 'node', module: 'app.cjs' } }, { 'app.cjs': module })
    const { child, ended } = spawnCli(['serve', file, '--port', '0', '--cache', join(dir, 'cache'), '--data', dir])
    await expect.poll(() => existsSync(loading), { timeout: 10_000, interval: 20 }).toBe(true)
    child.kill('SIGHUP')
    await writeFile(flag, '')
    child.stdout.once('data', () => child.kill('SIGTERM'))
    expect(await ended).toMatchObject({ signal: null, stdout: expect.stringContaining('http://127.0.0.1:') })
  })

  it('leaves nothing when it is interrupted while it packs', async () => {
    const dir = await tmpDir()
    const project = join(dir, 'project')
    await mkdir(join(project, 'public'), { recursive: true })
    const manifest = { zapp: 1, name: 'site', version: '1.0.0', routes: { '/': { static: 'public' } } }
    await writeFile(join(project, 'zapp.json'), JSON.stringify(manifest))
    // Text that deflate has work with: packing takes seconds.
    for (let i = 0; i < 40; i++) {
      await writeFile(join(project, `public/${i}.txt`), randomBytes(1_500_000).toString('base64'))
    }
    await mkdir(join(dir, 'out'))
    const { child, ended } = spawnCli(['pack', project, '-o', join(dir, 'out/site.zapp')])
    await expect.poll(() => readdir(join(dir, 'out')), { interval: 5 }).not.toEqual([])
    child.kill('SIGINT')
    const { code, stdout, stderr } = await ended
    expect([code, stdout]).toEqual([130, ''])
    expect(stderr).toMatch(/stopped by SIGINT\n$/)
    expect(await readdir(join(dir, 'out'))).toEqual([])
  })

  it.runIf(existsSync('/dev/full'))('fails when its output cannot be written', () => {
    const { status, stderr } = spawnSync('sh', ['-c', '"$0" "$1" --version > /dev/full', process.execPath, BIN], {
      encoding: 'utf8',
    })
    expect(status).toBe(1)
    expect(stderr).toMatch(/^error IO\n {2}writing the output failed: ENOSPC/)
    expect(stderr).not.toContain('    at ')
  })
})
