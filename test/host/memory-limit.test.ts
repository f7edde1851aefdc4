import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ZappError } from '../../src/errors.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { entry, folderOf, type Served, settingsFile, start } from './helper.ts'
import { parseResponse, sendRaw } from './raw.ts'

/* What is held is not the heap's: a heap that is full would end the process before it is looked at. */
const NODE = `
const { spawn } = require('node:child_process')
const held = []
module.exports = (req, res) => {
  const [, what, mib] = req.url.split('/')
  if (what === 'hold') held.push(Buffer.alloc(Number(mib) * 2 ** 20, 1))
  if (what === 'child') {
    const code = 'const held = Buffer.alloc(' + mib + ' * 2 ** 20, 1); setInterval(() => held, 1000)'
    spawn(process.execPath, ['-e', code], { stdio: 'ignore' })
  }
  if (what === 'wait') return void process.once('SIGUSR2', () => res.end('answered late'))
  res.end(JSON.stringify({ pid: process.pid, heap: require('node:v8').getHeapStatistics().heap_size_limit / 2 ** 20 }))
}
`
const WSGI = `
import os
held = []
def application(environ, start_response):
    what, _, mib = environ["PATH_INFO"][1:].partition("/")
    if what == "hold": held.append(b"x" * (int(mib) * 2 ** 20))
    start_response("200 OK", [])
    return [b'{"pid": %d}' % os.getpid()]
`
const SERVER = `
const held = []
require('node:http').createServer((req, res) => {
  const [, what, mib] = req.url.split('/')
  if (what === 'hold') held.push(Buffer.alloc(Number(mib) * 2 ** 20, 1))
  res.end(JSON.stringify({ pid: process.pid }))
}).listen(process.env.PORT)
`
const APPS = [
  ['a worker of Node', entry, { 'app.cjs': NODE }],
  [
    'a worker of Python',
    { entry: { type: 'wsgi', app: 'own:application' }, workers: { processes: 1 } },
    { 'own.py': WSGI },
  ],
  ['a program', { entry: { type: 'server', run: ['{node}', 'server.js'] } }, { 'server.js': SERVER }],
] as const

