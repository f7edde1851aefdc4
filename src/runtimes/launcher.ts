import { type ChildProcess, execFile, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { constants } from 'node:os'
import { promisify } from 'node:util'
import { readLines } from './log-lines.ts'

/** A script to be started, in a session of its own. */
export interface Launch {
  readonly file: string
  readonly cwd: string
  /** Besides those that every script of the launcher gets. */
  readonly variables: Readonly<Record<string, string>>
  readonly stdio: readonly [input: number | 'ignore', output: number, errors: number]
  /** The same three as paths that can be opened. */
  readonly paths: readonly [input: string, output: string, errors: string]
}

export interface LaunchEvents {
  /** It has its descriptors; ours are not needed any more. */
  started(pid: number): void
  exited(code: number | null, signal: NodeJS.Signals | null): void
  /** In place of both others. */
  failed(error: Error): void
}

export interface Launcher {
  start(launch: Launch, events: LaunchEvents): void
  close(): Promise<void>
}

/**
 * Starts scripts from a small process where the system has what that takes (`setsid` of util-linux or busybox), else from
 * this one. A fork costs by the memory of who forks, and Node stands still meanwhile: with 200 MB of heap ten times as long
 * as a script takes.
 *
 * @param env what every script gets
 */
export async function createLauncher(env: Readonly<Record<string, string>>): Promise<Launcher> {
  const hasSetsid = await promisify(execFile)('setsid', ['true']).then(
    () => process.platform === 'linux',
    () => false,
  )
  return hasSetsid
    ? new ShellLauncher(env)
    : { start: (launch, events) => startHere(env, launch, events), close: async () => {} }
}

function startHere(env: Readonly<Record<string, string>>, launch: Launch, events: LaunchEvents): void {
  const { file, cwd, variables, stdio } = launch
  const child = spawn(file, [], { cwd, env: { ...env, ...variables }, detached: true, stdio: [...stdio] })
  child.once('error', (error) => events.failed(error)).once('exit', (code, signal) => events.exited(code, signal))
  if (child.pid !== undefined) events.started(child.pid)
}

/**
 * A shell that reads from a pipe what to start. All that comes from a request stands in single quotes, where a shell sees
 * nothing but the next one; no name of a variable does: those are ours, or letters, digits and `_`.
 *
 * For each script there is one more small process, which waits for it. They tell, a line each:
 *
 *     + id pid       it has its descriptors
 *     - id status    it has ended; above 128 by a signal
 */
class ShellLauncher implements Launcher {
  readonly #env: Readonly<Record<string, string>>
  readonly #running = new Map<string, LaunchEvents>()
  #shell: ChildProcess | undefined
  #next = 0

  constructor(env: Readonly<Record<string, string>>) {
    this.#env = env
  }

  start({ file, cwd, variables, paths }: Launch, events: LaunchEvents): void {
    const id = String(this.#next++)
    this.#running.set(id, events)
    const [input, output, errors] = paths.map(quote)
    const assignments = Object.entries(variables).map(([name, value]) => `${name}=${quote(value)}`)
    this.#write(
      `{ trap 'echo "- ${id} \${s-126}" >&3' 0; export ${assignments.join(' ')}; cd ${quote(cwd)}; ` +
        `unset PWD OLDPWD SHLVL; exec 4<${input} >${output} 2>${errors}; setsid ${quote(file)} <&4 3>&- 4<&- & p=$!; ` +
        `exec 4<&- >/dev/null 2>&1; echo "+ ${id} $p" >&3; wait "$p"; s=$?; } & w${id}=$!\n`,
    )
  }

  async close(): Promise<void> {
    const shell = this.#shell
    if (shell === undefined) return
    const ended = new Promise((resolve) => shell.once('exit', resolve))
    shell.stdin?.end()
    await ended
  }

  #write(text: string): void {
    this.#shell ??= this.#open()
    this.#shell.stdin?.write(text)
  }

  #open(): ChildProcess {
    const shell = spawn('sh', { cwd: '/', env: this.#env, detached: true, stdio: ['pipe', 'pipe', 'ignore'] })
    shell.stdin.on('error', () => {})
    shell.stdin.write('exec 3>&1 >/dev/null\n')
    readLines(shell.stdout, (line) => this.#told(line))
    // It goes when it is told to, or by itself; what it had started is nobody's then.
    const gone = (error?: Error) => {
      if (this.#shell === shell) this.#shell = undefined
      for (const events of this.#running.values())
        events.failed(error ?? new Error('what starts the scripts was ended'))
      this.#running.clear()
    }
    shell.once('error', gone).once('exit', () => gone())
    for (const stream of [shell.stdin, shell.stdout] as unknown as Socket[]) stream.unref()
    shell.unref()
    return shell
  }

  #told(line: string): void {
    const [what, id = '', value] = line.split(' ')
    const events = this.#running.get(id)
    if (what === '+') {
      events?.started(Number(value))
      return
    }
    this.#running.delete(id)
    // Takes leave of the process that waited; else it would stay, as a zombie.
    this.#shell?.stdin?.write(`wait "$w${id}"; unset w${id}\n`)
    const status = Number(value)
    const signal = status > 128 ? SIGNALS.get(status - 128) : undefined
    events?.exited(signal === undefined ? status : null, signal ?? null)
  }
}

const SIGNALS: ReadonlyMap<number, NodeJS.Signals> = new Map(
  Object.entries(constants.signals).map(([name, number]) => [number, name as NodeJS.Signals]),
)

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
