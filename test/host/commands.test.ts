import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tmpDir } from '../helpers/tmp.ts'
import { entry, folderOf, putArchive, says, start } from './helper.ts'

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
const textOf = (file: string) => readFile(file, 'utf8').catch(() => '')

/** An app whose commands write into a file outside. */
async function place() {
  const out = await tmpDir()
  const config = { HOST_TEST_OUT: { type: 'string', default: out } }
  const script = (text: string) => `const out = process.env.HOST_TEST_OUT; const fs = require('node:fs'); ${text}`
  return { out, config, script }
}

describe('lifecycle.migrate', () => {
  it('runs once for each version before it serves; one that fails leaves the old version alone', async () => {
    const { out, config, script } = await place()
    const app = (version: string, run: string) =>
      [
        { ...entry, name: 'shop', version, config, lifecycle: { migrate: { run: ['{node}', 'migrate.js'] } } },
        { ...says(version), 'migrate.js': script(run) },
      ] as const
    const note = (version: string) => `console.log('migrating'); fs.appendFileSync(out + '/log', '${version} ')`
    const dir = await folderOf({ 'shop.zapp': app('1.0.0', note('1')) })
    const served = await start(dir, { watch: true })
    expect(await textOf(join(out, 'log'))).toBe('1 ')
    await served.host.restart('shop')

    await putArchive(join(dir, 'shop.zapp'), ...app('2.0.0', 'console.error("no table"); process.exit(3)'))
    await expect
      .poll(() => served.host.app('shop').error, { timeout: 10_000 })
      .toMatchObject({ code: 'MIGRATE_FAILED', args: { reason: expect.stringMatching(/exit code 3.*no table/) } })
    expect(await served.text('/shop')).toBe('1.0.0 /shop|/')

    await putArchive(join(dir, 'shop.zapp'), ...app('3.0.0', note('3')))
    await expect.poll(() => served.text('/shop'), { timeout: 10_000 }).toBe('3.0.0 /shop|/')
    await served.host.rollback('shop')
    expect([await textOf(join(out, 'log')), await served.text('/shop')]).toEqual(['1 3 ', '1.0.0 /shop|/'])
    const states = served.events.flatMap((event) => (event.type === 'state' ? [event.change.to] : []))
    expect(states.slice(0, 4)).toEqual(['checked', 'migrating', 'starting', 'live'])
    const printed = served.events.flatMap((event) => (event.type === 'log' ? [event.line] : []))
    expect(printed).toContainEqual({ entry: 'migrate', stream: 'stdout', text: 'migrating' })
  })

  it('has a time limit', async () => {
    const migrate = { run: ['{node}', 'migrate.js'], timeout: '500ms' }
    const dir = await folderOf({
      'shop.zapp': [
        { ...entry, lifecycle: { migrate } },
        { ...says('x'), 'migrate.js': 'setInterval(() => {}, 1000)' },
      ],
    })
    const { host } = await start(dir)
    expect(host.apps).toMatchObject([{ state: 'failed', error: { code: 'MIGRATE_FAILED' } }])
  })
})

describe('processes', () => {
  it('run while their version serves, as many as asked, again when they end; timers run from time to time', async () => {
    const { out, config, script } = await place()
    const processes = {
      mail: { run: ['{node}', 'mail.js'], count: 2 },
      tick: { run: ['{node}', 'tick.js'], every: '100ms' },
    }
    const app = (version: string) =>
      [
        { ...entry, name: 'shop', version, config, processes },
        {
          ...says(version),
          'mail.js': script(
            `fs.appendFileSync(out + '/mail', '${version}:' + process.pid + '\\n'); setInterval(() => {}, 1000)`,
          ),
          'tick.js': script(`fs.appendFileSync(out + '/tick', '${version}\\n')`),
        },
      ] as const
    const dir = await folderOf({ 'shop.zapp': app('1.0.0') })
    const served = await start(dir, { watch: true })
    const started = async (version: string) =>
      (await textOf(join(out, 'mail'))).split('\n').flatMap((line) => {
        const [of, pid] = line.split(':')
        return of === version ? [Number(pid)] : []
      })
    await expect.poll(() => started('1.0.0'), { timeout: 10_000 }).toHaveLength(2)
    await expect.poll(() => textOf(join(out, 'tick')), { timeout: 10_000 }).toMatch(/^(1\.0\.0\n){2}/)
    const [first = 0] = await started('1.0.0')
    expect(served.host.app('shop').pids).toEqual(expect.arrayContaining(await started('1.0.0')))
    process.kill(first, 'SIGKILL')
    await expect.poll(() => started('1.0.0'), { timeout: 10_000 }).toHaveLength(3)

    await putArchive(join(dir, 'shop.zapp'), ...app('2.0.0'))
    await expect.poll(() => started('2.0.0'), { timeout: 10_000 }).toHaveLength(2)
    // The old ones had ended before the new ones were started.
    expect((await started('1.0.0')).filter(isAlive)).toEqual([])
    await served.host.close({ drainMs: 0 })
    expect((await started('2.0.0')).filter(isAlive)).toEqual([])
  })
})
