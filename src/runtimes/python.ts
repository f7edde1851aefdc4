import { execFile } from 'node:child_process'
import { access, constants, readdir, realpath, stat } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { compareVersions, parseRange, satisfies } from '../format/version-range.ts'

/** A Python that can be started. */
export interface Interpreter {
  /** Its own path: what is on PATH may be a script that looks for it in the user's home. */
  readonly file: string
  /** As it prints it: "3.11.7", "3.14.0rc1". */
  readonly version: string
  /** Which extension modules it loads, as the names of wheels say it: "cp311", "cp313t". */
  readonly abi: string
}

export interface PythonChoice {
  readonly chosen: Interpreter | undefined
  /** All that were looked at: every one there is, where none was chosen. */
  readonly found: readonly Interpreter[]
}

/** What the worker and the loader that it runs are written for. */
export const OLDEST = '3.9'

/**
 * Finds the interpreter that an app is to run with: the one that is named, and no other; else `python3`
 * of PATH if it fits; else the newest that does of all that PATH has. Each is started once in the life of this process,
 * and only if those before it do not fit.
 *
 * @param own the one that is named. Default: that of ZAPP_PYTHON
 */
export async function findPython(
  fits: (one: Interpreter) => boolean,
  own = process.env.ZAPP_PYTHON,
): Promise<PythonChoice> {
  const usable = (one: Interpreter) => isUsable(one) && fits(one)
  const [usual, ...others] = own ? [own] : await candidates()
  const first = usual === undefined ? undefined : await ask(usual)
  if (first && usable(first)) return { chosen: first, found: [first] }
  const rest = await Promise.all(others.map(ask))
  // One interpreter often has several names in one folder.
  const place = (one: Interpreter) => `${one.version} ${dirname(one.file)}`
  const named = new Map<string, Interpreter>()
  for (const one of [first, ...rest]) if (one && !named.has(place(one))) named.set(place(one), one)
  const found = [...named.values()].sort((a, b) => compareVersions(b.version, a.version))
  return { chosen: found.find(usable), found }
}

/** What a person can make use of who has none that fits. */
export function describeInterpreter(one: Interpreter): string {
  return `${one.version} at ${one.file}${isUsable(one) ? '' : ` (Zapp needs ${OLDEST} or newer)`}`
}

/**
 * Whether an interpreter loads an extension module that was built for `tag`: "cp311", its own ABI, or "cp39-abi3", the
 * stable one from that version on, which builds without the GIL do not have.
 */
export function loadsExtension({ abi }: Interpreter, tag: string): boolean {
  const stable = /^(?:cp3([0-9]{1,3})-)?abi3$/.exec(tag)
  if (!stable) return abi === tag
  const [, own] = /^cp3([0-9]{1,3})$/.exec(abi) ?? []
  return own !== undefined && Number(own) >= Number(stable[1] ?? 0)
}

const USABLE = parseRange(`>=${OLDEST}`)!

function isUsable({ version }: Interpreter): boolean {
  return satisfies(version, USABLE)
}

const NAME = /^python(?:3(?:\.[0-9]{1,2})?)?(?:\.exe)?$/i

const PLAIN = ['python3', 'python']

/** Paths of what PATH has, {@link PLAIN} names first. Of one name the first on PATH counts. */
async function candidates(): Promise<string[]> {
  const files = new Map<string, string>()
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter((path) => path !== '')) {
    for (const name of await readdir(folder).catch(() => [])) {
      if (NAME.test(name) && !files.has(name) && (await isProgram(join(folder, name)))) {
        files.set(name, join(folder, name))
      }
    }
  }
  const rank = (name: string) => PLAIN.indexOf(name.replace(/\.exe$/i, '').toLowerCase()) >>> 0
  const ordered = [...files.keys()].sort((a, b) => rank(a) - rank(b)).map((name) => files.get(name)!)
  // Two names of one program in one folder: asking one of them is enough. Of a virtual environment the folder counts.
  const seen = new Map<string, string>()
  for (const file of ordered) {
    const key = `${await realpath(dirname(file))}\0${await realpath(file)}`
    if (!seen.has(key)) seen.set(key, file)
  }
  return [...seen.values()]
}

async function isProgram(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined)
  if (!found?.isFile()) return false
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** Three lines; also of a Python 2, so that it can be told apart from none. */
const PRINT = `import sys
v = sys.version_info
n = getattr(getattr(sys, 'implementation', None), 'name', 'cpython')
t = 't' if 't' in getattr(sys, 'abiflags', '') else ''
print('%s\\n%s\\n%s%d%d%s' % (sys.version.split()[0], sys.executable, {'cpython': 'cp', 'pypy': 'pp'}.get(n, n), v[0], v[1], t))`

/** A version manager's script may be slow; one that waits for ever must not keep everything waiting. */
const ASK_MS = 10_000

const answers = new Map<string, Promise<Interpreter | undefined>>()

/** undefined: it is none, or has no version to start. */
function ask(file: string): Promise<Interpreter | undefined> {
  let answer = answers.get(file)
  if (answer === undefined) {
    // -E: variables that change what Python is do not reach apps either.
    answer = promisify(execFile)(file, ['-E', '-c', PRINT], { timeout: ASK_MS }).then(
      ({ stdout }) => {
        const [version, own, abi] = stdout.split(/\r?\n/)
        return version && own && abi && /^[0-9]/.test(version) ? { file: own, version, abi } : undefined
      },
      () => undefined,
    )
    answers.set(file, answer)
  }
  return answer
}

/**
 * The names that an interpreter does not find, without importing any.
 * @param kind `modules` by the name that is imported, `distributions` by the one that is installed, or else the same
 */
export async function missingFrom(
  { file }: Interpreter,
  kind: 'modules' | 'distributions',
  names: readonly string[],
): Promise<string[]> {
  if (names.length === 0) return []
  const { stdout } = await promisify(execFile)(file, ['-E', '-c', MISSING[kind], ...names], { timeout: ASK_MS })
  return stdout.split(/\r?\n/).filter((name) => name !== '')
}

/** Without the working folder, whose modules are nobody's. */
const MISSING = {
  modules: `import sys; del sys.path[0]
from importlib.util import find_spec
for name in sys.argv[1:]:
    if find_spec(name) is None: print(name)`,
  distributions: `import sys; del sys.path[0]
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
for name in sys.argv[1:]:
    try: version(name)
    except PackageNotFoundError:
        if not name.isidentifier() or find_spec(name) is None: print(name)`,
} as const
