import { type Dirent, lstatSync, readdirSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { type Finding, fail, finding } from '../errors.ts'
import { DEFAULT_LIMITS } from '../format/limits.ts'

export interface FoundFile {
  /** Below the walked folder, "/" between segments. */
  readonly path: string
  /** Absolute, links resolved. */
  readonly source: string
  readonly size: number
  readonly mtimeMs: number
}

export interface FoundTree {
  readonly files: readonly FoundFile[]
  /** Ending in "/". */
  readonly folders: readonly string[]
  /** Links that cannot be followed (LINK_*), entries that are neither file nor folder (TYPE). */
  readonly findings: readonly Finding[]
}

export interface WalkOptions {
  /**
   * Called for each file, and for each folder (ending in "/") before it is entered; false leaves it out. `at` is where
   * it lies, the link itself in the case of a link.
   */
  accept(path: string, at: string): boolean
  /** Called for each folder that is entered, before its content is looked at: "" and "a/b/". */
  enter?(path: string, source: string): void
}

/**
 * The files below `root` (a real path). Links are followed as long as they stay inside `root` and lead to no folder
 * that they lie in. One link that cannot be followed does not end the walk, so that all are reported at once.
 *
 * @throws ZappError IO where a folder cannot be read; TOO_MANY
 */
export function walkTree(root: string, options: WalkOptions): FoundTree {
  const files: FoundFile[] = []
  const folders: string[] = []
  const findings: Finding[] = []

  const visit = (folder: string, prefix: string, ancestors: readonly string[]): void => {
    options.enter?.(prefix, folder)
    for (const dirent of list(folder, prefix)) {
      const path = prefix + dirent.name
      const source = join(folder, dirent.name)
      if (dirent.isSymbolicLink()) link(path, source, ancestors)
      else if (dirent.isDirectory()) enter(path, source, ancestors)
      else if (dirent.isFile()) add(path, source, lstatSync(source, { throwIfNoEntry: false }))
      else if (options.accept(path, source)) findings.push(finding('TYPE', path, { got: kindOf(dirent) }))
    }
  }
  const enter = (path: string, source: string, ancestors: readonly string[], at = source): void => {
    const name = `${path}/`
    if (!options.accept(name, at)) return
    folders.push(name)
    visit(source, name, [...ancestors, source])
  }
  const add = (path: string, source: string, stat: Stats | undefined, at = source): void => {
    if (!stat || !options.accept(path, at)) return
    files.push({ path, source, size: stat.size, mtimeMs: stat.mtimeMs })
    if (files.length > DEFAULT_LIMITS.entries) {
      throw fail('TOO_MANY', '', { limit: DEFAULT_LIMITS.entries, got: files.length })
    }
  }
  const link = (path: string, source: string, ancestors: readonly string[]): void => {
    const target = readlinkSync(source)
    const real = follow(source)
    const folder = typeof real === 'object' && statSync(real.path).isDirectory()
    if (typeof real === 'string') {
      if (options.accept(path, source)) findings.push(finding(real, path, { target }))
    } else if (!`${real.path}${sep}`.startsWith(root === sep ? sep : `${root}${sep}`)) {
      if (options.accept(folder ? `${path}/` : path, source)) findings.push(finding('LINK_ESCAPES', path, { target }))
    } else if (!folder) {
      add(path, real.path, statSync(real.path), source)
    } else if (ancestors.some((ancestor) => `${ancestor}${sep}`.startsWith(`${real.path}${sep}`))) {
      if (options.accept(`${path}/`, source)) findings.push(finding('LINK_CYCLE', path, { target }))
    } else {
      enter(path, real.path, ancestors, source)
    }
  }
  visit(root, '', [root])
  return { files, folders, findings }
}

function follow(source: string): { path: string } | 'LINK_CYCLE' | 'LINK_BROKEN' {
  try {
    return { path: realpathSync.native(source) }
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ELOOP' ? 'LINK_CYCLE' : 'LINK_BROKEN'
  }
}

function list(folder: string, prefix: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    throw fail('IO', prefix, { operation: 'reading the folder', reason: (error as Error).message }, error)
  }
}

function kindOf(dirent: Dirent): string {
  if (dirent.isFIFO()) return 'a named pipe'
  return dirent.isSocket() ? 'a socket' : 'a device'
}
