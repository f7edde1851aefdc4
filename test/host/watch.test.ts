import { copyFile, mkdir, open, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tmpDir } from '../helpers/tmp.ts'
import { countPip } from '../pack/helpers/count-pip.ts'
import { makeWheels } from '../pack/helpers/wheel.ts'
import { entry, folderOf, putArchive, type Served, says, start } from './helper.ts'

const shop = (version: string, text = version) => [{ ...entry, name: 'shop', version }, says(text)] as const
const watch = { watch: true }

const ofType = ({ events }: Served, type: string) => events.filter((event) => event.type === type)

/** Resolves when `path` is answered with a text that begins so. */
async function answers(served: Served, path: string, text: string): Promise<void> {
  await expect.poll(() => served.text(path), { timeout: 10_000, interval: 20 }).toMatch(new RegExp(`^${text}\\b`))
}

/** Asks all the time, over several connections, until it is stopped. Gives every answer that was not 200. */
function keepAsking(
  served: Served,
  path: string,
): { stop(): Promise<{ bad: unknown[]; seen: Set<string>; count: number }> } {
  let going = true
  const bad: unknown[] = []
  const seen = new Set<string>()
  let count = 0
  const client = async () => {
    while (going) {
      try {
        const response = await served.get(path, count % 3 === 0 ? { method: 'POST', body: 'x'.repeat(1000) } : {})
        if (response.status === 200) seen.add((await response.text()).split(' ')[0] ?? '')
        else bad.push([response.status, await response.text()])
      } catch (error) {
        bad.push(error)
      }
      count++
    }
  }
  const clients = Array.from({ length: 4 }, client)
  return {
    async stop() {
      going = false
      await Promise.all(clients)
      return { bad, seen, count }
    },
  }
}

