import type { Archive } from '../archive/archive.ts'
import { fail } from '../errors.ts'
import { FilesBelow } from '../format/files-below.ts'
import type { Route } from '../format/manifest-types.ts'
import { createMatcher, type Match, type Pattern } from '../format/pattern.ts'
import { type Header, NOSNIFF, softCacheControl, withRouteHeaders } from './headers.ts'
import { StaticFile } from './static-file.ts'
import { buildStaticTable, type StaticTable } from './static-table.ts'

/** A route of the manifest with everything looked up. */
export type CompiledRoute =
  | { readonly kind: 'entry'; readonly route: Route; readonly entry: string }
  | { readonly kind: 'redirect'; readonly to: string; readonly status: number; readonly headers: readonly Header[] }
  | { readonly kind: 'static'; readonly route: Route; readonly table: StaticTable; readonly otherwise?: Otherwise }

/** What takes a static route's misses. */
export type Otherwise = { readonly entry: string } | { readonly file: StaticFile }

export type Router = (path: string) => Match<CompiledRoute> | undefined

/** @throws ZappError ENTRY_RUNTIME for a route to an entry that is not in `entries`. */
export async function createRouter(archive: Archive, entries: ReadonlySet<string>): Promise<Router> {
  const below = FilesBelow.among(archive.entries.values())
  const rows: [Pattern, CompiledRoute][] = []
  for (const route of archive.manifest.routes) rows.push([route.pattern, await compile(route)])
  return createMatcher(rows)

  async function compile(route: Route): Promise<CompiledRoute> {
    const { target } = route
    switch (target.kind) {
      case 'entry':
        return { kind: 'entry', route, entry: runnable(target.entry) }
      case 'redirect': {
        const headers = withRouteHeaders([softCacheControl(route.cache), NOSNIFF], route.headers)
        return { kind: 'redirect', to: target.to, status: target.status, headers }
      }
      case 'static': {
        const otherwise = target.else && { otherwise: compileElse(route, target.else) }
        return {
          kind: 'static',
          route,
          table: await buildStaticTable(archive, below, route, target.path),
          ...otherwise,
        }
      }
    }
  }

  function compileElse(route: Route, target: { entry: string } | { file: string }): Otherwise {
    if ('entry' in target) return { entry: runnable(target.entry) }
    const rule = { cache: softCacheControl(route.cache), headers: route.headers }
    return { file: new StaticFile(archive, archive.entries.get(target.file)!, rule) }
  }

  function runnable(name: string): string {
    if (entries.has(name)) return name
    throw fail('ENTRY_RUNTIME', 'zapp.json', {
      entry: name,
      type: archive.manifest.entries.get(name)?.type ?? 'unknown',
    })
  }
}
