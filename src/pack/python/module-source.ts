/** A Python module, as text: what it imports, and its statements at the top. None of it is run. */
export interface ModuleSource {
  /** Local names and what they stand for: `Flask` → "flask.Flask", `api` → ".views.api". */
  readonly names: ReadonlyMap<string, string>
  readonly statements: readonly Statement[]
  /** Comments and long strings blanked; lines are where they were. */
  readonly text: string
}

/** A statement that runs when the module is imported. */
export interface Statement {
  /** Its first line, with those that its brackets take in. */
  readonly text: string
  /** The lines indented below it. */
  readonly body: string
  /** From 1. */
  readonly line: number
}

export function readModule(source: string): ModuleSource {
  const text = blanked(source)
  const statements = statementsOf(text)
  return { text, statements, names: importedNames(statements) }
}

/** Comments and strings in triple quotes go, their line ends stay. */
function blanked(source: string): string {
  const tokens = /"""[\s\S]*?"""|'''[\s\S]*?'''|("(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*')|#[^\n]*/g
  return source
    .replace(/\r\n?/g, '\n')
    .replace(tokens, (token, text?: string) => text ?? (token.startsWith('#') ? '' : `""${lineEnds(token)}`))
}

function lineEnds(text: string): string {
  return text.replace(/[^\n]/g, '')
}

/** Of a top-level `with`, `try` or `else` the inner ones too: they run as well. */
function statementsOf(text: string): readonly Statement[] {
  const statements: { text: string; body: string; line: number }[] = []
  let depth = 0
  let inside = false
  for (const [i, line] of text.split('\n').entries()) {
    const open = depth > 0
    depth = Math.max(0, depth + brackets(line))
    const last = statements.at(-1)
    if (open && last) {
      last.text += `\n${line}`
      last.body += `\n${line}`
      continue
    }
    if (line.trim() === '') continue
    const isTop = !/^\s/.test(line)
    if (isTop) inside = /^(?:with|async with|try|else)\b/.test(line)
    else if (last) last.body += `\n${line}`
    if (isTop || (inside && /^(?: {4}|\t| {2})\S/.test(line)))
      statements.push({ text: line.trim(), body: '', line: i + 1 })
  }
  return statements
}

function brackets(line: string): number {
  const plain = line.replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g, '')
  return (plain.match(/[([{]/g)?.length ?? 0) - (plain.match(/[)\]}]/g)?.length ?? 0)
}

function importedNames(statements: readonly Statement[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (const { text } of statements) {
    const { from, list } = /^from\s+(?<from>[.\w]+)\s+import\s+(?<list>[\s\S]+)$/.exec(text)?.groups ?? {}
    if (from !== undefined) {
      const prefix = from.endsWith('.') ? from : `${from}.`
      for (const [name, local] of imports(list ?? '')) names.set(local, prefix + name)
    }
    const modules = /^import\s+(?<list>[\s\S]+)$/.exec(text)?.groups?.list
    // `import a.b` binds `a`.
    for (const [name, local] of imports(modules ?? '')) {
      if (name === local) names.set(name.split('.', 1)[0] ?? name, name.split('.', 1)[0] ?? name)
      else names.set(local, name)
    }
  }
  return names
}

function imports(list: string): [name: string, local: string][] {
  return list
    .replace(/[()]/g, ' ')
    .split(',')
    .map((part) => /^\s*(?<name>[\w.]+)(?:\s+as\s+(?<local>\w+))?\s*$/.exec(part)?.groups)
    .filter((found) => found !== undefined)
    .map(({ name = '', local }) => [name, local ?? name])
}

/** What a dotted name of the module stands for: `flask.Flask` where `import flask` is there. */
export function qualified(name: string, names: ReadonlyMap<string, string>): string {
  const [first = '', ...rest] = name.split('.')
  return [names.get(first) ?? first, ...rest].join('.')
}
