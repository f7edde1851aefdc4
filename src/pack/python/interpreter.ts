import { execFile } from 'node:child_process'
import { parse } from 'node:path'
import { type Range, satisfies } from '../../format/version-range.ts'
import type { MarkerEnvironment } from './markers.ts'

/** A Python of this machine, which pip runs in. */
export interface Interpreter {
  readonly command: string
  /** "3.11.7" */
  readonly version: string
  /** Version of its pip; undefined where it has none. */
  readonly pip?: string
  /** Of pip, in the environment: PIP_INDEX_URL, … */
  readonly settings: Readonly<Record<string, string>>
  readonly markers: MarkerEnvironment
}

/** PEP 508 says how each value is found. */
const PROBE = `
import json, os, platform, sys
try:
    import pip
    version = pip.__version__
except ImportError:
    version = None
settings = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
print(json.dumps({"version": platform.python_version(), "pip": version, "settings": settings, "markers": {
    "os_name": os.name, "sys_platform": sys.platform, "platform_machine": platform.machine(),
    "platform_release": platform.release(), "platform_system": platform.system(),
    "platform_version": platform.version(), "python_version": "%d.%d" % sys.version_info[:2],
    "python_full_version": platform.python_version(), "implementation_name": sys.implementation.name,
    "implementation_version": platform.python_version(),
    "platform_python_implementation": platform.python_implementation()}}))
`

/** Tried where `python3` does not fit, newest first. */
const MINORS = [14, 13, 12, 11, 10, 9]

/**
 * The Python that fetches: `pythonX.Y` of the version that is wanted, else the first that lies in `range`, else
 * whichever has pip. Undefined: this machine has none.
 */
export async function findInterpreter(wanted: string | undefined, range: Range | undefined) {
  if (wanted !== undefined) {
    const exact = await probe(`python${wanted}`)
    if (exact?.pip !== undefined) return exact
  }
  const usual = (await probe('python3')) ?? (await probe('python'))
  const fits = (found: Interpreter) => !range || satisfies(found.version, range)
  if (wanted !== undefined || (usual?.pip !== undefined && fits(usual))) return usual
  for (const minor of MINORS) {
    const found = await probe(`python3.${minor}`)
    if (found?.pip !== undefined && fits(found)) return found
  }
  return usual
}

async function probe(command: string): Promise<Interpreter | undefined> {
  try {
    const { pip, ...found } = JSON.parse(await run(command, ['-c', PROBE]))
    return { command, ...found, ...(typeof pip === 'string' ? { pip } : {}) }
  } catch {
    return undefined
  }
}

/**
 * Runs Python in the root folder: the folder that it starts in is the first on sys.path, where a project may have a
 * pip.py, and in a temporary folder anyone may.
 */
export function run(command: string, args: readonly string[], signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const cwd = parse(process.cwd()).root
    execFile(
      command,
      args,
      { cwd, maxBuffer: 16 * 2 ** 20, ...(signal ? { signal } : {}) },
      (error, stdout, stderr) => {
        if (error) reject(Object.assign(error, { stderr }))
        else resolve(stdout)
      },
    )
  })
}
