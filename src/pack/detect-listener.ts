/** What a JavaScript module lets a loader find, read off its text; none of it is run. */
export interface ModuleShape {
  /** What it exports that a loader can call, in words: "an Express app". */
  readonly listener?: Listener | FetchHandler
  /** The statement that exports it. */
  readonly statement?: string
  /** It calls `listen` when it is loaded, not only when it is the program itself. */
  readonly listens: boolean
  /** What it loads, as written: "../app", "express". */
  readonly imports: readonly string[]
}

type Listener = 'an Express app' | 'a Koa app' | 'a Fastify instance' | 'a (req, res) function' | 'an http.Server'
type FetchHandler = 'a Hono app' | 'a fetch function' | 'an object with a method fetch'
type Kind = Listener | FetchHandler

/** Kinds that are entries of type `fetch`. */
export const FETCH_KINDS: ReadonlySet<string> = new Set<FetchHandler>([
  'a Hono app',
  'a fetch function',
  'an object with a method fetch',
])

// Loaders look for the module itself, `default` and these.
const EXPORT_NAMES = '(?:default|app|handler|listener|server|fetch)'
const PARAMETERS = String.raw`\(\s*_?req(?:uest)?\s*,\s*_?res(?:ponse)?\s*(?:,\s*_?next\s*)?\)`
const FUNCTION = String.raw`(?:async\s+)?(?:function\s*\w*\s*${PARAMETERS}|${PARAMETERS}\s*=>)`
const FETCH_FUNCTION = String.raw`(?:async\s+)?(?:function\s*\w*\s*\(\s*_?(?:req|request)\s*\)|\(?\s*(?:req|request)\s*\)?\s*=>)`
// `if (require.main === module)`, `if (!module.parent)`, `if (import.meta.url === …process.argv[1]…)`.
const IS_PROGRAM =
  /require\.main\s*===?\s*module|module\s*===?\s*require\.main|module\.parent|import\.meta\.main|process\.argv\[1\]/

