/**
 * Environment markers: "python_version < '3.11' and extra == 'standard'". Dependency specifiers, §Environment markers:
 * https://packaging.python.org/en/latest/specifications/dependency-specifiers/
 */
export type MarkerEnvironment = Readonly<Record<string, string>>

const TOKEN = /\s*(?:(?<text>"[^"]*"|'[^']*')|(?<op><=|>=|===|==|!=|~=|<|>)|(?<paren>[()])|(?<word>[A-Za-z_][\w.]*))/y

/**
 * Whether a marker holds for an environment and any of the extras that were asked for. A marker that cannot be read
 * holds: a package too many is better than one that is missing.
 */
export function holds(
  marker: string | undefined,
  env: MarkerEnvironment,
  extras: ReadonlySet<string> = new Set(),
): boolean {
  if (marker === undefined || marker.trim() === '') return true
  try {
    return new Parser(marker, env, extras).whole()
  } catch (error) {
    if (error instanceof SyntaxError) return true
    throw error
  }
}

class Parser {
  readonly #tokens: string[] = []
  readonly #env: MarkerEnvironment
  readonly #extras: ReadonlySet<string>

  constructor(marker: string, env: MarkerEnvironment, extras: ReadonlySet<string>) {
    this.#env = env
    this.#extras = extras
    const text = marker.trim()
    for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
      TOKEN.lastIndex = at
      const token = TOKEN.exec(text)?.[0].trim()
      if (token === undefined) throw new SyntaxError(marker)
      this.#tokens.push(token)
    }
  }

  whole(): boolean {
    const result = this.#or()
    if (this.#tokens.length > 0) throw new SyntaxError('more follows')
    return result
  }

  #or(): boolean {
    let result = this.#and()
    while (this.#take('or')) result = this.#and() || result
    return result
  }

  #and(): boolean {
    let result = this.#one()
    while (this.#take('and')) result = this.#one() && result
    return result
  }

  #one(): boolean {
    if (this.#take('(')) {
      const result = this.#or()
      if (!this.#take(')')) throw new SyntaxError('")" is missing')
      return result
    }
    const left = this.#next()
    const op = this.#take('not') ? `not ${this.#next()}` : this.#next()
    return this.#compare(left, op, this.#next())
  }

  #compare(left: string, op: string, right: string): boolean {
    if (left === 'extra' || right === 'extra') {
      const asked = this.#extras.has(canonicalName(this.#value(left === 'extra' ? right : left)))
      return op === '!=' ? !asked : asked
    }
    const [a, b] = [this.#value(left), this.#value(right)]
    if (op === 'in') return b.includes(a)
    if (op === 'not in') return !b.includes(a)
    return VERSIONS.has(left) || VERSIONS.has(right) ? compareVersions(a, op, b) : compareTexts(a, op, b)
  }

  #value(token: string): string {
    if (/^["']/.test(token)) return token.slice(1, -1)
    const value = this.#env[token]
    if (value === undefined) throw new SyntaxError(`no variable ${token}`)
    return value
  }

  #next(): string {
    const token = this.#tokens.shift()
    if (token === undefined) throw new SyntaxError('it ends too early')
    return token
  }

  #take(token: string): boolean {
    if (this.#tokens[0] !== token) return false
    this.#tokens.shift()
    return true
  }
}

const VERSIONS: ReadonlySet<string> = new Set(['python_version', 'python_full_version', 'implementation_version'])

/** As the version specifiers say, for plain release numbers: interpreters have no others that markers ask for. */
function compareVersions(a: string, op: string, b: string): boolean {
  const prefix = b.endsWith('.*')
  const bound = release(b)
  const got = prefix || op === '~=' ? release(a) : undefined
  if (prefix && got) {
    const same = bound.every((number, i) => (got[i] ?? 0) === number)
    return op === '!=' ? !same : same
  }
  const order = compareReleases(release(a), bound)
  if (op === '~=' && got) return order >= 0 && bound.slice(0, -1).every((number, i) => (got[i] ?? 0) === number)
  return ordered(order, op)
}

function compareTexts(a: string, op: string, b: string): boolean {
  return ordered(a < b ? -1 : a > b ? 1 : 0, op)
}

function ordered(order: number, op: string): boolean {
  if (op === '<') return order < 0
  if (op === '<=') return order <= 0
  if (op === '>') return order > 0
  if (op === '>=') return order >= 0
  return op === '!=' ? order !== 0 : order === 0
}

function release(version: string): number[] {
  return (/^\s*v?(\d+(?:\.\d+)*)/.exec(version)?.[1] ?? '0').split('.').map(Number)
}

function compareReleases(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const order = (a[i] ?? 0) - (b[i] ?? 0)
    if (order !== 0) return order
  }
  return 0
}

/** Names as registries compare them: `Flask_Login` is `flask-login`. */
export function canonicalName(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase()
}
