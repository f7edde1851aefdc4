import { hint } from './did-you-mean.ts'
import { parseDuration } from './duration.ts'
import { judgePath } from './entry-path.ts'
import { isFault } from './fault.ts'
import type { JsonPath } from './json.ts'
import {
  commandsOf,
  entriesOf,
  entryTypes,
  type LooseManifest,
  members,
  type NamedPath,
  pathsOf,
} from './manifest-loose.ts'
import { type Broken, broken, keysIn, listed } from './manifest-rule.ts'
import { routeRules } from './manifest-rules-route.ts'
import { variableRules } from './manifest-rules-variable.ts'
import { collisionKey, foldersAbove } from './name-table.ts'

/*
 * What the schema cannot say. Rules R (FORMAT.md §Cross-field rules); MANIFEST_RULE unless another code is named. They
 * look at what the schema's findings left (manifest-loose.ts), so that all mistakes are reported at once.
 *
 *   R1   "entry" and "entries" exclude each other
 *   R2   a "cgi" entry has exactly one of "dir", "script"
 *   R3   the key of a route is a pattern (pattern.ts)
 *   R4   a route has exactly one of "entry", "static", "redirect"
 *   R5   "else" and "unpack" stand beside "static", "strip" and "websocket" beside "entry" (or are false),
 *        "cache" beside "static" or "redirect"
 *   R6   "else" has exactly one of "entry", "file"
 *   R7   a route, and its "else", names an entry that exists
 *   R8   where no route names the shorthand "entry", the route "/" is absent, or static without "else"
 *   R9   "websocket": true leads to an entry that can be upgraded: not "wsgi", not "cgi"
 *   R10  no header that frames a message or that Zapp computes, none twice by case, no Cache-Control beside "cache"
 *   R11  "strip": true stands under a prefix pattern
 *   R12  "values" stands beside type "enum", always and only there
 *   R13  a default fits its type
 *   R14  no default where "required" or "secret" is true
 *   R15  no variable that runtimes obey: PATH, HOME, NODE_OPTIONS, LD_*, DYLD_*, PYTHON*, ZAPP_*
 *   R16  a variable is set in one place: one key of "config", one "env" of "data", or the "env" of entries
 *   R17  a data folder holds nothing else that the manifest names
 *   R18  placeholders in commands are {node}, {python}, {data.NAME}, {config.NAME}, of declared names
 *   R19  "count" and "every" exclude each other
 *   R20  durations are at most 7 days, those of "cache" at most 365
 *   R21  MANIFEST_PATH: a path is an entry name (rules A) without a slash at the end, outside ZAPP-INF, not "mimetype"
 *        and not "zapp.json"; "welcome" holds names without a folder
 *   R22  MANIFEST_PATH: a path exists in the archive as what it must be (manifest-paths.ts)
 *   R23  "workers.server" is one for an entry that there is: gunicorn for "wsgi", uvicorn and hypercorn for "asgi"
 */

/** Checks R1 to R21, and R23. */
export function checkRules(source: LooseManifest): readonly Broken[] {
  return [
    ...entryRules(source),
    ...routeRules(source),
    ...variableRules(source),
    ...dataRules(source),
    ...commandRules(source),
    ...durationRules(source),
    ...pathRules(source),
    ...workerRules(source),
  ]
}

/** R1, R2 and R8. */
function* entryRules(source: LooseManifest): Generator<Broken> {
  if (keysIn(source, ['entry', 'entries']).length === 2) {
    yield broken('R1', ['entries'], '"entry" and "entries" exclude each other', 'both', { target: 'key' })
  }
  for (const { entry, at } of entriesOf(source)) {
    const given = keysIn(entry, ['dir', 'script'])
    if (entry.type === 'cgi' && given.length !== 1) {
      yield broken('R2', at, 'a "cgi" entry must have exactly one of "dir" and "script"', listed(given))
    }
  }
  if (source.entry && !isReached(source)) {
    yield broken('R8', ['entry'], 'a route must lead to the entry: none names it, and "/" is taken', 'nothing', {
      target: 'key',
    })
  }
}

/** Whether requests get to the shorthand entry: by a route that names it, or by the "/" that it adds. */
function isReached(source: LooseManifest): boolean {
  const routes = Object.values(source.routes ?? {})
  // A route that broke the schema may have named it.
  if (routes.some((route) => route === undefined || route.entry === 'main' || route.else?.entry === 'main')) return true
  const root = source.routes?.['/']
  return root === undefined || (Object.hasOwn(root, 'static') && !Object.hasOwn(root, 'else'))
}