describe('--watch', () => {
  it('an archive that is replaced, in one step or in place, takes over without a failed request', async () => {
    const dir = await folderOf({ 'shop.zapp': shop('1.0.0') })
    const file = join(dir, 'shop.zapp')
    const served = await start(dir, watch)
    const clients = keepAsking(served, '/shop')
    await answers(served, '/shop', '1.0.0')
    for (const version of ['1.1.0', '1.2.0', '1.3.0']) {
      const next = await putArchive(join(await tmpDir(), 'next.zapp'), ...shop(version))
      if (version === '1.2.0') await copyFile(next, file)
      else await rename(next, file)
      await answers(served, '/shop', version)
    }
    const { bad, seen, count } = await clients.stop()
    expect(bad).toEqual([])
    expect([...seen]).toEqual(['1.0.0', '1.1.0', '1.2.0', '1.3.0'])
    expect(count).toBeGreaterThan(20)
    expect(ofType(served, 'failed')).toEqual([])
    expect(served.host.apps).toMatchObject([{ version: '1.3.0', state: 'live' }])
  })

  it('a slow copy goes live once, when it is whole', async () => {
    const dir = await folderOf({ 'shop.zapp': shop('1.0.0') })
    const served = await start(dir, watch)
    const clients = keepAsking(served, '/shop')
    const bytes = await readFile(
      await putArchive(join(await tmpDir(), 'next.zapp'), ...shop('2.0.0', `2.0.0 ${'x'.repeat(9000)}`)),
    )
    const target = await open(join(dir, 'shop.zapp'), 'w')
    for (let at = 0; at < bytes.length; at += 200) {
      await target.write(bytes.subarray(at, at + 200))
      // Longer than the quiet time, once: what is there then is looked at, and found to be no archive.
      await new Promise((resolve) => setTimeout(resolve, at === 400 ? 700 : 20))
    }
    await target.close()
    await answers(served, '/shop', '2.0.0')
    const { bad, seen } = await clients.stop()
    expect(bad).toEqual([])
    expect([...seen]).toEqual(['1.0.0', '2.0.0'])
    expect(ofType(served, 'live')).toHaveLength(2)
  })

  it('one that is broken, does not start or is not healthy leaves the old one serving, and says why', async () => {
    const dir = await folderOf({ 'shop.zapp': shop('1.0.0') })
    const file = join(dir, 'shop.zapp')
    const served = await start(dir, watch)
    const clients = keepAsking(served, '/shop')
    const broken: readonly (readonly [code: string, make: () => Promise<unknown>])[] = [
      ['EOCD_NOT_AT_END', () => writeFile(file, 'no zip at all, and not even a short one')],
      [
        'ENTRY_LOAD',
        () => putArchive(file, { ...entry, name: 'shop', version: '2.0.0' }, { 'app.cjs': 'throw new Error("new")' }),
      ],
      [
        'HEALTH_FAILED',
        () =>
          putArchive(
            file,
            { ...entry, name: 'shop', version: '2.0.1', health: { path: '/ok' } },
            { 'app.cjs': 'module.exports = (req, res) => { res.statusCode = 503; res.end() }' },
          ),
      ],
    ]
    for (const [code, make] of broken) {
      await make()
      await expect.poll(() => served.host.apps[0]?.error?.code, { timeout: 10_000 }).toBe(code)
      expect(served.host.apps).toMatchObject([{ version: '1.0.0', state: 'degraded' }])
    }
    const { bad, seen } = await clients.stop()
    expect(bad).toEqual([])
    expect([...seen]).toEqual(['1.0.0'])
    expect(ofType(served, 'failed')).toMatchObject(broken.map(([code]) => ({ error: { code }, kept: true })))
    expect(await served.text('/')).toContain('The newest version failed')

    await putArchive(file, ...shop('2.1.0'))
    await answers(served, '/shop', '2.1.0')
    expect(served.host.apps[0]).not.toHaveProperty('error')
  })

  it('going back to the bytes that serve is no deploy', async () => {
    const dir = await folderOf({ 'shop.zapp': shop('1.0.0') })
    const file = join(dir, 'shop.zapp')
    const good = await readFile(file)
    const served = await start(dir, watch)
    await writeFile(file, 'broken')
    await expect.poll(() => served.host.apps[0]?.error, { timeout: 10_000 }).toBeDefined()
    await writeFile(file, good)
    await expect.poll(() => served.host.apps[0]?.error, { timeout: 10_000 }).toBeUndefined()
    expect(ofType(served, 'live')).toHaveLength(1)
    expect(await served.text('/shop')).toBe('1.0.0 /shop|/')
  })

  it('content decides, not the date', async () => {
    const dir = await folderOf({ 'a.zapp': shop('1.0.0'), 'b.zapp': shop('1.0.0', 'b1') })
    const served = await start(dir, watch)
    await utimes(join(dir, 'a.zapp'), new Date(), new Date())
    await copyFile(join(dir, 'a.zapp'), join(dir, 'same'))
    await rename(join(dir, 'same'), join(dir, 'a.zapp'))
    // What comes after it in time shows that it was looked at.
    await putArchive(join(dir, 'b.zapp'), ...shop('1.0.0', 'b2'))
    await answers(served, '/b', 'b2')
    expect(
      ofType(served, 'live')
        .map((event) => 'app' in event && typeof event.app === 'object' && event.app.mount)
        .sort(),
    ).toEqual(['/a', '/b', '/b'])
  })

  it('what appears is mounted, what disappears is taken down, what is only replaced stays', async () => {
    const dir = await folderOf({ 'shop.zapp': shop('1.0.0') })
    const served = await start(dir, watch)
    await putArchive(join(dir, 'notes.zapp'), { ...entry, name: 'notes' }, says('notes'))
    await answers(served, '/notes', 'notes')

    const aside = join(await tmpDir(), 'aside.zapp')
    const clients = keepAsking(served, '/shop')
    await rename(join(dir, 'shop.zapp'), aside)
    await rename(aside, join(dir, 'shop.zapp'))
    await rm(join(dir, 'notes.zapp'))
    await expect.poll(async () => (await served.get('/notes')).status, { timeout: 10_000 }).toBe(404)
    expect((await clients.stop()).bad).toEqual([])
    expect(ofType(served, 'removed')).toMatchObject([{ app: { mount: '/notes' } }])
    expect(served.host.apps.map(({ mount }) => mount)).toEqual(['/shop'])
  })

  it('a newer file beside the old one takes its mount, and gives it back when it goes', async () => {
    const dir = await folderOf({ 'shop-1.0.0.zapp': shop('1.0.0') })
    const served = await start(dir, watch)
    await putArchive(join(dir, 'shop-1.1.0.zapp'), ...shop('1.1.0'))
    await answers(served, '/shop', '1.1.0')
    await rm(join(dir, 'shop-1.1.0.zapp'))
    await answers(served, '/shop', '1.0.0')
  })

  it('a project is packed again when one of its files is edited; a mistake keeps the last good one', async () => {
    const dir = join(await tmpDir(), 'pad')
    const manifest = (version: string) => JSON.stringify({ zapp: 1, name: 'pad', version, ...entry })
    await mkdir(join(dir, 'lib'), { recursive: true })
    await writeFile(join(dir, 'zapp.json'), manifest('1.0.0'))
    await writeFile(join(dir, 'lib/text.cjs'), 'module.exports = "one"')
    await writeFile(join(dir, 'app.cjs'), 'module.exports = (req, res) => res.end(require("./lib/text.cjs"))')
    const served = await start(dir, watch)
    await answers(served, '/', 'one')

    await writeFile(join(dir, 'lib/text.cjs'), 'module.exports = "two"')
    await answers(served, '/', 'two')

    await writeFile(join(dir, 'zapp.json'), manifest('1.0'))
    await expect
      .poll(() => served.host.apps[0]?.error, { timeout: 10_000 })
      .toMatchObject({
        code: 'MANIFEST_VALUE',
        findings: [{ path: 'zapp.json', line: 1 }],
      })
    expect(await served.text('/')).toBe('two')

    await writeFile(join(dir, 'zapp.json'), manifest('1.1.0'))
    await writeFile(join(dir, 'lib/text.cjs'), 'module.exports = "three"')
    await answers(served, '/', 'three')
    expect(served.host.apps).toMatchObject([{ version: '1.1.0' }])
  })

  it('a project of Python is packed again without asking pip, until its requirements change', async () => {
    const asked = await countPip()
    const [dir, links] = [join(await tmpDir(), 'pad'), await tmpDir()]
    await makeWheels(links, [{ name: 'one' }, { name: 'two' }])
    const put = (file: string, text: string) => writeFile(join(dir, file), text)
    const requires = (names: string) => put('requirements.txt', `--no-index\n--find-links ${links}\n${names}\n`)
    const answer = (text: string) =>
      put(
        'app.py',
        `import one
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"${text}"]
`,
      )
    await mkdir(dir)
    await put(
      'zapp.json',
      JSON.stringify({ zapp: 1, name: 'pad', version: '1.0.0', entry: { type: 'wsgi', app: 'app:application' } }),
    )
    await Promise.all([requires('one'), answer('first')])
    const served = await start(dir, watch)
    await answers(served, '/', 'first')
    await answer('second')
    await answers(served, '/', 'second')
    expect(asked()).toBe(1)
    await requires('one\ntwo')
    await expect.poll(asked, { timeout: 10_000 }).toBe(2)
    await answer('third')
    await answers(served, '/', 'third')
    expect(asked()).toBe(2)
  })

  it('one app that cannot start yet is waited for', async () => {
    const dir = await tmpDir()
    const file = await putArchive(join(dir, 'app.zapp'), entry, { 'app.cjs': 'throw new Error("not yet")' })
    const served = await start(file, watch)
    expect((await served.get('/')).status).toBe(503)
    expect(ofType(served, 'failed')).toHaveLength(1)
    await putArchive(file, entry, says('now'))
    await answers(served, '/', 'now')
    expect(dirname(file)).toBe(dir)
  })

  it('an old version ends what it has begun', async () => {
    const dir = await tmpDir()
    const flag = join(dir, 'finish')
    const slow = `
      module.exports = (req, res) => {
        if (req.url !== '/slow') return res.end('old')
        res.write('begun by old, ')
        const timer = setInterval(() => {
          if (!require('node:fs').existsSync(${JSON.stringify(flag)})) return
          clearInterval(timer)
          res.end('ended by old')
        }, 10)
      }`
    const file = await putArchive(join(dir, 'app.zapp'), { ...entry, version: '1.0.0' }, { 'app.cjs': slow })
    const served = await start(file, watch)
    const response = await served.get('/slow')
    await putArchive(file, { ...entry, version: '2.0.0' }, says('new'))
    await answers(served, '/', 'new')
    await writeFile(flag, '')
    expect(await response.text()).toBe('begun by old, ended by old')
  })
})
