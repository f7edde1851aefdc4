import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type PackageJson, readPackageJson } from './package-json.ts'
import { type Pyproject, readPyproject } from './python/pyproject.ts'

/** What a detector makes of a project. */
export interface Guess {
  /** zapp.json without `zapp`, `name` and `version`. */
  readonly manifest: Record<string, unknown>
  /** What was found and in which file, one sentence each. */
  readonly because: readonly string[]
  /** Set where it would have to guess: why, as the end of "the project must have a zapp.json, …". */
  readonly doubt?: string
  /** The option of pack that takes the doubt away. */
  readonly settledBy?: 'collectStatic'
  /** Whose version the app needs; default: Node's, where it has an entry. */
  readonly language?: 'python'
  /** Lines of a .zappignore: what the build made needless. */
  readonly ignore?: readonly string[]
}

/** Undefined: not a project of this kind. */
export type Detector = (project: Project) => Guess | undefined

/** A project folder, looked at: none of its code is run. Paths are those of the project, "/" between segments. */
export class Project {
  readonly json: PackageJson | undefined
  readonly pyproject: Pyproject | undefined
  readonly #dir: string

  constructor(dir: string) {
    this.#dir = dir
    this.json = readPackageJson(dir)
    this.pyproject = readPyproject(dir)
  }

  isFile(path: string): boolean {
    return this.#stat(path)?.isFile() === true
  }

  isFolder(path: string): boolean {
    return this.#stat(path)?.isDirectory() === true
  }

  #stat(path: string) {
    try {
      return statSync(join(this.#dir, path), { throwIfNoEntry: false })
    } catch (error) {
      // A file where a folder was looked for.
      if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined
      throw error
    }
  }

  /** The content of a file; "" where there is none. */
  read(path: string): string {
    return this.isFile(path) ? readFileSync(join(this.#dir, path), 'utf8') : ''
  }

  /** Names in a folder; none where it is missing. */
  list(path: string): readonly string[] {
    return this.isFolder(path) ? readdirSync(join(this.#dir, path)) : []
  }

  /** Whether package.json names it, for production or for development. */
  uses(name: string): boolean {
    const { dependencies = {}, devDependencies = {} } = this.json ?? {}
    return name in dependencies || name in devDependencies
  }

  /** package.json of an installed dependency, as Node finds it from the project. */
  dependency(name: string): PackageJson | undefined {
    return readPackageJson(join(this.#dir, 'node_modules', name))
  }

  /** The first of some names of a configuration file that is there. */
  config(stem: string): string | undefined {
    return ['js', 'mjs', 'ts', 'mts', 'cjs', 'cts'].map((end) => `${stem}.${end}`).find((file) => this.isFile(file))
  }
}

/** A program that Node starts: `args` is what stands after `node`. */
export function nodeProgram(...args: readonly string[]) {
  return { type: 'server', run: ['{node}', ...args] }
}

/**
 * `/` for files that the build left for browsers and, where there is none, the entry; folders whose names of files hold
 * a hash of their content are cached for good.
 */
export function clientRoutes(project: Project, folder: string, hashed: string): Record<string, unknown> {
  if (!project.isFolder(folder)) return {}
  const assets = project.isFolder(`${folder}/${hashed}`)
    ? { [`/${hashed}/*`]: { static: `${folder}/${hashed}`, cache: 'immutable' } }
    : {}
  return { routes: { '/': { static: folder, else: { entry: 'main' } }, ...assets } }
}

/** The doubt about a server that was built for a path: a program is asked for the paths below its mount. */
export function builtFor(base: string | undefined, setting: string): { doubt?: string } {
  if (base === undefined || base === '' || base === '/') return {}
  return {
    doubt: `${setting} is ${JSON.stringify(base)}, and a program is asked for paths below its mount: build for "/"`,
  }
}
