import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Finding, fail, finding } from '../../errors.ts'
import { readPoetryLock } from './lock-poetry.ts'
import { readPylock } from './lock-pylock.ts'
import { readUvLock } from './lock-uv.ts'
import type { MarkerEnvironment } from './markers.ts'
import { type Pyproject, readPyproject } from './pyproject.ts'
import { isPublished, parseRequirement, type Requirement } from './requirement.ts'
import { readRequirements } from './requirements-file.ts'

/** What a Python project depends on, as it says itself. */
export interface Dependencies {
  /** The file that says it, for people. */
  readonly from: string
  /** A requirements file for pip. */
  readonly lines: readonly string[]
  /** Another, of versions that are allowed. */
  readonly constraints?: readonly string[]
  /** What the project asks for by itself. */
  readonly roots: readonly Requirement[]
  /** Every package with its version and hashes: pip need not, and must not, look for others. */
  readonly locked: boolean
  readonly findings: readonly Finding[]
}

/** Undefined: nothing says that there are any. */
type Source = (root: string, project: Pyproject | undefined, markers: MarkerEnvironment) => Dependencies | undefined

/** The first that is there decides: what is pinned before what is not. */
const SOURCES: readonly Source[] = [
  (root, _, markers) => readUvLock(root, markers),
  (root, project, markers) => readPoetryLock(root, markers, project),
  (root, _, markers) => readPylock(root, markers),
  fromRequirements,
  fromPyproject,
  fromElsewhere,
]

/**
 * Finds out what a project depends on, from its files alone.
 *
 * @throws ZappError DEP_LOCK, IO
 */
export function readDependencies(root: string, markers: MarkerEnvironment): Dependencies | undefined {
  const project = readPyproject(root)
  for (const source of SOURCES) {
    const found = source(root, project, markers)
    if (found) return found
  }
  return undefined
}

function fromRequirements(root: string, project: Pyproject | undefined): Dependencies | undefined {
  const from = [
    'requirements.txt',
    'requirements/production.txt',
    'requirements/prod.txt',
    'requirements/base.txt',
  ].find((file) => existsSync(join(root, file)))
  if (from === undefined) return undefined
  const { lines, constraints, requirements, self, findings } = readRequirements(root, from)
  const own = self ? ownRequirements(project, self) : []
  // pip-tools and others pin everything there is.
  const locked = own.length === 0 && lines.every((line) => /^-|\s--hash[=\s]/.test(line))
  const roots = [...requirements, ...parsed(own)]
  return { from, lines: [...lines, ...own], constraints, roots, locked, findings }
}

function fromPyproject(_root: string, project: Pyproject | undefined): Dependencies | undefined {
  if (!project?.dependencies) return undefined
  const lines = ownRequirements(project, [])
  const foreign = lines.filter((line) => {
    const requirement = parseRequirement(line)
    return !requirement || !isPublished(requirement)
  })
  return {
    from: 'pyproject.toml',
    lines,
    roots: parsed(lines),
    locked: false,
    findings: foreign.map((requirement) => finding('DEP_SOURCE', 'pyproject.toml', { requirement })),
  }
}

/** Files that say it in a way that only the tool they belong to understands. */
function fromElsewhere(root: string, project: Pyproject | undefined): undefined {
  const names = ['Pipfile', 'setup.py', 'setup.cfg', 'environment.yml'].filter((name) => existsSync(join(root, name)))
  const file = project?.poetry ? 'pyproject.toml' : names[0]
  if (file === undefined) return undefined
  const todo = project?.poetry ? 'poetry lock' : 'pip freeze --exclude-editable > requirements.txt'
  throw fail('DEP_LOCK', file, { reason: 'it names dependencies in a form of its own', todo })
}

function ownRequirements(project: Pyproject | undefined, extras: readonly string[]): readonly string[] {
  return [...(project?.dependencies ?? []), ...extras.flatMap((extra) => project?.optional[extra] ?? [])]
}

function parsed(lines: readonly string[]): readonly Requirement[] {
  return lines.map(parseRequirement).filter((requirement) => requirement !== undefined)
}