async function serves(
  manifest: object,
  files: Record<string, string>,
): Promise<Served & { say(path: string): Promise<{ pid: number; heap: number }> }> {
  const folder = await folderOf({ 'a.zapp': [{ ...manifest, name: 'a' }, files] })
  const settings = await settingsFile({ apps: { a: { limits: { memory: '200M' } } } })
  const served = await start(folder, { settings })
  const say = async (path: string) => {
    const request = `GET /a/${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
    const { body } = parseResponse(await sendRaw(served.host.address.port, request))
    return JSON.parse(/\{.*\}/.exec(body)?.[0] ?? '{"pid":0}') as { pid: number; heap: number }
  }
  return { ...served, say }
}

const excesses = ({ events }: Served) =>
  events.flatMap((event) =>
    event.type === 'error' && (event.error as ZappError).code === 'MEMORY_EXCEEDED' ? [event.error as ZappError] : [],
  )
const PATIENCE = { timeout: 30_000 }

describe.each(APPS)('%s above its limit of memory', (_, manifest, files) => {
  it('is replaced, the next one first, and the log has the figure', { timeout: 60_000 }, async () => {
    const served = await serves(manifest, files)
    const { pid } = await served.say('')
    await served.say('hold/250')
    const pids = new Set<number>()
    await expect
      .poll(async () => {
        const said = await served.say('')
        pids.add(said.pid)
        return said.pid
      }, PATIENCE)
      .not.toBe(pid)
    // Nobody was refused meanwhile.
    expect(pids).not.toContain(0)
    const [excess, ...others] = excesses(served)
    expect(others).toEqual([])
    expect(excess?.args).toMatchObject({ limit: 200, pid, fate: 'it is replaced' })
    expect(excess?.args.got).toBeGreaterThan(200)
    await expect.poll(() => served.host.app('a').pids, PATIENCE).not.toContain(pid)
  })
})

describe('a worker of Node above its limit of memory', () => {
  it('may finish what it has begun; what it started counts; its heap is no larger than the limit', {
    timeout: 60_000,
  }, async () => {
    const served = await serves(entry, { 'app.cjs': NODE })
    const { pid, heap } = await served.say('')
    // V8 adds what it needs for young objects: up to 192 MiB in Node 24. Without the limit it would be gigabytes.
    expect(heap).toBeGreaterThanOrEqual(200)
    expect(heap).toBeLessThan(600)
    const waits = sendRaw(served.host.address.port, 'GET /a/wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    await served.say('child/250')
    await expect.poll(async () => (await served.say('')).pid, PATIENCE).not.toBe(pid)
    process.kill(pid, 'SIGUSR2')
    expect(await waits).toContain('answered late')
  })

  it('at twice the limit is killed at once, and started again', { timeout: 60_000 }, async () => {
    const served = await serves(entry, { 'app.cjs': NODE })
    const { pid } = await served.say('')
    // Should the first look find it half-way there: with this it does not end by itself when it is replaced.
    const waits = sendRaw(served.host.address.port, 'GET /a/wait HTTP/1.1\r\nHost: x\r\n\r\n')
    await served.say('hold/500')
    await expect
      .poll(() => excesses(served).map(({ args }) => String(args.fate)), PATIENCE)
      .toContainEqual(expect.stringContaining('killed'))
    await expect.poll(async () => (await served.say('')).pid, PATIENCE).not.toBe(pid)
    expect(await waits).not.toContain('answered late')
  })
})

describe('a CGI script above its limit of memory', () => {
  it('is ended: 503, and the log has the figure; others are answered', { timeout: 60_000 }, async () => {
    const script = (code: string) => `#!${process.execPath}\n${code}\n`
    const manifest = { entry: { type: 'cgi', dir: 'bin', timeout: '1h' }, executable: ['bin/large', 'bin/small'] }
    const served = await serves(manifest, {
      'bin/large': script('const held = Buffer.alloc(250 * 2 ** 20, 1); setInterval(() => held, 1000)'),
      'bin/small': script(`console.log('Content-Type: application/json\\n\\n{"pid":' + process.pid + '}')`),
    })
    expect((await served.get('/a/large')).status).toBe(503)
    expect(excesses(served)[0]?.args).toMatchObject({ name: 'bin/large', limit: 200, fate: 'it is ended' })
    expect((await served.say('small')).pid).not.toBe(0)
  })
})

describe('a background process above its limit of memory', () => {
  it('ends, then it is started again; Node is told of the limit', { timeout: 60_000 }, async () => {
    const marker = join(await tmpDir(), 'marker')
    /* The first one alone holds something. It ends in its own way. */
    const WORK = `
      process.on('SIGTERM', () => { console.log('ended by itself'); process.exit() })
      console.log('heap ' + require('node:v8').getHeapStatistics().heap_size_limit / 2 ** 20 + ' of ' + process.pid)
      let held
      try {
        require('node:fs').writeFileSync(${JSON.stringify(marker)}, '', { flag: 'wx' })
        held = Buffer.alloc(250 * 2 ** 20, 1)
      } catch {}
      setInterval(() => held, 1000)`
    const manifest = { ...entry, processes: { work: { run: ['{node}', 'work.js'] } } }
    const served = await serves(manifest, { 'app.cjs': NODE, 'work.js': WORK })
    const lines = () => served.events.flatMap((event) => (event.type === 'log' ? [event.line.text] : []))
    const heaps = () => lines().flatMap((text) => /^heap (\d+).* of (\d+)$/.exec(text)?.slice(1).map(Number) ?? [])
    await expect.poll(heaps, PATIENCE).toHaveLength(4)
    const [heap, first, , second] = heaps()
    expect(heap).toBeLessThan(600)
    expect(lines()).toContain('ended by itself')
    expect(excesses(served)).toMatchObject([{ args: { name: 'work', pid: first, limit: 200, fate: 'it is ended' } }])
    await expect.poll(() => served.host.app('a').pids).toContain(second)
    expect(served.host.app('a').pids).not.toContain(first)
  })
})
