import { closeSync, openSync } from 'node:fs'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type Launcher, OwnLauncher } from '../../src/runtimes/launcher.ts'
import { signalYoungGroup } from '../../src/runtimes/process-groups.ts'
import { SmallLauncher } from '../../src/runtimes/small-launcher.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { until } from './helpers/cgi.ts'

const open: Launcher[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((launcher) => launcher.close()))
})

/** Runs a script with nothing to read, and resolves with how it went. */
async function run(launcher: Launcher, text: string, onStart: (pid: number) => void = () => {}) {
  const cwd = await tmpDir()
  const file = join(cwd, 'script')
  await writeFile(file, text)
  await chmod(file, 0o755)
  const env = { PATH: process.env.PATH ?? '', EMPTY: '', ODD: `a=b'"$(exit 9)\n\\` }
  const paths = ['/dev/null', join(cwd, 'out'), '/dev/null'] as const
  await writeFile(paths[1], '')
  const [output, errors] = [openSync(paths[1], 'w'), openSync('/dev/null', 'w')]
  const how = await new Promise<unknown>((resolve) => {
    launcher.start(
      { file, cwd, env, stdio: ['ignore', output, errors], paths },
      {
        started: onStart,
        exited: (code, signal) => resolve({ code, signal }),
        failed: ({ message, ...error }) => resolve(error),
      },
    )
  })
  for (const fd of [output, errors]) closeSync(fd)
  return { how, cwd, output: await readFile(paths[1], 'utf8') }
}

describe.each([
  ['from this process', () => new OwnLauncher()],
  ['from a small one', () => new SmallLauncher()],
])('scripts that are started %s', (_, make) => {
  const launcher = () => {
    const made = make()
    open.push(made)
    return made
  }

  it('have their folder, their variables and a group of their own, and tell how they end', async () => {
    const starter = launcher()
    let leader = 0
    const { how, cwd, output } = await run(
      starter,
      '#!/bin/sh\npwd; printf "%s|" "$(env | grep -c ^EMPTY=$)" "$ODD" $(ps -o pgid= $$); exit 3\n',
      (pid) => {
        leader = pid
      },
    )
    expect(how).toEqual({ code: 3, signal: null })
    expect(output).toBe(`${cwd}\n1|a=b'"$(exit 9)\n\\|${leader}|`)
    expect((await run(starter, '#!/bin/sh\nexit 143\n')).how).toEqual({ code: 143, signal: null })
    expect((await run(starter, '#!/bin/sh\nkill -9 $$\n')).how).toEqual({ code: null, signal: 'SIGKILL' })
    expect((await run(starter, '#!/bin/sh\ntrap\nkill -PIPE $$\n')).how).toEqual({ code: null, signal: 'SIGPIPE' })
  })

  it('that cannot be, are told with the system’s reason', async () => {
    expect((await run(launcher(), '#!/no/such/program\n')).how).toMatchObject({ code: 'ENOENT' })
  })

  it('run side by side', async () => {
    const starter = launcher()
    let running = 0
    const pids: number[] = []
    const all = Array.from({ length: 5 }, () =>
      run(starter, '#!/bin/sh\nexec sleep 1000\n', (pid) => {
        running++
        pids.push(pid)
      }),
    )
    await until(() => running === 5)
    for (const pid of pids) signalYoungGroup(pid, 'SIGTERM')
    for (const { how } of await Promise.all(all)) expect(how).toEqual({ code: null, signal: 'SIGTERM' })
  })
})
