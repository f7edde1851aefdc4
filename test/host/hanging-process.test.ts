import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { ZappError } from '../../src/errors.ts'
import { Pulse } from '../../src/host/workers/pulse.ts'
import { OwnProcess } from '../../src/runtimes/own-process.ts'
import { entry, folderOf, type Served, settingsFile, start } from './helper.ts'
import { open, readAll } from './raw.ts'

/** `/loop` never comes back. */
const LOOPS = {
  'app.cjs': `module.exports = (req, res) => {
    if (req.url === '/loop') for (;;);
    res.end('pid ' + process.pid + '.')
  }`,
}

async function serves(processes: number, proxies: readonly string[]): Promise<Served> {
  const folder = await folderOf({ 'a.zapp': [{ ...entry, name: 'a' }, LOOPS] })
  const apps = { a: { limits: { requestTime: '100ms' }, workers: { processes } } }
  return start(folder, { settings: await settingsFile({ apps, proxies }) })
}

/** Asks for the process that has a connection, which stays open. */
async function pidOn(socket: Socket): Promise<number> {
  socket.write('GET /a HTTP/1.1\r\nHost: x\r\n\r\n')
  for (let text = ''; ; ) {
    text += String((await once(socket, 'data'))[0])
    const said = /pid (\d+)\./.exec(text)
    if (said) return Number(said[1])
  }
}

const hanging = ({ events }: Served) =>
  events.flatMap((event) =>
    event.type === 'error' && (event.error as ZappError).code === 'PROCESS_HANGS' ? [event.error as ZappError] : [],
  )

describe('a worker in an endless loop', () => {
  it('is killed and started again: who waits for it has an end, other processes go on, the log says so', {
    timeout: 40_000,
  }, async () => {
    const [served, passing] = await Promise.all([serves(2, []), serves(1, ['127.0.0.1'])])
    // One connection at each process.
    const held = new Map<number, Socket>()
    while (held.size < 2) {
      const socket = await open(served.host.address.port)
      held.set(await pidOn(socket), socket)
    }
    const [[hung, looping], [other, open2]] = [...held] as [[number, Socket], [number, Socket]]
    const cut = readAll(looping)
    looping.write('GET /a/loop HTTP/1.1\r\nHost: x\r\n\r\n')
    const passed = passing.get('/a/loop')

    expect(await cut).toBe('')
    expect(await pidOn(open2)).toBe(other)
    expect(hanging(served)).toMatchObject([{ args: { name: 'a', pid: hung, seconds: 5.1 } }])
    await expect.poll(() => served.host.app('a').pids).not.toContain(hung)
    await expect.poll(() => served.host.app('a').pids).toHaveLength(2)
    expect((await passed).status).toBe(504)
    expect(await passing.text('/a')).toContain('pid ')
  })
})

describe('Pulse', () => {
  const processes: OwnProcess[] = []
  const asked = () => {}

  afterEach(() => Promise.all(processes.splice(0).map((process) => process.stop(0))))

  /** Of a process that says nothing. */
  function pulse(bound: number): { pulse: Pulse; process: OwnProcess; hung: Promise<unknown> } {
    const argv = [process.execPath, '-e', 'setInterval(() => {}, 1000)'] as const
    const own = new OwnProcess({ argv, cwd: '/', env: {}, onLine: () => {} })
    processes.push(own)
    let onHang = (_: unknown) => {}
    const hung = new Promise((resolve) => {
      onHang = resolve
    })
    return { pulse: new Pulse({ process: own, name: 'a', bound, ask: asked, onHang }), process: own, hung }
  }

  it('kills no process that is stopped, or that somebody debugs', async () => {
    const [stopped, debugged] = [pulse(200), pulse(200)]
    stopped.process.signal('SIGSTOP')
    debugged.pulse.heard(true)
    // Begun later, and with more time, than those that would be killed.
    await pulse(600).hung
    expect([stopped.pulse.isLost, debugged.pulse.isLost]).toEqual([false, false])
    stopped.process.signal('SIGCONT')
    await stopped.hung
    expect(await stopped.process.ended).toContain('SIGKILL')
  })
})
