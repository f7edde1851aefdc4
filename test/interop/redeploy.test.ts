import { copyFile, rename, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { pack } from '../../src/pack/pack.ts'
import { needApache } from './helpers/apache.ts'
import { needPrograms } from './helpers/apt.ts'
import { writeFiles } from './helpers/guide.ts'
import { startLoad } from './helpers/load.ts'
import { newPlace } from './helpers/place.ts'
import { PACKAGES, pythonServers } from './helpers/python-servers.ts'
import { venv } from './helpers/venv.ts'

/*
 * The configuration that is emitted says how to redeploy: rename the new archive over the old one, then touch a script
 * or send a signal. Done again and again under load, it loses no request.
 */

const TIMES = 20
const CONNECTIONS = 8

/**
 * The connections of uWSGI's http-socket are closed after each answer, which does not say so. A worker that its chain
 * reload ends may have accepted a connection a moment before, and answers no more: 1 of 404,772 requests was lost so.
 */
const SERVERS: readonly (readonly [name: string, times: number, keepAlive: boolean, lostByServer: number])[] = [
  ['mod_wsgi 4 daemon', TIMES, true, 0],
  ['mod_wsgi daemon', 5, true, 0],
  ['gunicorn 20 sync', 5, true, 0],
  ['gunicorn gthread', 5, true, 0],
  ['uWSGI 2.0.21', 2, false, 2],
]

await needApache()
await needPrograms({ gunicorn: 'gunicorn', uwsgi: 'uwsgi-core', nginx: 'nginx-light' })
const servers = await pythonServers(await venv(...PACKAGES))
const versions = await Promise.all(Array.from({ length: TIMES + 1 }, (_, i) => packVersion(`1.0.${i}`)))
const lines: string[] = []
const start = Math.floor(Date.now() / 1000)

test.each(SERVERS)('%s: %i redeploys', async (name, times, keepAlive, lostByServer) => {
  const { dir } = await newPlace()
  const file = join(dir, 'app.zapp')
  const put = async (i: number) => {
    await copyFile(versions[i]!, `${file}.new`)
    // Some servers look at whole seconds, and need to be told by a few more.
    const time = start + i * 1000
    await utimes(`${file}.new`, time, time)
    await rename(`${file}.new`, file)
  }
  await put(0)
  const running = await servers.find((server) => server.name === name)!.start(file, '')
  try {
    const load = startLoad(running.port, CONNECTIONS, keepAlive)
    for (let i = 1; i <= times; i++) {
      await put(i)
      await running.redeploy!()
      await expect.poll(() => load.bodies.has(`1.0.${i}`), { timeout: 60_000 }).toBe(true)
    }
    await load.stop()
    const { failures, requests, repeated } = load
    lines.push(
      `${name}: ${failures.length} of ${requests} requests failed in ${times} redeploys, ${repeated} were sent again`,
    )
    const others = failures.filter((failure) => !/^(?:socket hang up|read ECONNRESET)$/.test(failure))
    expect(others, running.log().slice(-3000)).toEqual([])
    expect(failures.length).toBeLessThanOrEqual(lostByServer)
  } finally {
    await running.stop()
  }
})

afterAll(() => console.log(lines.join('\n')))

async function packVersion(version: string): Promise<string> {
  const { dir } = await newPlace()
  await writeFiles(dir, {
    'zapp.json': JSON.stringify({ zapp: 1, name: 'notes', version, entry: { type: 'wsgi', app: 'app:application' } }),
    'app.py': `from other import VERSION

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(VERSION)))])
    return [VERSION]
`,
    'other.py': `VERSION = b"${version}"\n`,
  })
  return (await pack(dir, { out: join(dir, 'app.zapp') })).file
}
