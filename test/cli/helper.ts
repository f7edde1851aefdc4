import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Sink } from '../../src/cli/io.ts'
import { run } from '../../src/cli/main.ts'

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..')
export const BIN = join(ROOT, 'bin/zapp.js')

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Setting {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Both streams are terminals. */
  readonly tty?: boolean
  readonly columns?: number
  readonly signal?: AbortSignal
}

/** The command line in this process, its output in memory. */
export async function cli(argv: readonly string[], setting: Setting = {}): Promise<Outcome> {
  const { written, ended } = startCli(argv, setting)
  return { code: await ended, ...written }
}

/** As {@link cli}, for commands that go on until they are told to stop. */
export function startCli(argv: readonly string[], setting: Setting = {}) {
  const { cwd = ROOT, env = {}, tty = false, columns = tty ? 80 : undefined } = setting
  const written = { stdout: '', stderr: '' }
  const sink = (name: 'stdout' | 'stderr'): Sink => ({
    write: (text) => {
      written[name] += text
    },
    isTTY: tty,
    ...(columns === undefined ? {} : { columns }),
  })
  const ended = run(argv, {
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    cwd,
    env,
    signal: setting.signal ?? new AbortController().signal,
    passSignals: () => {},
    onSignal: () => {},
    version: '9.9.9',
  })
  return { written, ended }
}

/** As {@link cli} with `--json`: stdout must be one JSON document and stderr empty. */
export async function cliJson<T = Record<string, unknown>>(
  argv: readonly string[],
  setting: Setting = {},
): Promise<{ code: number; answer: T }> {
  const { code, stdout, stderr } = await cli([...argv, '--json'], setting)
  if (stderr !== '') throw new Error(`--json must leave stderr empty, got ${stderr}`)
  return { code, answer: JSON.parse(stdout) as T }
}

/** `npm test` compiles before it tests; a single file may be run without. */
export function ensureBuilt(): void {
  if (!existsSync(join(ROOT, 'dist/cli/main.js'))) execFileSync('npm', ['run', 'build', '--silent'], { cwd: ROOT })
}

/** The compiled command line in a process of its own. */
export function spawnCli(
  argv: readonly string[],
  setting: { cwd?: string; env?: NodeJS.ProcessEnv; stdin?: boolean } = {},
) {
  const child = spawn(process.execPath, [BIN, ...argv], {
    cwd: setting.cwd ?? ROOT,
    env: { ...process.env, ...setting.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  if (!setting.stdin) child.stdin.end()
  const written = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    written.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    written.stderr += text
  })
  const ended = new Promise<Outcome & { signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code: code ?? -1, signal, ...written }))
  })
  return { child, written, ended }
}
