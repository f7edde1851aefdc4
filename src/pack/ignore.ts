import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ignore, { type Ignore } from 'ignore'
import { fail } from '../errors.ts'

/** What is left out unless a `.zappignore` takes it back with `!pattern`. */
export const DEFAULT_IGNORES: readonly string[] = [
  // version control and what is about it
  ...['.git', '.hg', '.svn', '.bzr', '.jj', 'CVS', '.gitignore', '.gitattributes', '.gitmodules', '.github', '.gitlab'],
  // editors
  ...['.idea', '.vscode', '.vs', '.zed', '.history', '.editorconfig', '*.swp', '*.swo', '*~', '.#*', '*.sublime-*'],
  // environment files: configuration belongs outside the archive; examples are harmless but no use in it
  ...['.env', '.env.*', '.envrc'],
  // logs, coverage, caches of tests and tools
  ...['*.log', '/coverage', '.nyc_output', '.cache', '.eslintcache', '.stylelintcache', '*.tsbuildinfo', '.turbo'],
  ...['.parcel-cache', '.vitest', '.jest', '__pycache__', '*.py[co]', '.pytest_cache', '.mypy_cache', '.ruff_cache'],
  ...['.tox', '.nox', '.hypothesis', '.coverage', '.coverage.*', 'htmlcov', '.ipynb_checkpoints', '.pytype'],
  // what Python's tools make of a project, and the database of a Django project in development
  ...['.venv', '*.egg-info', '.eggs', '__pypackages__', 'db.sqlite3', 'db.sqlite3-journal'],
  // package managers' own stores
  ...['.yarn', '.pnpm-store', '.npm'],
  // what Zapp reads or writes itself
  ...['*.zapp', '.*.zapp.*.tmp', '.zappignore'],
  // litter of operating systems
  ...['.DS_Store', '._*', 'Thumbs.db', 'desktop.ini', '.directory', '.Trash-*', '.nfs*'],
]

/** Why a path is left out. */
export interface IgnoreRule {
  /** The pattern as it was written. */
  readonly rule: string
  /** `default`, `detected` (the project is of a kind that needs it not), or `<path of the .zappignore>:<line>`. */
  readonly from: string
}

const FILE = '.zappignore'

/**
 * The ignore rules of a project: the defaults, then each `.zappignore` from the root down, with the semantics of
 * `.gitignore` (gitignore(5)): the last match decides, deeper files after higher ones, and nothing below an ignored
 * folder can be taken back. Case counts on every system, so that the same tree packs alike everywhere.
 *
 * Files of dependencies ship as they were published; of the rules only those of the root's file that name a place
 * below `node_modules/` or `ZAPP-INF/lib/` reach them.
 */
export class IgnoreRules {
  readonly #own: Ignore = ignore({ ignorecase: false })
  #dependencies: Ignore | undefined
  readonly #written = new Map<string, string>()

  constructor() {
    for (const pattern of DEFAULT_IGNORES) this.#addRule(this.#own, pattern, pattern, 'default')
  }

  /** Reads the `.zappignore` of `folder` (a real path), if there is one. `base`: its path in the project, "" or "a/b". */
  read(folder: string, base: string): void {
    const file = join(folder, FILE)
    let text: string
    try {
      text = readFileSync(file, 'utf8')
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'EISDIR') return
      throw fail('IO', base === '' ? FILE : `${base}/${FILE}`, { operation: 'read', reason: message }, error)
    }
    this.add(text.replace(/^\ufeff/, ''), base)
  }

  /** Adds the lines of the `.zappignore` in `base`, or those that Zapp itself would write there. */
  add(text: string, base: string, origin?: 'detected'): void {
    for (const [i, line] of text.split(/\r?\n/).entries()) {
      const mark = origin ?? `${base === '' ? '' : `${base}/`}${FILE}:${i + 1}`
      const pattern = line.replace(/(?<!\\)\s+$/, '')
      if (pattern === '' || pattern.startsWith('#')) continue
      this.#addRule(this.#own, rebase(pattern, base), pattern, mark)
      if (base === '' && /^!?\/?(?:node_modules|ZAPP-INF\/lib)\/./.test(pattern)) {
        this.#dependencies ??= ignore({ ignorecase: false })
        this.#addRule(this.#dependencies, pattern, pattern, mark)
      }
    }
  }

  /** The rule that leaves `path` of the project out. Folders end in "/". */
  own(path: string): IgnoreRule | undefined {
    return this.#test(this.#own, path)
  }

  /** The same for a file of a dependency, by its path in the archive. */
  dependency(path: string): IgnoreRule | undefined {
    return this.#dependencies && this.#test(this.#dependencies, path)
  }

  #addRule(to: Ignore, pattern: string, written: string, mark: string): void {
    this.#written.set(`${mark}\n${pattern}`, written)
    to.add({ pattern, mark })
  }

  #test(rules: Ignore, path: string): IgnoreRule | undefined {
    const { rule } = rules.test(path)
    if (!rule) return undefined
    const from = rule.mark ?? 'default'
    return { rule: this.#written.get(`${from}\n${rule.pattern}`) ?? rule.pattern, from }
  }
}

/** The pattern of a file in `base`, as the root's file would have to write it. */
function rebase(pattern: string, base: string): string {
  if (base === '') return pattern
  const negative = pattern.startsWith('!')
  const body = negative ? pattern.slice(1) : pattern
  const folder = base.replace(/[\\*?[\]]/g, '\\$&')
  // A slash at the start or in the middle ties a pattern to its folder; any other matches at every depth below it.
  const tied = body.slice(0, -1).includes('/')
  const rest = tied ? body.replace(/^\//, '') : `**/${body}`
  return `${negative ? '!' : ''}/${folder}/${rest}`
}

/**
 * The line for `.zappignore` that leaves out exactly `path`, in plain ASCII: it is shown on terminals. `?` stands for
 * any one UTF-16 unit.
 */
export function ignoreLine(path: string): string {
  return `/${path.replace(/[*?[\]]/g, '\\$&').replace(/[^\x21-\x7e]|\\(?![*?[\]])/g, (c) => (c === ' ' ? '\\ ' : '?'))}`
}
