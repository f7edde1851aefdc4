/** What a JavaScript module lets a loader find, read off its text; none of it is run. */
export interface ModuleShape {
  /** What it exports that a loader can call, in words: "an Express app". */
  readonly listener?: 'an Express app' | 'a (req, res) function' | 'an http.Server'
  /** The statement that exports it. */
  readonly statement?: string
  /** It calls `listen` when it is loaded, not only when it is the program itself. */
  readonly listens: boolean
  /** Modules of the project that it loads, as written: "../app". */
  readonly imports: readonly string[]
}

type Kind = NonNullable<ModuleShape['listener']>

// Loaders look for the module itself, `default` and these.
const EXPORT_NAMES = '(?:default|app|handler|listener|server)'
const PARAMETERS = String.raw`\(\s*_?req(?:uest)?\s*,\s*_?res(?:ponse)?\s*(?:,\s*_?next\s*)?\)`
const FUNCTION = String.raw`(?:async\s+)?(?:function\s*\w*\s*${PARAMETERS}|${PARAMETERS}\s*=>)`
// `if (require.main === module)`, `if (!module.parent)`, `if (import.meta.url === …process.argv[1]…)`.
const IS_PROGRAM =
  /require\.main\s*===?\s*module|module\s*===?\s*require\.main|module\.parent|import\.meta\.main|process\.argv\[1\]/

/** Only plain, common forms are recognised: anything else is left to the author's manifest. */
export function moduleShape(source: string): ModuleShape {
  const text = withoutComments(source)
  const listen = text.search(/\.listen\s*\(/)
  const guard = text.search(IS_PROGRAM)
  const found = findExport(text)
  return {
    ...(found ? { listener: found.kind, statement: found.statement } : {}),
    listens: listen >= 0 && !(guard >= 0 && guard < listen),
    imports: [...text.matchAll(/(?:require\(\s*|from\s+|import\s+)["'](\.[^"']*)["']/g)].map((match) => match[1] ?? ''),
  }
}

function findExport(text: string): { kind: Kind; statement: string } | undefined {
  const values = namedValues(text)
  for (const [pattern, name] of EXPORTS) {
    for (const match of text.matchAll(pattern)) {
      const value = match.groups?.[name]?.trim() ?? ''
      const kind = values.get(value) ?? kindOf(value, text)
      if (kind) return { kind, statement: (match[0].trim().split('\n', 1)[0] ?? '').slice(0, 80) }
    }
  }
  return undefined
}

const EXPORTS: readonly (readonly [pattern: RegExp, group: string])[] = [
  [
    /^\s*(?:var\s+\w+\s*=\s*)?(?:exports\s*=\s*)?module\.exports\s*=\s*(?:exports\s*=\s*)?(?<value>[^;\n{]+)/gm,
    'value',
  ],
  [new RegExp(String.raw`^\s*(?:module\.)?exports\.${EXPORT_NAMES}\s*=\s*(?<value>[^;\n]+)`, 'gm'), 'value'],
  // module.exports = { app } and { app: shop }
  [
    new RegExp(
      String.raw`^\s*module\.exports\s*=\s*\{(?:[^}]*,)?\s*(?:${EXPORT_NAMES}\s*:\s*)?(?<value>\w+)\s*[,}]`,
      'gm',
    ),
    'value',
  ],
  [/^\s*export\s+default\s+(?<value>[^;\n]+)/gm, 'value'],
  [new RegExp(String.raw`^\s*export\s+(?:const|let|var)\s+${EXPORT_NAMES}\s*=\s*(?<value>[^;\n]+)`, 'gm'), 'value'],
  // export { app }, export { shop as default }
  [
    new RegExp(String.raw`^\s*export\s*\{(?:[^}]*,)?\s*(?<value>\w+)(?:\s+as\s+${EXPORT_NAMES})?\s*[,}]`, 'gm'),
    'value',
  ],
]

/** Variables and functions of the module that a loader could call. */
function namedValues(text: string): ReadonlyMap<string, Kind> {
  const values = new Map<string, Kind>()
  for (const { groups } of text.matchAll(
    /^\s*(?:export\s+)?(?:const|let|var)\s+(?<name>\w+)\s*=\s*(?<value>[^;\n]+)/gm,
  )) {
    const kind = kindOf(groups?.value?.trim() ?? '', text)
    if (kind && groups?.name) values.set(groups.name, kind)
  }
  for (const match of text.matchAll(new RegExp(String.raw`^\s*(?:async\s+)?function\s+(\w+)\s*${PARAMETERS}`, 'gm'))) {
    values.set(match[1] ?? '', 'a (req, res) function')
  }
  return values
}

function kindOf(value: string, text: string): Kind | undefined {
  // `var app = module.exports = express()`
  const last = value.replace(/^(?:(?:module\.)?exports(?:\.\w+)?\s*=\s*)+/, '')
  if (new RegExp(`^${FUNCTION}`).test(last)) return 'a (req, res) function'
  if (/^(?:https?\.)?createServer\s*\(/.test(last)) return 'an http.Server'
  const call = /^(?:require\(\s*["']express["']\s*\)|(?<name>\w+))\s*\(\s*\)/.exec(last)
  if (!call) return undefined
  const { name } = call.groups ?? {}
  return name === undefined || importsExpress(name, text) ? 'an Express app' : undefined
}

function importsExpress(name: string, text: string): boolean {
  return new RegExp(
    String.raw`\b${name}\s*=\s*require\(\s*["']express["']\s*\)|import\s+(?:\*\s+as\s+)?${name}\s+from\s+["']express["']`,
  ).test(text)
}

/** Comments go, strings stay: what is in quotes may look like a comment. */
function withoutComments(source: string): string {
  const tokens = /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g
  return source.replace(tokens, (_, text: string | undefined) => text ?? '')
}
