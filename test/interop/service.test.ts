import { execFile, spawn } from 'node:child_process'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { BIN } from '../cli/helper.ts'
import { freePort } from '../helpers/free-port.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { needPrograms } from './helpers/apt.ts'
import { newPlace } from './helpers/place.ts'
import { startProcess } from './helpers/server-process.ts'
import { DEBIAN_PYTHON } from './helpers/venv.ts'

/* zapp serve as a service: what systemd is told by its own program, what it says of the units, and signals. */

const run = promisify(execFile)

/** Stands in for systemd: what it was told, a message a line. */
const LISTENER = `
import os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
print("bound", flush=True)
while True:
    print(listener.recv(4096).decode().replace(chr(10), " "), flush=True)
`

await needPrograms({ 'systemd-analyze': 'systemd', 'systemd-notify': 'systemd' })

async function listen(path: string) {
  const child = spawn(DEBIAN_PYTHON, ['-c', LISTENER, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill())
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
  })
  await expect.poll(() => text).toContain('bound')
  // What systemd-notify waits for by itself is no news.
  return () => text.split('\n').filter((line) => line !== '' && line !== 'bound' && line !== 'BARRIER=1')
}

test('systemd is told what a host does, and SIGUSR1 opens its logs anew', async () => {
  const { dir } = await newPlace()
  const [socket, port, settings] = [join(dir, 'notify'), await freePort(), join(dir, 'zapp.host.json')]
  const told = await listen(socket)
  await mkdir(join(dir, 'apps'))
  const made = await makeArchive(dir, { name: 'site', routes: { '/': { static: 'p' } } }, { 'p/index.html': 'site' })
  await rename(made, join(dir, 'apps/site.zapp'))
  await writeFile(
    settings,
    JSON.stringify({ listen: { port }, logs: { access: { format: 'combined', file: 'a.log' } } }),
  )
  const argv = [process.execPath, BIN, 'serve', 'apps', '--settings', settings, '--state', 'state', '--cache', 'cache']
  const env = { HOME: dir, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '1000000' }
  const host = await startProcess(argv, { at: port, cwd: dir, env, own: true })
  onTestFinished(() => host.stop())
  const ready = `READY=1 STATUS=1 apps at http://127.0.0.1:${port}/`
  await expect.poll(told).toContain(ready)
  await expect.poll(told).toContain('WATCHDOG=1')

  host.signal('SIGHUP')
  const news = () => told().filter((line) => line !== 'WATCHDOG=1')
  await expect.poll(news).toEqual([ready, expect.stringMatching(/^RELOADING=1 MONOTONIC_USEC=\d+$/), ready])

  const [log, moved] = [join(dir, 'a.log'), join(dir, 'a.log.1')]
  await fetch(`http://127.0.0.1:${port}/site/?one`)
  await expect.poll(() => readFile(log, 'utf8')).toContain('"GET /site/?one HTTP/1.1" 200 ')
  await rename(log, moved)
  host.signal('SIGUSR1')
  await expect.poll(() => readFile(log, 'utf8')).toBe('')
  await fetch(`http://127.0.0.1:${port}/site/?two`)
  await expect.poll(() => readFile(log, 'utf8')).toContain('?two')
  expect(await readFile(moved, 'utf8')).not.toContain('?two')
  // Node's own meaning of that signal.
  expect(host.log()).not.toContain('Debugger')

  await host.stop()
  expect(news().at(-1)).toBe('STOPPING=1')
})

test('systemd takes the unit of a host', async () => {
  const { dir } = await newPlace()
  const apps = join(dir, 'a "folder" of $apps %n')
  await mkdir(apps)
  const { stdout } = await run(process.execPath, [BIN, 'emit', 'systemd', apps, '-o', dir])
  expect(stdout.trim()).toBe(join(dir, 'zapp.service'))
  const file = join(dir, 'zapp.service')
  const text = await readFile(file, 'utf8')
  // The program must be there for systemd to look at; only its name is changed.
  await writeFile(file, text.replace('ExecStart=zapp ', `ExecStart=${process.execPath} `))
  const checked = await run('systemd-analyze', ['verify', '--recursive-errors=no', file])
  expect(`${checked.stdout}${checked.stderr}`.split('\n').filter((line) => line.includes('zapp.service'))).toEqual([])
})
