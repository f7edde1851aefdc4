import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fail, type ZappError } from '../../errors.ts'
import type { Dependencies } from './dependencies.ts'
import { type Interpreter, run } from './interpreter.ts'
import type { PythonTarget } from './target.ts'

export interface FetchedWheel {
  /** `flask-3.1.0-py3-none-any.whl` */
  readonly file: string
  readonly bytes: Uint8Array
}

export interface FetchOptions {
  readonly interpreter: Interpreter
  readonly target: PythonTarget
  /** The target in words. */
  readonly targetName: string
  readonly signal?: AbortSignal
}

/**
 * Lets pip find and fetch the wheels of all dependencies. Only wheels: to build one would run a stranger's code, and give
 * other bytes on the next machine. Where they come from is pip's own settings (pip.conf, PIP_INDEX_URL, …) and options in
 * requirements.txt.
 *
 * @throws ZappError WHEEL_MISSING, DEP_FETCH
 */
export async function fetchWheels(dependencies: Dependencies, options: FetchOptions): Promise<readonly FetchedWheel[]> {
  const folder = await mkdtemp(join(tmpdir(), 'zapp-wheels-'))
  try {
    const list = join(folder, 'requirements.txt')
    await writeFile(join(folder, 'constraints.txt'), `${(dependencies.constraints ?? []).join('\n')}\n`)
    await writeFile(list, `-c constraints.txt\n${dependencies.lines.join('\n')}\n`)
    await run(options.interpreter.command, pipArguments(folder, list, dependencies, options), options.signal).catch(
      (error) => {
        options.signal?.throwIfAborted()
        throw pipError(error, dependencies, options)
      },
    )
    const files = (await readdir(folder)).filter((file) => file.endsWith('.whl')).sort()
    return await Promise.all(files.map(async (file) => ({ file, bytes: await readFile(join(folder, file)) })))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function pipArguments(folder: string, list: string, { locked }: Dependencies, options: FetchOptions): string[] {
  const { python, platforms } = options.target
  const isOther = python !== undefined && python !== options.interpreter.markers.python_version
  return [
    ...['-m', 'pip', 'download', '--dest', folder, '--requirement', list, '--only-binary=:all:'],
    ...['--quiet', '--no-input', '--progress-bar=off', '--disable-pip-version-check'],
    ...(locked ? ['--no-deps', '--require-hashes'] : []),
    ...(isOther ? ['--python-version', python, '--implementation', 'cp'] : []),
    ...platforms.flatMap((platform) => ['--platform', platform]),
  ]
}

const NO_WHEEL = /No matching distribution found for (?<what>[^\n(]+)/
const NO_FILE = /(?:Could not find|No) .*?\bthat satisf\w+ .*?requirement (?<what>[^\s(]+)/

const OFFLINE = /NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|Temporary failure in name resolution/

function pipError(
  error: { stderr?: string; message: string },
  dependencies: Dependencies,
  options: FetchOptions,
): ZappError {
  const { from } = dependencies
  const lines = (error.stderr ?? '').split('\n').map((line) => line.trim())
  // Where no index could be asked, pip says as well that it found nothing.
  const offline = lines.find((line) => OFFLINE.test(line))
  const what = lines.map((line) => (NO_WHEEL.exec(line) ?? NO_FILE.exec(line))?.groups?.what).find(Boolean)
  if (what !== undefined && offline === undefined) {
    return fail('WHEEL_MISSING', from, { package: what.trim(), target: options.targetName }, error)
  }
  const said = offline ?? lines.find((line) => /^ERROR|error:/i.test(line)) ?? lines.findLast((line) => line !== '')
  // pip names lines of our own list, whose first one stands for the constraints.
  const reason = (said ?? error.message)
    .replace(/^(?:ERROR|WARNING):\s*/, '')
    .replace(/-r \S+requirements\.txt \(line (\d+)\)/g, (_, line) => dependencies.lines[Number(line) - 2] ?? '')
  return fail('DEP_FETCH', from, { reason: reason.slice(0, 300) }, error)
}
