import { execFile } from 'node:child_process'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { pack } from '../../src/pack/pack.ts'
import { BIN } from '../cli/helper.ts'
import { freePort } from '../helpers/free-port.ts'
import { APACHE_USER, needApache, startApache } from './helpers/apache.ts'
import { needPrograms } from './helpers/apt.ts'
import { newPlace } from './helpers/place.ts'
import { startProcess } from './helpers/server-process.ts'
import { DEBIAN_PYTHON } from './helpers/venv.ts'

/*
 * Every section of docs/python.md and docs/cgi.md with something to type: it is typed, and the app must answer. Changed
 * are the places, the port, and how Apache is told.
 */

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '../..')
const LAST = 'apachectl -k graceful'

interface Section {
  readonly title: string
  readonly files: Readonly<Record<string, string>>
  readonly lines: readonly string[]
}

await needApache()
await needPrograms({ gunicorn: 'gunicorn', uwsgi: 'uwsgi-core', 'waitress-serve': 'python3-waitress' })
await needPrograms({ '/usr/lib/python3/dist-packages/uvicorn': 'python3-uvicorn' })
const sections = (await Promise.all(['python', 'cgi'].map(readSections))).flat()

test('there is something to type for each container', () => {
  expect(sections.map(({ title }) => title)).toEqual([
    'gunicorn',
    'uWSGI',
    'Apache',
    'waitress and wsgiref',
    'uvicorn and hypercorn',
    'By itself',
    'An archive in cgi-bin',
  ])
})

test.each(sections)('$title', async ({ files, lines }) => {
  const isApache = lines.at(-1) === LAST
  const place = await newPlace(isApache ? APACHE_USER : undefined)
  const { dir } = place
  const port = await freePort()
  const here = (text: string) => text.replaceAll('/srv', dir).replaceAll('8000', String(port))
  await mkdir(join(dir, 'apps'))
  await chmod(join(dir, 'apps'), 0o755)
  await pack(join(ROOT, 'fixtures/apps/journal'), { out: join(dir, 'apps/journal.zapp') })
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), here(text))

  const bin = join(dir, 'bin')
  await mkdir(bin)
  const programs = { zapp: `exec ${process.execPath} ${BIN} "$@"`, python3: `exec ${DEBIAN_PYTHON} "$@"` }
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  }
  const env = { PATH: `${bin}:${process.env.PATH}`, USER: place.user, HOME: dir }

  const typed = lines.map(here)
  const [last, before] = [typed.at(-1)!, typed.slice(0, -1).join('\n')]
  const server = isApache
    ? await run('sh', ['-ec', before], { cwd: dir, env }).then(() =>
        startApache(place, { file: join(dir, 'conf/journal.conf'), steps: {} }),
      )
    : { port, ...(await startProcess(['sh', '-ec', `${before}\nexec ${last}`], { at: port, cwd: dir, env })) }
  try {
    const answer = await fetch(`http://127.0.0.1:${server.port}/journal/healthz`)
    expect([answer.status, server.log().slice(-2000)]).toEqual([200, expect.anything()])
    const style = await fetch(`http://127.0.0.1:${server.port}/journal/static/journal.css`)
    expect(style.status).toBe(200)
  } finally {
    await server.stop()
  }
})

/** The first block of shell of each section that has one, with the files above it. */
async function readSections(name: string): Promise<Section[]> {
  const text = await readFile(join(ROOT, `docs/${name}.md`), 'utf8')
  return text
    .split(/^## /m)
    .slice(1)
    .flatMap((section) => {
      const blocks = [...section.matchAll(/^```(?<lang>\w+)(?: (?<path>\S+))?\n(?<body>.*?)^```$/gms)]
      const shell = blocks.find(({ groups }) => groups?.lang === 'sh')?.groups?.body
      if (shell === undefined) return []
      const files = blocks.flatMap(({ groups }) => (groups?.path === undefined ? [] : [[groups.path, groups.body]]))
      return [{ title: section.split('\n')[0]!, files: Object.fromEntries(files), lines: shell.trim().split('\n') }]
    })
}
