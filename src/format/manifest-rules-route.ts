import { hint } from './did-you-mean.ts'
import { isFault } from './fault.ts'
import type { JsonPath } from './json.ts'
import { entryTypes, type LooseManifest, type LooseRoute } from './manifest-loose.ts'
import { type Broken, broken, keysIn, listed } from './manifest-rule.ts'
import { parsePattern } from './pattern.ts'

/** What frames a message, or what Zapp computes from the file it sends. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'accept-ranges',
  'connection',
  'content-encoding',
  'content-length',
  'content-range',
  'date',
  'etag',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** R3 to R7 and R9 to R11. */
export function* routeRules(source: LooseManifest): Generator<Broken> {
  const entries = entryTypes(source)
  for (const [text, route] of Object.entries(source.routes ?? {})) {
    const at = ['routes', text]
    const pattern = parsePattern(text)
    if (isFault(pattern)) yield broken('R3', at, String(pattern.args.expected), text, { target: 'key' })
    if (route === undefined) continue
    yield* keyRules(route, at)
    if (route.strip && !isFault(pattern) && pattern.kind !== 'prefix') {
      yield broken('R11', [...at, 'strip'], '"strip" must stand under a pattern that ends in "/*"', text)
    }
    yield* targetRules(route, at, entries)
    yield* headerRules(route, at)
  }
}

/** R4 to R6. */
function* keyRules(route: LooseRoute, at: JsonPath): Generator<Broken> {
  const targets = keysIn(route, ['entry', 'static', 'redirect'])
  if (targets.length !== 1) {
    const expected = 'a route must have exactly one of "entry", "static" and "redirect"'
    yield broken('R4', at, expected, listed(targets))
    return
  }
  const [target] = targets
  const wrong = [
    ...(target === 'static' ? [] : keysIn(route, ['else', 'unpack']).map((key) => [key, 'static'] as const)),
    ...(target === 'entry' ? [] : keysIn(route, ['strip', 'websocket']).map((key) => [key, 'entry'] as const)),
  ].filter(([key, needs]) => needs === 'static' || route[key as keyof LooseRoute] !== false)
  for (const [key, needs] of wrong) {
    yield broken('R5', [...at, key], `"${key}" must stand beside "${needs}"`, target, { target: 'key' })
  }
  if (target === 'entry' && Object.hasOwn(route, 'cache')) {
    const expected = '"cache" must stand beside "static" or "redirect": an entry sets its own Cache-Control'
    yield broken('R5', [...at, 'cache'], expected, target, { target: 'key' })
  }
  if (route.else) {
    const given = keysIn(route.else, ['entry', 'file'])
    if (given.length !== 1) {
      yield broken('R6', [...at, 'else'], '"else" must have exactly one of "entry" and "file"', listed(given))
    }
  }
}

/** R7 and R9. */
function* targetRules(
  route: LooseRoute,
  at: JsonPath,
  entries: ReadonlyMap<string, string | undefined> | undefined,
): Generator<Broken> {
  if (entries === undefined) return
  const names = [...entries.keys()]
  const named: [JsonPath, string | undefined][] = [
    [[...at, 'entry'], route.entry],
    [[...at, 'else', 'entry'], route.else?.entry],
  ]
  for (const [place, name] of named) {
    if (name === undefined || entries.has(name)) continue
    yield broken('R7', place, 'a route must name an entry that exists', name, { hint: hint(name, names) })
  }
  const type = entries.get(route.entry ?? '')
  if (route.websocket && (type === 'wsgi' || type === 'cgi')) {
    yield broken('R9', [...at, 'websocket'], '"websocket" must lead to an entry that can be upgraded', type)
  }
}

/** R10. */
function* headerRules(route: LooseRoute, at: JsonPath): Generator<Broken> {
  const seen = new Set<string>()
  for (const name of Object.keys(route.headers ?? {})) {
    const lower = name.toLowerCase()
    const problem = OWN_HEADERS.has(lower)
      ? 'a header must not be one that Zapp itself sends'
      : seen.has(lower)
        ? 'a header must be given once, whatever its case'
        : lower === 'cache-control' && Object.hasOwn(route, 'cache')
          ? 'Cache-Control must not stand beside "cache", which writes it'
          : undefined
    seen.add(lower)
    if (problem !== undefined) yield broken('R10', [...at, 'headers', name], problem, name, { target: 'key' })
  }
}
