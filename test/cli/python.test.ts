import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tmpDir } from '../helpers/tmp.ts'
import { makeTree } from '../pack/helpers/tree.ts'
import { makeWheels, sharedObject } from '../pack/helpers/wheel.ts'
import { cli, cliJson } from './helper.ts'

async function project(): Promise<string> {
  const wheels = await tmpDir()
  await makeWheels(wheels, [
    { name: 'fast', tags: 'cp312-cp312-manylinux2014_x86_64', files: { 'fast/_c.so': sharedObject() } },
    { name: 'fast', tags: 'cp313-cp313-manylinux2014_aarch64', files: { 'fast/_c.so': sharedObject(183) } },
  ])
  return makeTree({
    'requirements.txt': `--no-index\n--find-links ${wheels}\nfast\n`,
    'pyproject.toml': '[project]\nname = "shop"\nversion = "1.2"\n',
    'app.py': '# the shop\ndef application(environ, start_response):\n    pass\n',
  })
}

test('init says what it found and where, and what it wrote packs', async () => {
  const cwd = await project()
  const { code, stderr } = await cli(['init'], { cwd })
  expect([code, stderr]).toEqual([0, expect.stringContaining('app.py:2 has a WSGI callable: def application(')])
  expect(JSON.parse(readFileSync(join(cwd, 'zapp.json'), 'utf8'))).toMatchObject({
    name: 'shop',
    version: '1.2.0',
    entry: { type: 'wsgi', app: 'app:application' },
  })
})

test('pack says for what, inspect what it needs, diff what differs', async () => {
  const cwd = await project()
  const old = ['--python', '3.12', '--platform', 'manylinux2014_x86_64', '-o', 'old.zapp']
  const packed = await cli(['pack', ...old], { cwd })
  expect(packed.stderr).toContain(
    'requirements.txt names the dependencies: wheels for Python 3.12 on manylinux2014_x86_64',
  )
  expect(packed.stderr).toMatch(/fast@1\.0\.0 +4/)
  expect(packed.code).toBe(0)
  const now = ['--python', '3.13', '--platform', 'manylinux2014_aarch64', '-o', 'new.zapp']
  expect((await cli(['pack', ...now], { cwd })).code).toBe(0)

  const shown = await cli(['inspect', 'old.zapp'], { cwd })
  expect(shown.stdout).toMatch(/native +linux x64 glibc Python ABI cp312 +1 file/)
  expect(shown.stdout).toMatch(/ZAPP-INF\/lib\/ +\d+/)
  const { answer } = await cliJson<{ needs: { key: string }[] }>(['diff', 'old.zapp', 'new.zapp'], { cwd })
  expect(answer.needs.map(({ key }) => key)).toEqual(['native.linux arm64 glibc cp313', 'native.linux x64 glibc cp312'])
})

test('a target that is none is a mistake of the command line', async () => {
  const cwd = await project()
  for (const flags of [
    ['--python', '3'],
    ['--python', '3.8'],
    ['--python', '3.12.1'],
    ['--platform', 'linux/x64'],
  ]) {
    expect((await cli(['pack', ...flags], { cwd })).code).toBe(2)
  }
})

test('--executable is refused for what Python does not start', async () => {
  const cwd = await makeTree({ 'public/index.html': '' })
  const { code, stderr } = await cli(['pack', '--executable'], { cwd })
  expect([code, stderr]).toEqual([1, expect.stringContaining('PACK_EXECUTABLE')])
})
