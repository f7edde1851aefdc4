import type { Archive, ArchiveEntry } from '../archive/archive.ts'
import type { DataFolder, Manifest, Route } from '../format/manifest-types.ts'

/** Where each entry of an archive goes when its run tree is built. */
export interface TreePlan {
  /** Parents before their children. */
  readonly folders: readonly string[]
  /** Files of dependencies: hard links to blobs, read-only. */
  readonly shared: readonly ArchiveEntry[]
  /** The app's own files: writable copies. */
  readonly own: readonly ArchiveEntry[]
}

const LIB = 'ZAPP-INF/lib/'

/** @param links paths that will be links, so that what the archive holds there stays out */
export function planTree(archive: Archive, links: Iterable<string>): TreePlan {
  const leftOut = leftOutRoutes(archive.manifest)
  const linked = [...links]
  const folders = new Set<string>()
  const shared: ArchiveEntry[] = []
  const own: ArchiveEntry[] = []
  for (const entry of archive.entries.values()) {
    if (!belongsToApp(entry.path) || linked.some((link) => isInside(entry.path, link))) continue
    if (entry.kind === 'dir') {
      addFolders(folders, entry.path)
    } else if (isDependency(entry.path)) {
      addFolders(folders, entry.path)
      shared.push(entry)
    } else if (!leftOut(entry.path)) {
      addFolders(folders, entry.path)
      own.push(entry)
    }
  }
  for (const link of linked) addFolders(folders, link)
  return { folders: [...folders].sort(), shared, own }
}

/** What a data folder begins with: the archive's files below its path, by their path inside the folder. */
export function seedOf(archive: Archive, folder: DataFolder): Map<string, ArchiveEntry> {
  const prefix = `${folder.path}/`
  const inside = [...archive.entries.values()].filter((e) => e.path.startsWith(prefix) && e.path !== prefix)
  return new Map(inside.map((entry) => [entry.path.slice(prefix.length), entry]))
}

/** The project as its author left it, and what may be imported; not what describes the archive. */
function belongsToApp(path: string): boolean {
  return path !== 'mimetype' && (!path.startsWith('ZAPP-INF/') || path.startsWith(LIB))
}

function isDependency(path: string): boolean {
  return path.startsWith(LIB) || path.startsWith('node_modules/') || path.includes('/node_modules/')
}

/**
 * Files that no code is going to read: a static route says `unpack: false` and no other static route with a folder as
 * deep or deeper wants them. A route whose folder also holds an entry's module or a file that must be executable has no
 * such say: what that code reads is not known.
 */
function leftOutRoutes(manifest: Manifest): (path: string) => boolean {
  const statics = manifest.routes.flatMap((r) => (r.target.kind === 'static' ? [rule(r, r.target.path)] : []))
  const needed = [...neededFiles(manifest)]
  const off = statics.filter((r) => !r.unpack && !needed.some((file) => isInside(file, r.path)))
  const on = statics.filter((r) => r.unpack)
  if (off.length === 0) return () => false
  return (path) => depth(off, path) > depth(on, path)
}

function rule(route: Route, path: string): { path: string; unpack: boolean } {
  return { path: path.replace(/\/$/, ''), unpack: route.unpack }
}

function* neededFiles(manifest: Manifest): Iterable<string> {
  for (const entry of manifest.entries.values()) if ('module' in entry) yield entry.module
  yield* manifest.executable
}

/** Length of the longest of the folders that hold the path; -1: none does. */
function depth(rules: readonly { readonly path: string }[], path: string): number {
  return Math.max(-1, ...rules.filter((r) => isInside(path, r.path)).map((r) => r.path.length))
}

/** Whether `path` is that folder, that file, or below it. "" and "." are the archive's root. */
function isInside(path: string, folder: string): boolean {
  if (folder === '' || folder === '.') return true
  return path === folder || path.startsWith(`${folder}/`)
}

function addFolders(folders: Set<string>, path: string): void {
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
    const folder = path.slice(0, at)
    if (folders.has(folder)) return
    folders.add(folder)
  }
}
