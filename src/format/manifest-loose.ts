import type { JsonPath } from './json.ts'
import type { ManifestSource } from './manifest.ts'

/** A T of which anything may be missing. A key whose value broke the schema is still there, but undefined. */
export type Loose<T> = T extends readonly (infer U)[]
  ? readonly (Loose<U> | undefined)[]
  : T extends object
    ? { readonly [K in keyof T]?: Loose<T[K]> | undefined }
    : T

/** What the rules between keys look at: so they report their findings beside those of the schema. */
export type LooseManifest = Loose<ManifestSource>
export type LooseEntry = Loose<NonNullable<ManifestSource['entry']>>
export type LooseRoute = Loose<NonNullable<ManifestSource['routes']>[string]>

/** The members of a map that are left after the schema's findings, as pairs; none where the map itself is not left. */
export function members<T>(map: Readonly<Record<string, T | undefined>> | undefined): [string, T][] {
  return Object.entries(map ?? {}).filter((pair): pair is [string, T] => pair[1] !== undefined)
}

/** Entries with the place where each is written; the shorthand `entry` is called "main". */
export function entriesOf(source: LooseManifest): { name: string; entry: LooseEntry; at: JsonPath }[] {
  const several = members(source.entries).map(([name, entry]) => ({ name, entry, at: ['entries', name] }))
  return source.entry ? [{ name: 'main', entry: source.entry, at: ['entry'] }, ...several] : several
}

/**
 * Type of each entry by name, undefined where the entry broke the schema. Undefined as a whole where not even the names
 * can be told.
 */
export function entryTypes(source: LooseManifest): ReadonlyMap<string, string | undefined> | undefined {
  if (Object.hasOwn(source, 'entries') && source.entries === undefined) return undefined
  const types = new Map(Object.entries(source.entries ?? {}).map(([name, entry]) => [name, entry?.type]))
  return Object.hasOwn(source, 'entry') ? types.set('main', source.entry?.type) : types
}

/** Commands: argument lists with the place where each is written. */
export function commandsOf(source: LooseManifest): { run: readonly (string | undefined)[]; at: JsonPath }[] {
  const commands: { run: readonly (string | undefined)[] | undefined; at: JsonPath }[] = [
    ...entriesOf(source).map(({ entry, at }) => ({ run: entry.type === 'server' ? entry.run : undefined, at })),
    { run: source.lifecycle?.migrate?.run, at: ['lifecycle', 'migrate'] },
    ...members(source.processes).map(([name, { run }]) => ({ run, at: ['processes', name] })),
  ]
  return commands.flatMap(({ run, at }) => (run ? [{ run, at: [...at, 'run'] }] : []))
}

/** A place where the manifest names a file or folder of the archive. */
export interface NamedPath {
  readonly at: JsonPath
  readonly value: string
  /** "data": a folder that the archive may hold, as a seed, but need not. */
  readonly want: 'file' | 'folder' | 'data'
}

export function pathsOf(source: LooseManifest): NamedPath[] {
  const paths: NamedPath[] = []
  const add = (value: string | undefined, want: NamedPath['want'], ...at: JsonPath) => {
    if (value !== undefined) paths.push({ at, value, want })
  }
  for (const { entry, at } of entriesOf(source)) {
    if (entry.type === 'node' || entry.type === 'fetch') add(entry.module, 'file', ...at, 'module')
    if (entry.type === 'wsgi' || entry.type === 'asgi') add(entry.root, 'folder', ...at, 'root')
    if (entry.type === 'cgi') {
      add(entry.dir, 'folder', ...at, 'dir')
      add(entry.script, 'file', ...at, 'script')
    }
  }
  for (const [pattern, route] of members(source.routes)) {
    const isExact = pattern.startsWith('/') && pattern !== '/' && !pattern.endsWith('/*')
    add(route.static, isExact ? 'file' : 'folder', 'routes', pattern, 'static')
    add(route.else?.file, 'file', 'routes', pattern, 'else', 'file')
  }
  for (const [name, folder] of members(source.data)) add(folder.path, 'data', 'data', name, 'path')
  for (const [status, page] of members(source.errors)) add(page, 'file', 'errors', status)
  for (const [index, file] of (source.executable ?? []).entries()) add(file, 'file', 'executable', index)
  return paths
}
