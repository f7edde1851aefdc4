import { fileURLToPath } from 'node:url'

/** What a Python worker is told when it is started. */
export interface PythonCommand {
  /** Path of the interpreter. */
  readonly python: string
  /** Path of the archive, which has to stay there while the worker runs. */
  readonly file: string
  /** The archive's run tree. */
  readonly tree: string
  /** The one entry point that every request is for; without it the worker serves the whole app. */
  readonly entry?: string
  /** Of the whole app. */
  readonly mount?: string
  readonly threads: number
  /** How many requests it answers before it asks to be replaced. Without it: no matter how many. */
  readonly maxRequests?: number
  /** ms until a request must have its answer, on its own server. */
  readonly requestTime?: number
  /** File in which workers that accept from one listener tell each other how many connections they have. */
  readonly balance?: string
  /** The server that it is to run instead of its own. */
  readonly server?: string
}

/** The folder that holds the Python package `zapp`, in the sources and in the package that is published. */
export const PYTHON_LOADER = fileURLToPath(new URL('../../python', import.meta.url))

/**
 * As `python -m zapp` would, but without the working folder on the module path: that is the app's, and a file of its own
 * with the name of a standard module must not be what the worker imports.
 */
const MAIN = 'import sys; del sys.path[0]; from zapp.__main__ import main; sys.exit(main())'

/** How a worker is called that listens on a Unix socket; PYTHONPATH has to be {@link PYTHON_LOADER}. */
export function pythonArgv(command: PythonCommand, socketPath: string): [string, ...string[]] {
  const { python, file, tree, entry, mount, threads, maxRequests, requestTime, balance, server } = command
  return [
    python,
    // What is printed arrives at once, as it would on a terminal.
    ...['-u', '-c', MAIN, 'worker', file, '--tree', tree, '--socket', socketPath, '--threads', String(threads)],
    ...(entry === undefined ? [] : ['--entry', entry]),
    ...(mount ? ['--mount', mount] : []),
    ...(maxRequests === undefined ? [] : ['--max-requests', String(maxRequests)]),
    ...(requestTime === undefined ? [] : ['--request-time', String(requestTime / 1000)]),
    ...(balance === undefined ? [] : ['--balance', balance]),
    ...(server === undefined ? [] : ['--server', server]),
  ]
}