/** Only plain, common forms are recognised: anything else is left to the author's manifest. */
export function moduleShape(source: string): ModuleShape {
  const text = withoutComments(source)
  const origins = importedNames(text)
  const listen = text.search(/\.listen\s*\(/)
  const serve = [...origins].some(([name, from]) => SERVERS.test(from) && new RegExp(`\\b${name}\\s*\\(`).test(text))
  const guard = text.search(IS_PROGRAM)
  const found = findExport(text, origins)
  return {
    ...(found ? { listener: found.kind, statement: found.statement } : {}),
    listens: (listen >= 0 && !(guard >= 0 && guard < listen)) || (serve && guard < 0),
    imports: [...text.matchAll(/(?:require\(\s*|from\s+|import\s+|import\(\s*)["']([^"']+)["']/g)].map(
      (m) => m[1] ?? '',
    ),
  }
}

/** Packages whose exported functions listen when they are called. */
const SERVERS = /^(?:@hono\/node-server|srvx)$/

/** Local names and what they were imported from. */
function importedNames(text: string): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  const add = (list: string, from: string) => {
    for (const part of list.split(',')) {
      const name = /(?<name>[\w$]+)\s*$/.exec(part)?.groups?.name
      if (name !== undefined) names.set(name, from)
    }
  }
  const imports = /\bimport\s+(?!type\b)(?<names>[\w$\s,*{}]+?)\s+from\s*["'](?<from>[^"']+)["']/g
  const requires =
    /\b(?:const|let|var)\s+(?<names>[\w$]+|\{[^}]*\})\s*=\s*(?:__\w+\()?require\(\s*["'](?<from>[^"']+)["']\s*\)/g
  for (const { groups } of [...text.matchAll(imports), ...text.matchAll(requires)]) {
    add((groups?.names ?? '').replace(/[{}]/g, ''), (groups?.from ?? '').replace(/^node:/, ''))
  }
  return names
}

function findExport(text: string, origins: ReadonlyMap<string, string>): { kind: Kind; statement: string } | undefined {
  const values = namedValues(text, origins)
  // Anything may take a request or be called fetch: one that serves makes a Response, or passes on to what does.
  const answers = /\bResponse\b|\w\.fetch\b/.test(text)
  for (const [pattern, name] of EXPORTS) {
    for (const match of text.matchAll(pattern)) {
      const value = match.groups?.[name]?.trim() ?? ''
      const kind = values.get(value) ?? kindOf(value, origins, values)
      if (kind && (kind !== 'a fetch function' || answers)) return { kind, statement: firstLine(match[0]) }
    }
  }
  const object = answers ? FETCH_OBJECT.exec(text) : undefined
  return object ? { kind: 'an object with a method fetch', statement: firstLine(object[0]) } : undefined
}

function firstLine(text: string): string {
  return (text.trim().split('\n', 1)[0] ?? '').slice(0, 80)
}

const FETCH_OBJECT = /^\s*(?:export\s+default|module\.exports\s*=)\s*\{[^}]*\bfetch\b\s*[,:(}]/m

const EXPORTS: readonly (readonly [pattern: RegExp, group: string])[] = [
  [
    /(?:^|;)\s*(?:var\s+\w+\s*=\s*)?(?:exports\s*=\s*)?module\.exports\s*=\s*(?:exports\s*=\s*)?(?<value>[^;\n{]+)/gm,
    'value',
  ],
  [new RegExp(String.raw`(?:^|;)\s*(?:module\.)?exports\.${EXPORT_NAMES}\s*=\s*(?<value>[^;\n]+)`, 'gm'), 'value'],
  // module.exports = { app } and { app: shop }
  [
    new RegExp(
      String.raw`(?:^|;)\s*module\.exports\s*=\s*\{(?:[^}]*,)?\s*(?:${EXPORT_NAMES}\s*:\s*)?(?<value>\w+)\s*[,}]`,
      'gm',
    ),
    'value',
  ],
  [/(?:^|;)\s*export\s+default\s+(?<value>[^;\n]+)/gm, 'value'],
  [
    new RegExp(String.raw`(?:^|;)\s*export\s+(?:const|let|var)\s+${EXPORT_NAMES}\s*=\s*(?<value>[^;\n]+)`, 'gm'),
    'value',
  ],
  // export { app }, export { shop as default }
  [
    new RegExp(String.raw`(?:^|;)\s*export\s*\{(?:[^}]*,)?\s*(?<value>\w+)(?:\s+as\s+${EXPORT_NAMES})?\s*[,}]`, 'gm'),
    'value',
  ],
]

/** Variables and functions of the module that a loader could call. */
function namedValues(text: string, origins: ReadonlyMap<string, string>): ReadonlyMap<string, Kind> {
  const values = new Map<string, Kind>()
  for (const { groups } of text.matchAll(
    /(?:^|;)\s*(?:export\s+)?(?:const|let|var)\s+(?<name>\w+)\s*=\s*(?<value>[^;\n]+)/gm,
  )) {
    const kind = kindOf(groups?.value?.trim() ?? '', origins, values)
    if (kind && groups?.name) values.set(groups.name, kind)
  }
  for (const match of text.matchAll(
    new RegExp(String.raw`(?:^|;)\s*(?:async\s+)?function\s+(\w+)\s*${PARAMETERS}`, 'gm'),
  )) {
    values.set(match[1] ?? '', 'a (req, res) function')
  }
  return values
}

function kindOf(
  value: string,
  origins: ReadonlyMap<string, string>,
  values: ReadonlyMap<string, Kind>,
): Kind | undefined {
  // `var app = module.exports = express()`
  const last = value.replace(/^(?:(?:module\.)?exports(?:\.\w+)?\s*=\s*)+/, '')
  if (new RegExp(`^${FUNCTION}`).test(last)) return 'a (req, res) function'
  if (new RegExp(`^${FETCH_FUNCTION}`).test(last)) return 'a fetch function'
  if (/^(?:https?\.)?createServer\s*\(/.test(last)) return 'an http.Server'
  const callback = /^(?<app>\w+)\.callback\(\)/.exec(last)?.groups?.app
  if (callback !== undefined && values.get(callback) === 'a Koa app') return 'a (req, res) function'
  const made = MADE.exec(last)?.groups
  return made && FRAMEWORKS[made.from ?? origins.get(made.name ?? '') ?? '']
}

// `express()`, `require('fastify')({ … })`, `new Koa()`, and what TypeScript makes of `express()`.
const MADE =
  /^(?:new\s+)?(?:\(0,\s*)?(?:\(?require\(\s*["'](?<from>[\w@/-]+)["']\s*\)\)?|(?<name>[\w$]+))(?:\.\w+)?\)?(?:<[^()]*>)?\s*\(/

const FRAMEWORKS: Readonly<Record<string, Kind>> = {
  express: 'an Express app',
  koa: 'a Koa app',
  fastify: 'a Fastify instance',
  hono: 'a Hono app',
  'hono/quick': 'a Hono app',
  'hono/tiny': 'a Hono app',
}

/** Comments go, strings stay: what is in quotes may look like a comment. */
function withoutComments(source: string): string {
  const tokens = /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g
  return source.replace(tokens, (_, text: string | undefined) => text ?? '')
}
