import type { BigIntStats } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { fail } from '../errors.ts'
import { isHostName } from './names.ts'

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
  /** Virtual host; `""` for the default one. */
  readonly host: string
  readonly modifiedMs: number
  /** Of an archive that exists: what a system tells of a file without reading it. Another one means: read again. */
  readonly stamp?: Stamp
  readonly root: Root
}

/** The time of the inode's last change cannot be set by anyone, but its clock may tick as slowly as once in 10 ms. */
export interface Stamp {
  /** Device, inode, size, times of modification and change. */
  readonly text: string
  readonly changedMs: number
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

/**
 * The apps of a root. Folders in a folder of apps that are named as hosts are virtual hosts. A root that is an app stays one while it is gone: that it cannot be read is for its reader to say.
 *
 * @param hosts names of further virtual hosts
 * @param onUnreadable told of what lies in the folder, or is the app, and does not let itself be looked at: it is left out
 * @throws ZappError IO for the folder itself
 */
export async function listSources(
  root: Root,
  hosts: ReadonlySet<string>,
  onUnreadable: (path: string, error: unknown) => void,
): Promise<Source[]> {
  if (root.kind === 'folder') return listFolder(root.path, '')
  return unlessUnreadable(root.path, async () => [
    toSource(root, root.path, root.kind as Source['kind'], '', await statOrUndefined(root.path)),
  ])

  async function listFolder(folder: string, host: string): Promise<Source[]> {
    const sources: Source[] = []
    for (const name of (await namesIn(folder)).sort()) {
      const path = join(folder, name)
      if (!name.startsWith('.')) sources.push(...(await unlessUnreadable(path, () => look(path, name, host))))
    }
    return sources
  }

  async function look(path: string, name: string, host: string): Promise<Source[]> {
    const stats = await statOrUndefined(path)
    if (stats?.isFile() && name.endsWith(EXTENSION)) return [toSource(root, path, 'archive', host, stats)]
    if (!stats?.isDirectory()) return []
    if (await isProject(path)) return [toSource(root, path, 'project', host, stats)]
    // Names of hosts are those of folders, as in Tomcat; a project of such a name is an app like any other.
    return host === '' && (isHostName(name) || hosts.has(name)) ? listFolder(path, name) : []
  }

  async function unlessUnreadable(path: string, list: () => Promise<Source[]>): Promise<Source[]> {
    try {
      return await list()
    } catch (error) {
      onUnreadable(path, error)
      return []
    }
  }
}

/**
 * A folder that could be packed, judged by names alone: what is wrong inside is for the packer to say.
 * @throws ZappError IO
 */
async function isProject(folder: string): Promise<boolean> {
  const names = ['zapp.json', 'package.json', 'index.html']
  return (await Promise.all(names.map((name) => statOrUndefined(join(folder, name))))).some((found) => found)
}

/** A zip that its user names is taken for what it may become. In a folder of apps it is left alone. */
export function isZip({ path, kind }: Pick<Source, 'path' | 'kind'>): boolean {
  return kind === 'archive' && /\.zip$/i.test(path)
}

/** The file's name without its ending. */
export function stemOf(file: string): string {
  return basename(file).replace(/\.(?:zapp|zip)$/i, '')
}

function toSource(
  root: Root,
  path: string,
  kind: Source['kind'],
  host: string,
  stats: BigIntStats | undefined,
): Source {
  const stem = kind === 'archive' ? stemOf(path) : basename(path)
  const about = { path, kind, stem, host, modifiedMs: Number(stats?.mtimeMs ?? 0), root }
  return kind === 'archive' && stats ? { ...about, stamp: stampOf(stats) } : about
}

/** As {@link Stamp.text}; `""` where there is nothing. */
export async function stampAt(path: string): Promise<string> {
  const stats = await statOrUndefined(path)
  return stats ? stampOf(stats).text : ''
}

function stampOf({ dev, ino, size, mtimeNs, ctimeNs, ctimeMs }: BigIntStats): Stamp {
  return { text: [dev, ino, size, mtimeNs, ctimeNs].join(':'), changedMs: Number(ctimeMs) }
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: Error) => {
    throw fail('IO', folder, { operation: 'listing the folder of apps', reason: error.message }, error)
  })
}

function statOrUndefined(path: string): Promise<BigIntStats | undefined> {
  return stat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw fail('IO', path, { operation: 'stat', reason: error.message }, error)
  })
}
