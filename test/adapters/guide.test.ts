import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, it } from 'vitest'
import { pack } from '../../src/pack/pack.ts'
import { freePort } from '../helpers/free-port.ts'
import { tmpDir } from '../helpers/tmp.ts'

/*
 * Every program of docs/adapters.md, in a process of its own, against the package as it is built (`npm run build`). It
 * is changed in three places only: the port, and where cache and data are.
 */

const ROOT = join(import.meta.dirname, '../..')
const sections = readFileSync(join(ROOT, 'docs/adapters.md'), 'utf8').split(/^## /m).slice(1)
const PROGRAMS = sections.flatMap((section) =>
  [...section.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => [section.split('\n')[0]!, code!] as const),
)

let dir = ''

beforeAll(async () => {
  dir = await tmpDir()
  await pack(join(ROOT, 'fixtures/apps/shop'), { out: join(dir, 'shop-1.2.0.zapp') })
  await mkdir(join(dir, 'node_modules/@hono'), { recursive: true })
  await symlink(ROOT, join(dir, 'node_modules/zapp'))
  const packages = [
    ...new Set(PROGRAMS.flatMap(([, code]) => [...code.matchAll(/ from '([^':]+)'/g)].map(([, n]) => n!))),
  ]
  for (const name of packages.filter((name) => !/^(?:zapp|node:)/.test(name))) {
    await symlink(join(ROOT, 'node_modules', name), join(dir, 'node_modules', name))
  }
})

it('has a program for each adapter', async () => {
  const { exports } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  const adapters = Object.keys(exports).filter((name) => exports[name].default?.includes('/adapters/'))
  const imported = PROGRAMS.map(([, code]) => / from '(zapp\/.*)'/.exec(code)?.[1]?.replace('zapp', '.'))
  expect(imported.sort()).toEqual(adapters.sort())
})

it.each(PROGRAMS)('the program for %s runs as it stands', async (name, code) => {
  const port = await freePort()
  const file = join(dir, `${name.replace(/\W+/g, '-')}.mjs`)
  await writeFile(file, adapted(code, port))
  const child = spawn(process.execPath, [file], { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text
  })
  try {
    const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(10_000) })
    const health = async () => (await get('/shop/healthz')).json()
    let answer: unknown
    while (answer === undefined && child.exitCode === null) answer = await health().catch(() => sleep(20))
    expect(answer, said).toEqual({ ok: true })
    expect(await (await get('/shop/products/mug')).text()).toContain('href="/shop/cart"')
    // node:http alone has nobody else who could answer.
    expect(await (await get('/')).text()).toContain(name === 'node:http' ? 'Not here' : 'outer')
  } finally {
    child.kill()
  }
})

function adapted(code: string, port: number): string {
  const own = code
    .replace('8080', String(port))
    .replace(/loadApp\(('[^']+')(?:, \{ (.*?) \})?\)/, "loadApp($1, { cache: './cache', data: './data', $2 })")
  if (!own.includes('export default')) return own
  // A host of the kind that takes an object with `fetch`.
  return `import { serve } from '@hono/node-server'\n${own.replace('export default', 'const handler =')}
serve({ ...handler, port: ${port} })`
}
