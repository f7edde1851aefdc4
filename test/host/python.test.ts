import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { tmpDir } from '../helpers/tmp.ts'
import { folderOf, rejection, start } from './helper.ts'

const wsgi = { entry: { type: 'wsgi', app: 'app:application' } }
const says = (text: string) => ({
  'app.py': `import os, sys, time
print('starting', ${JSON.stringify(text)})
def application(environ, start_response):
    if environ['PATH_INFO'] == '/slow': time.sleep(0.1)
    if environ['PATH_INFO'] == '/fails': raise RuntimeError('no such note')
    if environ['PATH_INFO'] == '/healthz': start_response('500 Not yet', []); return [b'']
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [f"${text} {environ['SCRIPT_NAME']}|{environ['PATH_INFO']} {os.getpid()}".encode()]
`,
})

it('an app of Python is served by processes of its own, and what it prints has its name', async () => {
  const served = await start(await folderOf({ 'notes.zapp': [{ ...wsgi, name: 'notes' }, says('notes')] }))
  expect(await served.text('/notes/a%20b')).toMatch(/^notes \/notes\|\/a b [0-9]+$/)
  expect((await served.get('/notes/fails')).status).toBe(500)
  const log = () => served.events.flatMap((event) => (event.type === 'log' ? [`${event.app}: ${event.line.text}`] : []))
  await expect.poll(log).toContain('/notes: starting notes')
  await expect.poll(() => log().join('\n')).toMatch(/\/notes: .*RuntimeError: no such note/)
})

describe('pages of Node and an API of Python in one archive', () => {
  const desk = (workers: object = {}) => {
    const manifest = {
      name: 'desk',
      entries: { web: { type: 'fetch', module: 'web.mjs' }, api: { ...wsgi.entry, root: 'api' } },
      routes: { '/': { entry: 'web' }, '/api/*': { entry: 'api', strip: true } },
      workers,
    }
    const files = { 'web.mjs': 'export default (req) => new Response("page " + new URL(req.url).pathname)' }
    return folderOf({ 'desk.zapp': [manifest, { ...files, 'api/app.py': says('api')['app.py'] }] })
  }

  it('are answered by processes of both', async () => {
    const served = await start(await desk())
    expect(await served.text('/desk/a')).toBe('page /a')
    expect(await served.text('/desk/api/b')).toMatch(/^api \/desk\/api\|\/b /)
  })

  it('have as many processes of each as the manifest says', async () => {
    const served = await start(await desk({ processes: 2, threads: 1 }))
    const seen = new Set<string>()
    const asked = async () => {
      // More than all of them take at a time, so that each of them has some.
      const answers = await Promise.all(Array.from({ length: 8 }, () => served.text('/desk/api/slow')))
      for (const answer of answers) seen.add(/[0-9]+$/.exec(answer)![0])
      return seen.size
    }
    await expect.poll(asked).toBe(2)
    for (let i = 0; i < 3; i++) await asked()
    expect(seen.size).toBe(2)
  })

  it('are run with the interpreter that ZAPP_PYTHON names, and no other', async () => {
    process.env.ZAPP_PYTHON = '/nowhere/python3'
    onTestFinished(() => void delete process.env.ZAPP_PYTHON)
    const served = await start(await desk())
    expect(served.host.apps).toMatchObject([{ state: 'failed', error: { code: 'NEED_COMMAND' } }])
  })
})

it('one that does not become healthy is not live', async () => {
  const manifest = { ...wsgi, name: 'sick', health: { path: '/healthz', timeout: '5s' } }
  const served = await start(await folderOf({ 'sick.zapp': [manifest, says('sick')] }))
  expect(served.host.apps).toMatchObject([{ state: 'failed', error: { code: 'HEALTH_FAILED', args: { got: 500 } } }])
})

it('what it needs of Python is told before anything is started', async () => {
  const manifest = { ...wsgi, name: 'later', dependencies: { runtime: { python: '>=3.98' } } }
  const folder = await folderOf({ 'later.zapp': [manifest, says('later')] })
  const error = await rejection(start(join(folder, 'later.zapp')))
  expect(error).toMatchObject({ code: 'NEED_RUNTIME', args: { runtime: 'Python', expected: '>=3.98' } })
})

it('a project that is edited has new processes, no request fails, and the old ones end', async () => {
  const project = join(await tmpDir(), 'notes')
  await mkdir(project)
  const manifest = { zapp: 1, name: 'notes', version: '1.0.0', ...wsgi, workers: { processes: 1 } }
  await writeFile(join(project, 'zapp.json'), JSON.stringify(manifest))
  await writeFile(join(project, 'app.py'), says('one')['app.py'])
  const served = await start(project, { watch: true })
  const [, pid] = /([0-9]+)$/.exec(await served.text('/')) ?? []
  await writeFile(join(project, 'app.py'), says('two')['app.py'])
  const texts: string[] = []
  await expect
    .poll(
      async () => {
        const answer = await served.get('/')
        texts.push(`${answer.status} ${await answer.text()}`)
        return texts.at(-1)
      },
      { timeout: 15_000, interval: 10 },
    )
    .toMatch(/^200 two/)
  expect(texts.filter((text) => !text.startsWith('200 '))).toEqual([])
  const lives = () => {
    try {
      return process.kill(Number(pid), 0)
    } catch {
      return false
    }
  }
  await expect.poll(lives, { timeout: 15_000 }).toBe(false)
})
