import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { tmpDir } from '../helpers/tmp.ts'
import { cli, cliJson } from './helper.ts'

let cwd: string
beforeEach(async () => {
  cwd = await tmpDir()
})

async function project(files: Record<string, string | object>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(cwd, path)), { recursive: true })
    await writeFile(join(cwd, path), typeof content === 'string' ? content : JSON.stringify(content))
  }
}

const read = (path: string) => readFile(join(cwd, path), 'utf8')

const APP = {
  'package.json': { name: 'shop', version: '1.2.0', main: 'app.js' },
  'app.js': 'module.exports = (req, res) => res.end()\n',
}
const BUILT = {
  'package.json': { name: 'site', version: '1.0.0', scripts: { build: 'vite build' } },
  'src/main.js': '',
  'dist/index.html': '<script src="/assets/main-a1b2c3d4.js"></script>',
  'dist/assets/main-a1b2c3d4.js': '',
}

test('it writes a manifest that validates and packs, and says what was found and where', async () => {
  await project(APP)
  const { code, stdout, stderr } = await cli(['init'], { cwd, columns: 80 })
  expect([code, stdout]).toEqual([0, 'zapp.json\n'])
  expect(stderr).toBe(
    `
shop 1.2.0 from .

  found    package.json names app.js as "main"
           app.js exports a (req, res) function: module.exports = (req, res) =>
             res.end()
  entries  main  node  app.js
  routes   /  entry main

`.trimStart(),
  )
  expect(await read('zapp.json')).toBe(
    `
{
  "$schema": "./node_modules/zapp/schema/manifest.v1.schema.json",
  "zapp": 1,
  "name": "shop",
  "version": "1.2.0",
  "entry": { "type": "node", "module": "app.js" }
}
`.trimStart(),
  )
  expect((await cli(['validate', '.'], { cwd })).code).toBe(0)
  expect((await cli(['pack'], { cwd })).stdout).toBe('shop-1.2.0.zapp\n')
})

test('an archive made after init holds what one made without a manifest does', async () => {
  await project(BUILT)
  const packed = async () => (await cli(['pack', '--dry-run'], { cwd })).stdout
  const before = await packed()
  expect(before).toBe('dist/assets/main-a1b2c3d4.js\ndist/index.html\n')
  expect(await cli(['init'], { cwd })).toMatchObject({ code: 0, stdout: 'zapp.json\n.zappignore\n' })
  expect(await read('.zappignore')).toBe('# The build has taken in what is left out here.\n/*\n!/dist/\n')
  expect(await packed()).toBe(before)
})

test('a .zappignore that is there is left alone, and what it lacks is said', async () => {
  await project({ ...BUILT, '.zappignore': '/*\n' })
  const { stdout, stderr } = await cli(['init'], { cwd })
  expect(stdout).toBe('zapp.json\n')
  expect(stderr).toContain('For .zappignore, which is there already: !/dist/\n')
  expect(await read('.zappignore')).toBe('/*\n')
})

test('a manifest that is there is replaced only by force', async () => {
  await project({ ...APP, 'zapp.json': '{"mine":1}' })
  const refused = await cli(['init'], { cwd })
  expect(refused.code).toBe(2)
  expect(refused.stderr).toMatch(/zapp.json is there already: --force replaces it/)
  expect(await read('zapp.json')).toBe('{"mine":1}')
  expect((await cli(['init', '--force'], { cwd })).code).toBe(0)
  expect(JSON.parse(await read('zapp.json')).name).toBe('shop')
})

test('--print writes nothing, and the shell may put it where it belongs', async () => {
  await project(APP)
  const before = await readdir(cwd)
  const { code, stdout } = await cli(['init', '--print'], { cwd })
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ zapp: 1, name: 'shop' })
  expect(await readdir(cwd)).toEqual(before)
  // `zapp init --print > zapp.json` makes the file first; one without --print fills it.
  await project({ 'zapp.json': '' })
  expect((await cli(['init', '--print'], { cwd })).stdout).toBe(stdout)
  expect((await cli(['init'], { cwd })).code).toBe(0)
  expect(await read('zapp.json')).toBe(stdout)
})

test('where it would be a guess, nothing is written and the suggestion is printed', async () => {
  await project({ 'package.json': { name: 'shop', main: 'app.js' }, 'app.js': 'module.exports = {}\n' })
  const { code, stdout, stderr } = await cli(['init'], { cwd })
  expect(code).toBe(1)
  expect(stderr).toMatch(/^error PACK_NO_MANIFEST {2}zapp.json\n.*app.js exports no listener/)
  expect(JSON.parse(stdout)).toMatchObject({ name: 'shop', entry: { type: 'server', run: ['{node}', 'app.js'] } })
  expect((await readdir(cwd)).sort()).toEqual(['app.js', 'package.json'])
})

test('--json tells the same', async () => {
  await project(BUILT)
  const { code, answer } = await cliJson(['init', '.'], { cwd })
  expect(code).toBe(0)
  expect(answer).toEqual({
    files: ['zapp.json', '.zappignore'],
    because: expect.arrayContaining(['dist/index.html makes dist a static site']),
    manifest: JSON.parse(await read('zapp.json')),
    ignore: ['/*', '!/dist/'],
  })
})

test('a folder that is not there', async () => {
  expect(await cli(['init', 'none'], { cwd })).toMatchObject({ code: 2, stdout: '' })
  await project({ file: '' })
  expect((await cli(['init', 'file'], { cwd })).stderr).toMatch(/NOT_A_FOLDER/)
})
