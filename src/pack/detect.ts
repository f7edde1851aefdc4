import { basename, resolve } from 'node:path'
import { minVersion, valid } from 'semver'
import { detectCgi } from './detect-cgi.ts'
import { detectPublished } from './detect-command.ts'
import { detectAstro, detectNest, detectNitro, detectSvelteKit } from './detect-frameworks.ts'
import { detectModules, doubtModules } from './detect-modules.ts'
import { detectNext } from './detect-next.ts'
import { type Detector, type Guess, Project } from './detect-project.ts'
import { detectNothing, detectStatic } from './detect-static.ts'
import { manifestText } from './manifest-text.ts'
import type { PackageJson } from './package-json.ts'
import { detectDjango } from './python/detect-django.ts'
import { detectPython } from './python/detect-python.ts'
import { pythonRange } from './python/python-range.ts'

/** What a project without zapp.json looks like. */
export interface Detection {
  /** The suggested zapp.json: JSON text ending in a newline. */
  readonly suggestion: string
  /** What was found and in which file, one sentence each. */
  readonly because: readonly string[]
  /** Set where Zapp would have to guess: why, as the end of "the project must have a zapp.json, …". */
  readonly doubt?: string
  /** The option of pack that takes the doubt away. */
  readonly settledBy?: 'collectStatic'
  /** Lines of a .zappignore that go with it: what the build made needless. */
  readonly ignore: readonly string[]
}

/** The first that knows the project decides: what a framework has built before what is only a module. */
const DETECTORS: readonly Detector[] = [
  either(detectDjango),
  either(detectPython),
  detectNext,
  detectNitro,
  detectAstro,
  detectSvelteKit,
  detectNest,
  detectModules,
  detectPublished,
  detectCgi,
  detectStatic,
  doubtModules,
]

/** Looks at a project folder, runs none of its code, and suggests a manifest. */
export async function detectProject(dir: string): Promise<Detection> {
  const project = new Project(dir)
  const { json, pyproject } = project
  const guess = guessOf(project)
  const isPython = guess.language === 'python'
  const own = isPython ? pyproject : json
  const name = appName(own?.name ?? json?.name ?? pyproject?.name ?? basename(resolve(dir)))
  const needs = isPython ? pythonNeeds(project) : 'entry' in guess.manifest ? nodeNeeds(json) : undefined
  const version = isPython ? semver(pyproject?.version) : valid(json?.version)
  const runtime = needs
    ? { dependencies: { ...(guess.manifest.dependencies as object | undefined), runtime: needs.runtime } }
    : {}
  const manifest = { zapp: 1, name, version: version ?? '0.0.0', ...guess.manifest, ...runtime }
  return {
    suggestion: manifestText(manifest),
    because: [...guess.because, ...(needs ? [needs.because] : [])],
    ...(guess.doubt === undefined ? {} : { doubt: guess.doubt }),
    ...(guess.settledBy === undefined ? {} : { settledBy: guess.settledBy }),
    ignore: guess.ignore ?? [],
  }
}

function guessOf(project: Project): Guess {
  for (const detect of DETECTORS) {
    const guess = detect(project)
    if (guess) return guess
  }
  return detectNothing(project)
}

/** An app of Python, unless there is one of Node as well: then it takes a person to say which it is. */
function either(detect: Detector): Detector {
  return (project) => {
    const guess = detect(project)
    const other = guess && project.json ? detectModules(project) : undefined
    if (!guess || !other || other.doubt !== undefined) return guess
    return { ...guess, doubt: `it looks like two apps: ${guess.because[0]}; ${other.because.at(-1)}` }
  }
}

function pythonNeeds(project: Project) {
  const asked = project.pyproject?.requiresPython
  const range = asked === undefined ? undefined : pythonRange(asked)
  if (range !== undefined) return { runtime: { python: range }, because: `pyproject.toml asks for Python ${asked}` }
  const pinned = /^\s*(?:cpython-?)?(?<version>3\.\d+)/.exec(project.read('.python-version'))?.groups?.version
  if (pinned === undefined) return undefined
  return { runtime: { python: `>=${pinned}` }, because: `.python-version names Python ${pinned}` }
}

/** Python's versions may have two numbers, or four; a manifest's have three. */
function semver(version: string | undefined): string | undefined {
  const plain = /^v?(?<numbers>\d+(?:\.\d+){0,2})$/.exec(version ?? '')?.groups?.numbers
  return plain === undefined ? undefined : (valid([...plain.split('.'), '0', '0'].slice(0, 3).join('.')) ?? undefined)
}

function nodeNeeds(json: PackageJson | undefined) {
  const range = nodeRange(json)
  return range ? { runtime: { node: range }, because: `package.json asks for Node ${json?.engines?.node}` } : undefined
}

/** The lowest Node version of `engines`: a manifest's range cannot say "^20 || ^22". */
function nodeRange(json: PackageJson | undefined): string | undefined {
  const { node } = json?.engines ?? {}
  let lowest: ReturnType<typeof minVersion>
  try {
    lowest = node === undefined ? null : minVersion(node)
  } catch {
    return undefined
  }
  if (!lowest || lowest.major === 0) return undefined
  const { major, minor, patch } = lowest
  return `>=${major}${patch > 0 ? `.${minor}.${patch}` : minor > 0 ? `.${minor}` : ''}`
}

/** A name that a manifest may have: without the scope, in lower case. */
function appName(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/^@[^/]*\//, '')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
    .slice(0, 64)
  return plain || 'app'
}
