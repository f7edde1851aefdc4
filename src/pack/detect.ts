import { basename, resolve } from 'node:path'
import { minVersion, valid } from 'semver'
import { detectPublished } from './detect-command.ts'
import { detectAstro, detectNest, detectNitro, detectSvelteKit } from './detect-frameworks.ts'
import { detectModules, doubtModules } from './detect-modules.ts'
import { detectNext } from './detect-next.ts'
import { type Detector, type Guess, Project } from './detect-project.ts'
import { detectNothing, detectStatic } from './detect-static.ts'
import { manifestText } from './manifest-text.ts'
import type { PackageJson } from './package-json.ts'

/** What a project without zapp.json looks like. */
export interface Detection {
  /** The suggested zapp.json: JSON text ending in a newline. */
  readonly suggestion: string
  /** What was found and in which file, one sentence each. */
  readonly because: readonly string[]
  /** Set where Zapp would have to guess: why, as the end of "the project must have a zapp.json, …". */
  readonly doubt?: string
  /** Lines of a .zappignore that go with it: what the build made needless. */
  readonly ignore: readonly string[]
}

/** The first that knows the project decides: what a framework has built before what is only a module. */
const DETECTORS: readonly Detector[] = [
  detectNext,
  detectNitro,
  detectAstro,
  detectSvelteKit,
  detectNest,
  detectModules,
  detectPublished,
  detectStatic,
  doubtModules,
]

/** Looks at a project folder, runs none of its code, and suggests a manifest. */
export async function detectProject(dir: string): Promise<Detection> {
  const project = new Project(dir)
  const { json } = project
  const guess = guessOf(project)
  const name = appName(json?.name ?? basename(resolve(dir)))
  const engine = 'entry' in guess.manifest ? nodeRange(json) : undefined
  const needs = engine ? { dependencies: { runtime: { node: engine } } } : {}
  const manifest = { zapp: 1, name, version: valid(json?.version) ?? '0.0.0', ...guess.manifest, ...needs }
  return {
    suggestion: manifestText(manifest),
    because: [...guess.because, ...(engine ? [`package.json asks for Node ${json?.engines?.node}`] : [])],
    ...(guess.doubt === undefined ? {} : { doubt: guess.doubt }),
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
