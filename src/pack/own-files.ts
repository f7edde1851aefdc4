import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type Finding, finding } from '../errors.ts'
import type { IgnoreRules } from './ignore.ts'
import { readPackageJson } from './package-json.ts'
import type { LeftOut } from './plan.ts'
import { type FoundFile, walkTree } from './walk-tree.ts'

export interface OwnFiles {
  readonly files: readonly FoundFile[]
  readonly folders: readonly string[]
  readonly findings: readonly Finding[]
  readonly leftOut: readonly LeftOut[]
  /**
   * Folders whose package.json asks for packages that are laid anew below them: the project itself (""), folders with
   * a package.json and a node_modules, and workspace members that the project's own node_modules link to.
   */
  readonly importers: readonly { readonly path: string; readonly real: string }[]
}

/**
 * The project's own files: all that no rule leaves out. A node_modules beside a package.json is not one of them; one
 * without belongs to the author and ships as it is.
 */
export function ownFiles(root: string, rules: IgnoreRules, out: string | undefined): OwnFiles {
  const leftOut: LeftOut[] = []
  const findings: Finding[] = []
  const importers = new Map<string, string>()

  const tree = walkTree(root, {
    enter(prefix, folder) {
      rules.read(folder, prefix.slice(0, -1))
      if (isImporter(root, folder)) importers.set(prefix, folder)
    },
    accept(path, at) {
      if (at === out || path === 'zapp.json') return false
      const reserved = reservedName(path)
      if (reserved === 'foreign') findings.push(finding('RESERVED_NAME', path, { name: path }))
      const rule =
        reserved === 'ours' ? { rule: path, from: 'format' } : (rules.own(path) ?? virtualEnvironment(path, at))
      if (rule) leftOut.push({ path, ...rule })
      const isDependencies = basename(path) === 'node_modules' && existsSync(join(dirname(at), 'package.json'))
      if (isDependencies && rule) importers.delete(path.slice(0, -'node_modules/'.length))
      return !rule && !isDependencies
    },
  })
  return {
    files: tree.files,
    folders: tree.folders.filter((folder) => folder !== 'ZAPP-INF/'),
    findings: [...findings, ...tree.findings],
    leftOut,
    importers: [...importers].map(([prefix, real]) => ({ path: prefix.slice(0, -1), real })),
  }
}

/** Its packages are fetched anew, for the machine that the archive is for. */
function virtualEnvironment(path: string, at: string) {
  return path.endsWith('/') && existsSync(join(at, VENV)) ? { rule: VENV, from: 'default' } : undefined
}

/** What every virtual environment holds, whatever its folder is called: PEP 405. */
const VENV = 'pyvenv.cfg'

function isImporter(root: string, folder: string): boolean {
  if (!existsSync(join(folder, 'package.json'))) return false
  return folder === root || existsSync(join(folder, 'node_modules')) || isMember(root, folder)
}

/** Templates and test data hold files named package.json that are none: only what can be read counts. */
function isMember(root: string, folder: string): boolean {
  try {
    const name = readPackageJson(folder)?.name
    return name !== undefined && realpathSync.native(join(root, 'node_modules', name)) === folder
  } catch {
    return false
  }
}

/**
 * Names that the format keeps for itself. Those that an unpacked archive holds are `ours`: they are written anew, so
 * that such a tree can be packed again.
 */
function reservedName(path: string): 'ours' | 'foreign' | undefined {
  if (path === 'mimetype') return 'ours'
  if (!path.startsWith('ZAPP-INF/') || path === 'ZAPP-INF/') return undefined
  return /^ZAPP-INF\/(?:(?:sbom\.cdx|build|contents|signature\.dsse)\.json|lib\/)$/.test(path) ? 'ours' : 'foreign'
}
