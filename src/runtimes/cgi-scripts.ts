import type { ArchiveEntry } from '../archive/archive.ts'
import { type Finding, finding } from '../errors.ts'
import type { Entry } from '../format/manifest-types.ts'

export type CgiEntry = Extract<Entry, { type: 'cgi' }>

/** A script, and what of a path below its entry belongs to it. */
export interface ScriptMatch {
  /** Its entry in the archive. */
  readonly path: string
  /** The part of the path that names it: `""`, or begins with `/`. */
  readonly name: string
  /** What follows: `""`, or begins with `/`. */
  readonly rest: string
}

export type FindScript = (pathInfo: string) => ScriptMatch | undefined

/**
 * The scripts of a `cgi` entry: a table of names, made from the archive once, so that no request ever reaches the file
 * system to find one (FORMAT.md §CGI, G1). A folder and a script never share a name, so at most one prefix of a path hits.
 *
 * @returns finds the script of a path below the entry, undecoded
 */
export function createScriptTable(entry: CgiEntry, entries: ReadonlyMap<string, ArchiveEntry>): FindScript {
  const paths = scriptPaths(entry, entries)
  if ('script' in entry.scripts) {
    const { script } = entry.scripts
    return (pathInfo) => ({ path: script, name: '', rest: pathInfo })
  }
  const prefix = entry.scripts.dir.length
  const table = new Map(paths.map((path) => [path.slice(prefix), path]))
  const deepest = Math.max(...[...table.keys()].map((name) => name.split('/').length - 1))
  return (pathInfo) => {
    let name = ''
    let end = 0
    for (let depth = 0; depth < deepest && end < pathInfo.length; depth++) {
      const start = end + 1
      end = pathInfo.indexOf('/', start)
      if (end === -1) end = pathInfo.length
      const segment = decodeSegment(pathInfo.slice(start, end))
      if (segment === undefined) return undefined
      name += `/${segment}`
      const path = table.get(name)
      if (path !== undefined) return { path, name, rest: pathInfo.slice(end) }
    }
    return undefined
  }
}

/** Paths of an entry's scripts in the archive. */
export function scriptPaths({ scripts }: CgiEntry, entries: ReadonlyMap<string, ArchiveEntry>): readonly string[] {
  const isOne = (path: string) => ('dir' in scripts ? path.startsWith(`${scripts.dir}/`) : path === scripts.script)
  return [...entries.values()]
    .filter(({ kind, mode, path }) => kind === 'file' && mode === 0o755 && isOne(path))
    .map(({ path }) => path)
}

/** ENTRY_LOAD: the loader would have nothing to run. */
export function noScript({ scripts }: CgiEntry): Finding {
  const [module, what] = 'dir' in scripts ? [scripts.dir, 'no file in it is'] : [scripts.script, 'it is not']
  const reason = `${what} executable: begin a script with "#!", or name it in "executable", and pack again`
  return finding('ENTRY_LOAD', module, { module, reason })
}

/** undefined for one that has no single meaning: it names no file. */
function decodeSegment(segment: string): string | undefined {
  if (!segment.includes('%')) return segment
  try {
    const text = decodeURIComponent(segment)
    return text.includes('/') || text.includes('\\') ? undefined : text
  } catch {
    return undefined
  }
}
