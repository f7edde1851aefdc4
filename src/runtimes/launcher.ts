import { execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'
import { SmallLauncher } from './small-launcher.ts'
import { Watchdog } from './watchdog.ts'

/** A script to be started, in a session of its own: it and what it starts can be ended together. */
export interface Launch {
  readonly file: string
  readonly cwd: string
  /** All that it gets. */
  readonly env: Readonly<Record<string, string>>
  readonly stdio: readonly [input: number | 'ignore', output: number, errors: number]
  /** The same three as paths that can be opened. */
  readonly paths: readonly [input: string, output: string, errors: string]
}

export interface LaunchEvents {
  /** It has its descriptors; ours are not needed any more. */
  started(pid: number): void
  exited(code: number | null, signal: NodeJS.Signals | null): void
  /** In place of `exited`. */
  failed(error: Error): void
}

/** Starts scripts. What they are, and leave in their groups, is ended when this process is killed. */
export interface Launcher {
  start(launch: Launch, events: LaunchEvents): void
  /** Nothing is left of that group. */
  forget(leader: number): void
  close(): Promise<void>
}

/**
 * Starts scripts from a small process where the system has Perl, else from this one. A fork costs by the memory of who
 * forks, and Node stands still meanwhile: with 200 MB of heap ten times as long as a script takes.
 */
export async function createLauncher(): Promise<Launcher> {
  if (process.platform !== 'linux') return new OwnLauncher()
  const hasPerl = promisify(execFile)('perl', ['-MFcntl', '-MPOSIX', '-e', 'exit 0'])
  return hasPerl.then(
    () => new SmallLauncher(),
    () => new OwnLauncher(),
  )
}

/** From this process. */
export class OwnLauncher implements Launcher {
  readonly #watchdog = new Watchdog()

  start({ file, cwd, env, stdio }: Launch, events: LaunchEvents): void {
    const child = spawn(file, [], { cwd, env, detached: true, stdio: [...stdio] })
    child.once('error', (error) => events.failed(error)).once('exit', (code, signal) => events.exited(code, signal))
    if (child.pid === undefined) return
    this.#watchdog.add(child.pid)
    events.started(child.pid)
  }

  forget(leader: number): void {
    this.#watchdog.remove(leader)
  }

  close(): Promise<void> {
    return this.#watchdog.close()
  }
}
