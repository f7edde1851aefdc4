import { configText } from './config-value.ts'
import { parseDuration } from './duration.ts'
import { isFault } from './fault.ts'
import type { ManifestSource } from './manifest.ts'
import type { CacheRule, Entry, Manifest, Route, RouteTarget } from './manifest-types.ts'
import { parsePattern } from './pattern.ts'
import { parseRange } from './version-range.ts'

type EntrySource = NonNullable<ManifestSource['entry']>
type RouteSource = NonNullable<ManifestSource['routes']>[string]

/** Fills in the defaults that manifest.ts documents. The source has passed the schema and every rule. */
export function normalizeManifest(source: ManifestSource): Manifest {
  const { name, version, title, description, license, homepage, dependencies = {}, health, lifecycle } = source
  const { runtime = {}, commands = [], provided = {} } = dependencies
  const entries = source.entry ? { main: source.entry } : source.entries
  return {
    source,
    name,
    version,
    ...defined({ title, description, license, homepage }),
    entries: mapOf(entries, toEntry),
    routes: Object.entries(routesOf(source)).map(([pattern, route]) => toRoute(pattern, route, entries)),
    dependencies: {
      runtime: defined({ node: rangeOf(runtime.node), python: rangeOf(runtime.python) }),
      commands,
      provided: { node: provided.node ?? [], python: provided.python ?? [] },
    },
    config: mapOf(
      source.config,
      (name, { type, required = false, secret = false, values = [], description, ...rest }) => ({
        ...{ name, type, required, secret, values },
        ...defined({ description, default: 'default' in rest ? configText(type, rest.default) : undefined }),
      }),
    ),
    data: mapOf(source.data, (name, { path, env }) => ({ name, path, ...defined({ env }) })),
    welcome: source.welcome ?? ['index.html'],
    errors: new Map(Object.entries(source.errors ?? {})),
    base: source.base ?? 'any',
    ...defined({
      health: health && { path: health.path, ...defined({ host: health.host }), timeout: ms(health.timeout, '30s') },
      migrate: lifecycle?.migrate && { run: lifecycle.migrate.run, timeout: ms(lifecycle.migrate.timeout, '5m') },
    }),
    executable: source.executable ?? [],
    processes: mapOf(source.processes, (name, { run, count = 1, every }) => ({
      ...{ name, run, count },
      ...defined({ every: every === undefined ? undefined : ms(every) }),
    })),
    workers: defined({ ...source.workers }),
    reserved: (['roles', 'services'] as const).filter((key) => source[key] !== undefined),
  }
}

/** The routes as written, with what the shorthand `entry` adds: "/", or the "else" of a static "/" (rule R8). */
function routesOf({ entry, routes = {} }: ManifestSource): Readonly<Record<string, RouteSource>> {
  const isNamed = Object.values(routes).some((route) => route.entry === 'main' || route.else?.entry === 'main')
  if (!entry || isNamed) return routes
  const root = routes['/']
  return { ...routes, '/': root ? { ...root, else: { entry: 'main' } } : { entry: 'main' } }
}

function toEntry(name: string, source: EntrySource): Entry {
  const common = { name, env: source.env ?? {}, websocket: takesUpgrades(source) }
  switch (source.type) {
    case 'node':
    case 'fetch':
      return { ...common, type: source.type, module: source.module, ...defined({ export: source.export }) }
    case 'server':
      return { ...common, type: source.type, run: source.run }
    case 'wsgi':
    case 'asgi': {
      const { type, app, factory = false, root } = source
      return { ...common, type, app, factory, ...defined({ root }) }
    }
    case 'cgi': {
      const { type, dir, script, timeout, concurrency = 8 } = source
      const scripts = dir === undefined ? { script: script! } : { dir }
      return { ...common, type, scripts, timeout: ms(timeout, '30s'), concurrency }
    }
  }
}

function takesUpgrades(entry: EntrySource): boolean {
  return 'websocket' in entry && entry.websocket === true
}

function toRoute(text: string, source: RouteSource, entries: ManifestSource['entries'] = {}): Route {
  const pattern = parsePattern(text)
  if (isFault(pattern)) throw new Error(`not a pattern: ${text}`)
  const { headers = {}, cache, strip = false, unpack = true } = source
  const entry = entries[source.entry ?? source.else?.entry ?? '']
  return {
    pattern,
    headers: Object.entries(headers),
    ...defined({ cache: cache === undefined ? undefined : cacheOf(cache) }),
    websocket: source.websocket === true || (entry !== undefined && takesUpgrades(entry)),
    ...{ strip, unpack },
    target: targetOf(source),
  }
}

function targetOf({ entry, static: path, redirect, else: miss }: RouteSource): RouteTarget {
  if (entry !== undefined) return { kind: 'entry', entry }
  if (redirect) return { kind: 'redirect', to: redirect.to, status: redirect.status ?? 308 }
  const fallback = miss?.entry !== undefined ? { entry: miss.entry } : miss && { file: miss.file! }
  return { kind: 'static', path: path!, ...defined({ else: fallback }) }
}

function cacheOf(text: string): CacheRule {
  return text === 'immutable' || text === 'no-store' ? text : { seconds: ms(text) / 1000 }
}

function rangeOf(text: string | undefined) {
  return text === undefined ? undefined : parseRange(text)
}

/** The schema admits nothing that is not a duration. */
function ms(text: string | undefined, fallback = ''): number {
  return parseDuration(text ?? fallback)!
}

function mapOf<T, U>(
  record: Readonly<Record<string, T>> | undefined,
  to: (name: string, value: T) => U,
): Map<string, U> {
  return new Map(Object.entries(record ?? {}).map(([name, value]) => [name, to(name, value)]))
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Without the keys whose value is undefined. */
function defined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>
}