/** R17. A data folder is linked to a place outside: what else lay in it would be hidden, or writable code. */
function* dataRules(source: LooseManifest): Generator<Broken> {
  const paths = pathsOf(source).filter(({ value }) => isPlainPath(value))
  const folders = new Map<string, NamedPath>()
  for (const path of paths) if (path.want === 'data') folders.set(collisionKey(path.value), path)
  for (const path of paths) {
    const key = collisionKey(path.value)
    for (const folder of [...foldersAbove(key), key]) {
      const data = folders.get(folder)
      if (data === undefined || data === path) continue
      yield broken('R17', data.at, 'a data folder must hold nothing else that the manifest names', path.value)
      // Once for each folder is enough.
      folders.delete(folder)
    }
  }
}

/** R18 and R19. */
function* commandRules(source: LooseManifest): Generator<Broken> {
  const data = Object.keys(source.data ?? {}).map((name) => `data.${name}`)
  const config = Object.keys(source.config ?? {}).map((name) => `config.${name}`)
  const names = ['node', 'python', ...data, ...config]
  const known = new Set(names)
  for (const { run, at } of commandsOf(source)) {
    for (const [index, argument] of run.entries()) {
      for (const [text, name = ''] of argument?.matchAll(/\{([A-Za-z][A-Za-z0-9._-]*)\}/g) ?? []) {
        if (known.has(name)) continue
        const expected = 'a placeholder must be {node}, {python}, {data.NAME} or {config.NAME}, of a declared name'
        yield broken('R18', [...at, index], expected, text, { hint: hint(name, names) })
      }
    }
  }
  for (const [name, process] of members(source.processes)) {
    if (keysIn(process, ['count', 'every']).length < 2) continue
    const expected = '"count" and "every" exclude each other'
    yield broken('R19', ['processes', name, 'every'], expected, 'both', { target: 'key' })
  }
}

const DAY = 86_400_000

/** R20. Seven days fit a timer of any runtime (Node's ends at 24.8); a year is what caches keep at most. */
function* durationRules(source: LooseManifest): Generator<Broken> {
  for (const [at, text = '', days] of durationsOf(source)) {
    if ((parseDuration(text) ?? 0) <= days * DAY) continue
    yield broken('R20', at, `a duration must be at most ${days}d here`, text)
  }
}

function* durationsOf(source: LooseManifest): Generator<[at: JsonPath, text: string | undefined, days: number]> {
  for (const { entry, at } of entriesOf(source)) if (entry.type === 'cgi') yield [[...at, 'timeout'], entry.timeout, 7]
  for (const [pattern, { cache }] of members(source.routes)) yield [['routes', pattern, 'cache'], cache, 365]
  yield [['health', 'timeout'], source.health?.timeout, 7]
  yield [['lifecycle', 'migrate', 'timeout'], source.lifecycle?.migrate?.timeout, 7]
  for (const [name, { every }] of members(source.processes)) yield [['processes', name, 'every'], every, 7]
}

/** R21. */
function* pathRules(source: LooseManifest): Generator<Broken> {
  for (const { at, value } of pathsOf(source)) {
    if (/^(?:ZAPP-INF|mimetype|zapp\.json)(?:\/|$)/.test(value)) yield wrongPath(at, value, ' (reserved)')
    else if (!isPlainPath(value)) {
      const meant = value.replace(/^(?:\.?\/)+|\/+$/g, '')
      yield wrongPath(at, value, isPlainPath(meant) ? ` (write ${JSON.stringify(meant)})` : '')
    }
  }
  for (const [index, name = 'index.html'] of (source.welcome ?? []).entries()) {
    if (name.includes('/') || !isPlainPath(name)) yield wrongPath(['welcome', index], name, ' (a file name, no folder)')
  }
}

/** R23. */
function* workerRules(source: LooseManifest): Generator<Broken> {
  const { server } = source.workers ?? {}
  const types = entryTypes(source)
  if (server === undefined || types === undefined) return
  const wanted = server === 'gunicorn' ? 'wsgi' : 'asgi'
  // An entry that broke the schema may be of the type.
  if ([...types.values()].some((type) => type === wanted || type === undefined)) return
  yield broken(
    'R23',
    ['workers', 'server'],
    `a server must be one for an entry that there is, ${server} for "${wanted}"`,
    server,
  )
}

function isPlainPath(value: string): boolean {
  return !isFault(judgePath(value)) && !value.endsWith('/')
}

function wrongPath(at: JsonPath, value: string, why: string): Broken {
  return broken('R21', at, 'a path inside the archive', value, { code: 'MANIFEST_PATH', hint: why })
}
