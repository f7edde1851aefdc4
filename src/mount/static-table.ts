import { setImmediate } from 'node:timers/promises'
import type { Archive } from '../archive/archive.ts'
import type { FilesBelow } from '../format/files-below.ts'
import type { Route } from '../format/manifest-types.ts'
import { cacheControl, encodePath, type Header, NOSNIFF, softCacheControl, withRouteHeaders } from './headers.ts'
import { type FileRule, StaticFile } from './static-file.ts'

/**
 * What a static route can answer, by what its pattern leaves of the decoded path: `/app.js`, or `""` for an exact one.
 * This table is the boundary: it is filled from the declared folder only, and a request is one look into it. There is
 * no file system and no joining of paths behind it that a request could talk to.
 */
export type StaticTable = ReadonlyMap<string, StaticFile | FolderRedirect>

/** A folder named without its slash, where a welcome file lies. */
export interface FolderRedirect {
  readonly kind: 'redirect'
  /** Below the mount, URL text. Made from the table's key, never from the request. */
  readonly location: string
  readonly headers: readonly Header[]
}

/** Files that are taken in without a pause, some ms: a host that mounts 60,000 goes on answering for other apps. */
const PORTION = 2048

/** @param path the file of an exact pattern, else the folder; it exists and is neither ZAPP-INF nor the manifest (R21, R22). */
export async function buildStaticTable(
  archive: Archive,
  below: FilesBelow,
  route: Route,
  path: string,
): Promise<StaticTable> {
  const rule: FileRule = { cache: cacheControl(route.cache), headers: route.headers }
  const { pattern } = route
  if (pattern.kind === 'exact') {
    return new Map(isPublic(pattern.path) ? [['', new StaticFile(archive, archive.entries.get(path)!, rule)]] : [])
  }

  const table = new Map<string, StaticFile | FolderRedirect>()
  const welcome = new Map<string, { readonly rank: number; readonly file: StaticFile }>()
  const prefix = pattern.kind === 'prefix' ? pattern.prefix : ''
  for (const name of below.of(path)) {
    const key = name.slice(path.length)
    if (!isPublic(prefix + key)) continue
    const file = new StaticFile(archive, archive.entries.get(name)!, rule)
    table.set(key, file)
    if (table.size % PORTION === 0) await setImmediate()
    const [folder, last] = splitName(key)
    const rank = archive.manifest.welcome.indexOf(last)
    if (rank !== -1 && rank < (welcome.get(folder)?.rank ?? Number.POSITIVE_INFINITY)) {
      welcome.set(folder, { rank, file })
    }
  }
  const headers = withRouteHeaders([softCacheControl(route.cache), NOSNIFF], route.headers)
  for (const [folder, { file }] of welcome) {
    table.set(`${folder}/`, file)
    table.set(folder, { kind: 'redirect', location: `${encodePath(prefix + folder)}/`, headers })
  }
  return table
}

/**
 * Names that begin with a dot are habitually not meant for the world (.git, .env), except the one folder that is
 * (RFC 8615). Judged on the URL: a folder like `.next/static` may well be a route's target.
 */
function isPublic(url: string): boolean {
  return !url.replace(/^\/\.well-known(?=\/)/, '').includes('/.')
}

function splitName(key: string): [folder: string, name: string] {
  const slash = key.lastIndexOf('/')
  return [key.slice(0, slash), key.slice(slash + 1)]
}
