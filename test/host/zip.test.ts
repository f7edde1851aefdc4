import { createWriteStream } from 'node:fs'
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, it, test } from 'vitest'
import { ZipFile } from 'yazl'
import { loadApp } from '../../src/runtimes/load.ts'
import { cli } from '../cli/helper.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { entry, rejection, says, start } from './helper.ts'

/** A zip as a zip tool writes one: below a folder, with data descriptors. */
async function putZip(target: string, text: string, manifest: object = {}, more: object = {}): Promise<string> {
  const zip = new ZipFile()
  const files = {
    'zapp.json': JSON.stringify({ zapp: 1, name: 'hello', version: '1.0.0', ...entry, ...manifest }),
    ...says(text),
    ...more,
  }
  for (const [name, content] of Object.entries(files)) {
    zip.addReadStreamLazy(`hello/${name}`, (take) => take(null, Readable.from([content])))
  }
  zip.end()
  await pipeline(zip.outputStream, createWriteStream(`${target}.part`))
  await rename(`${target}.part`, target)
  return target
}

describe('a zip', () => {
  it('is repacked for the run, which is said, and stays as it is', async () => {
    const dir = await tmpDir()
    const file = await putZip(join(dir, 'a#b.zip'), 'one')
    const { host, events, text } = await start(file)
    expect(await text('/x')).toBe('one |/x')
    expect(host.apps).toMatchObject([{ name: 'hello', version: '1.0.0', source: file, state: 'live' }])
    expect(events.filter(({ type }) => type === 'repacked')).toEqual([{ type: 'repacked', source: file }])
    expect(await readdir(dir)).toEqual(['a#b.zip'])
  })

  it('with a secret is served, and the secret is named', async () => {
    const file = await putZip(join(await tmpDir(), 'a.zip'), 'one', {}, { '.env': 'PASSWORD=x' })
    const { events, text } = await start(file)
    expect(await text('/x')).toBe('one |/x')
    const warned = events.flatMap((event) => (event.type === 'warned' ? [[event.name, event.finding.code]] : []))
    expect(warned).toContainEqual([file, 'SECRET_KEPT'])
  })

  it('has the mount that its name says, beside others, and is followed', async () => {
    const dir = await tmpDir()
    const [one, two] = [await putZip(join(dir, 'a#b.zip'), 'one'), await putZip(join(dir, 'ROOT.ZIP'), 'two')]
    const { text } = await start([one, two], { watch: true })
    expect([await text('/a/b/x'), await text('/x')]).toEqual(['one /a/b|/x', 'two |/x'])
    await putZip(one, 'three', { version: '1.0.1' })
    await expect.poll(() => text('/a/b/x'), { timeout: 10_000 }).toBe('three /a/b|/x')
  })

  it('is refused by the loader, which names the command, and left alone in a folder of apps', async () => {
    const dir = await tmpDir()
    const file = await putZip(join(dir, 'hello.zip'), 'one')
    expect(await rejection(loadApp(file))).toMatchObject({ code: 'DATA_DESCRIPTOR', fix: 'Run: zapp repack FILE' })
    expect(await rejection(start(dir))).toMatchObject({ code: 'USAGE' })
  })

  it('without a manifest is an error', async () => {
    const file = await putZip(join(await tmpDir(), 'x.zip'), 'one', { name: undefined })
    expect(await rejection(start(file))).toMatchObject({ code: 'MANIFEST_REQUIRED' })
  })
})

/** A host of an empty folder, and what a command needs to reach it. */
async function startAdmin() {
  const [dir, state] = [await tmpDir(), join(await tmpDir(), 'state')]
  const { host } = await start(dir, { state })
  return { dir, host, remote: ['--to', `unix:${join(state, 'admin.sock')}`, '--token-file', host.admin!.tokenFile] }
}

test('zapp deploy repacks a zip, which goes where its name says, and says so in one line', async () => {
  const { dir, host, remote } = await startAdmin()
  await putZip(join(dir, 'a#b.zip'), 'one')
  const argv = ['deploy', 'a#b.zip', ...remote]
  const { code, stderr } = await cli(argv, { cwd: dir })
  expect(stderr.split('\n')[0]).toBe("repacked 'a#b.zip' for this upload; to keep that: zapp repack 'a#b.zip'")
  expect([code, host.apps]).toMatchObject([0, [{ id: '/a/b', name: 'hello', state: 'live' }]])
  await writeFile(join(dir, 'bad.zip'), 'this is no zip, but it is long enough to be one')
  const bad = await cli(['deploy', 'bad.zip', ...remote], { cwd: dir })
  expect([bad.code, bad.stderr]).toEqual([1, expect.stringContaining('error ZIP_UNREADABLE')])
})

test('of an archive that a zip tool wrote the next step names the file, beside it and in the list', async () => {
  const { dir, host, remote } = await startAdmin()
  const file = await putZip(join(dir, 'my shop.zapp'), 'one')
  const step = `Run: zapp repack '${file}'`
  await expect.poll(() => readFile(`${file}.failed`, 'utf8').catch(() => '')).toContain(`fix: ${step}`)
  expect(host.apps).toMatchObject([{ state: 'failed' }])
  const { stdout } = await cli(['list', ...remote])
  expect(stdout).toContain(step)
})

describe('zapp serve', () => {
  it('says in one line what it did with a zip', async () => {
    const dir = await tmpDir()
    await putZip(join(dir, 'a b.zip'), 'one')
    const argv = ['serve', 'a b.zip', '--port', '0', '--cache', join(dir, 'cache')]
    const { code, stderr } = await cli(argv, { cwd: dir, signal: AbortSignal.abort('SIGTERM') })
    expect(code).toBe(0)
    expect(stderr.split('\n')[0]).toBe("repacked 'a b.zip' for this run; to keep that: zapp repack 'a b.zip'")
  })
})
