import type { Stats } from 'node:fs'
import { access, readdir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { fail } from '../errors.ts'

/** What the host was told to serve. */
export interface Root {
  /** Absolute. */
  readonly path: string
  readonly kind: 'archive' | 'project' | 'folder'
  /** The mount that was asked for. */
  readonly mount?: string
}

/** Something on disk that is one app: a root, or what lies in a root of kind `folder`. */
export interface Source {
  /** Absolute. */
  readonly path: string
  readonly kind: 'archive' | 'project'
  /** What names it in the way of Tomcat: the file's name without its ending, or the folder's name. */
  readonly stem: string
  readonly modifiedMs: number
  readonly root: Root
}

const EXTENSION = '.zapp'

/**
 * What a path stands for.
 *
 * @throws ZappError NOT_FOUND, IO; USAGE for a mount of a folder of apps
 */
export async function findRoot(path: string, mount?: string): Promise<Root> {
  const full = resolve(path)
  const stats = await statOrUndefined(full)
  if (!stats) throw fail('NOT_FOUND', path, { file: path })
  const kind = !stats.isDirectory() ? 'archive' : (await isProject(full)) ? 'project' : 'folder'
  if (mount === undefined) return { path: full, kind }
  if (kind === 'folder') throw fail('USAGE', path, { command: 'serve', problem: 'a folder of apps has no one mount' })
  return { path: full, kind, mount: mount === '/' ? '' : mount }
}

/** A root that is an app stays one while it is gone: that it cannot be read is for its reader to say. */
export async function listSources(root: Root): Promise<Source[]> {
  if (root.kind !== 'folder') return [toSource(root, root.path, root.kind, await statOrUndefined(root.path))]
  const sources: Source[] = []
  for (const name of (await readdir(root.path)).sort()) {
    if (name.startsWith('.')) continue
    const path = join(root.path, name)
    const stats = await statOrUndefined(path)
    if (stats?.isFile() && name.endsWith(EXTENSION)) sources.push(toSource(root, path, 'archive', stats))
    if (stats?.isDirectory() && (await isProject(path))) sources.push(toSource(root, path, 'project', stats))
  }
  return sources
}

/** A folder that could be packed, judged by names alone: what is wrong inside is for the packer to say. */
async function isProject(folder: string): Promise<boolean> {
  const names = ['zapp.json', 'package.json', 'index.html']
  const found = await Promise.all(
    names.map((name) =>
      access(join(folder, name)).then(
        () => true,
        () => false,
      ),
    ),
  )
  return found.includes(true)
}

/** A zip that its user names is taken for what it may become. In a folder of apps it is left alone. */
export function isZip({ path, kind }: Pick<Source, 'path' | 'kind'>): boolean {
  return kind === 'archive' && /\.zip$/i.test(path)
}

function toSource(root: Root, path: string, kind: Source['kind'], stats: Stats | undefined): Source {
  const stem = kind === 'archive' ? basename(path).replace(/\.(?:zapp|zip)$/i, '') : basename(path)
  return { path, kind, stem, modifiedMs: stats?.mtimeMs ?? 0, root }
}

function statOrUndefined(path: string): Promise<Stats | undefined> {
  return stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw fail('IO', path, { operation: 'stat', reason: error.message }, error)
  })
}
