/**
 * Findings as data, their text, and the one error class that carries them. Strings of arguments go into a text through
 * {@link quote}, so that hostile bytes never reach a terminal or a log raw.
 */
import { ERRORS } from './error-codes.ts'

export { ERRORS }
export type ErrorCode = keyof typeof ERRORS
export type Severity = 'error' | 'warning'
export type Args = Readonly<Record<string, string | number | boolean | readonly string[]>>

/** One thing that is wrong, as data; {@link describe} makes the text. */
export interface Finding {
  readonly code: ErrorCode
  readonly severity: Severity
  /** An entry name, a file, or "" for the archive as a whole. */
  readonly path: string
  /** 1-based; set where the finding points into a text file. */
  readonly line?: number
  readonly column?: number
  readonly args: Args
}

/** Arguments that a row's texts name. `file`, `hint` and `about` may be missing: the sentence is whole without them. */
type Named<T extends string> = T extends `${string}{${infer N}}${infer Rest}` ? N | Named<Rest> : never
type Needed<C extends ErrorCode> = Exclude<Named<(typeof ERRORS)[C]['message' | 'fix']>, 'file' | 'hint' | 'about'>
type IsUnion<T, U = T> = T extends unknown ? ([U] extends [T] ? false : true) : never
/** For a code that is written out the compiler holds that its message gets all it names; for one that is computed, tests do. */
type ArgsOf<C extends ErrorCode> =
  IsUnion<C> extends true
    ? [args?: Args]
    : [Needed<C>] extends [never]
      ? [args?: Args]
      : [args: Args & { readonly [K in Needed<C>]: Args[string] }]

/** A finding of level error. */
export function finding<C extends ErrorCode>(code: C, path: string, ...[args = {}]: ArgsOf<C>): Finding {
  return { code, severity: 'error', path, args }
}

/** A finding of level warning: the archive may still be opened. */
export function warning<C extends ErrorCode>(code: C, path: string, ...[args = {}]: ArgsOf<C>): Finding {
  return { code, severity: 'warning', path, args }
}

/** The text of a finding: what is wrong and what to do next, without the place. */
export function describe(f: Pick<Finding, 'code' | 'path' | 'args'>): { message: string; fix: string } {
  const row = ERRORS[f.code]
  return { message: fill(row.message, f), fix: fill(row.fix, f) }
}

function fill(template: string, f: Pick<Finding, 'path' | 'args'>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = f.args[name] ?? (name === 'file' ? 'FILE' : '')
    // An amount, but for the id of a process.
    if (typeof value === 'number') return name === 'pid' ? String(value) : value.toLocaleString('en-US')
    if (typeof value === 'boolean') return String(value)
    if (typeof value === 'string') return RAW_ARGS.has(name) || WORDS.has(value) ? value : quote(value)
    return value.map(quote).join(', ')
  })
}

/**
 * Text that would do something to a terminal or hide: control characters (cursor, colours, the title bar), format
 * characters (direction overrides, zero-width, tags), line separators, lone surrogates, and all that renders as nothing.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu

/** The same text with every unsafe character as `\uXXXX`, one for each UTF-16 unit, as JSON writes them. */
export function escapeUnsafe(text: string): string {
  return text.replace(UNSAFE, (char) => {
    let out = ''
    for (let i = 0; i < char.length; i++) out += `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`
    return out
  })
}

/** As a JSON string that is safe to print; parsing it gives back the same text. */
export function quote(text: string): string {
  return escapeUnsafe(JSON.stringify(text))
}

/** What stands for a value that cannot be shown as it is: without quotes too. */
const WORDS: ReadonlySet<string> = new Set([
  'a secret',
  'both',
  'an object',
  'an array',
  'null',
  'nothing',
  'the end of the file',
])

/** Arguments whose text Zapp itself wrote: shown without quotes. */
const RAW_ARGS: ReadonlySet<string> = new Set([
  'about',
  'command',
  'detail',
  'expected',
  'field',
  'file',
  'fix',
  'hint',
  'operation',
  'problem',
  'reason',
  'rule',
  'runtime',
  'what',
  'where',
  'who',
])

/** The only error class that Zapp throws on purpose. `code` is a key of {@link ERRORS}. */
export class ZappError extends Error {
  override readonly name = 'ZappError'
  readonly code: ErrorCode
  readonly path: string
  readonly args: Args
  /** What to do next. */
  readonly fix: string
  /** HTTP status that fits, where the error surfaces in a server. */
  readonly status: number
  /** Everything that was found, the thrown one first. */
  readonly findings: readonly Finding[]

  constructor(first: Finding, all: readonly Finding[] = [first], options?: ErrorOptions) {
    const { message, fix } = describe(first)
    super(first.path === '' ? message : `${quote(first.path)}: ${message}`, options)
    this.code = first.code
    this.path = first.path
    this.args = first.args
    this.fix = fix
    this.status = ERRORS[first.code].status
    this.findings = all
  }
}

/** Shorthand: `throw fail('TARGET_EXISTS', dir, { target: dir })`. */
export function fail<C extends ErrorCode>(
  code: C,
  path: string,
  ...[args = {}, cause]: [...ArgsOf<C>, cause?: unknown] | ArgsOf<C>
): ZappError {
  const f: Finding = { code, severity: 'error', path, args: args as Args }
  return new ZappError(f, [f], cause === undefined ? undefined : { cause })
}

/** Throws the first finding of level error, if there is one. */
export function throwIfErrors(findings: readonly Finding[]): void {
  const first = findings.find((f) => f.severity === 'error')
  if (first) throw new ZappError(first, findings)
}

/** What is no error of ours is a fault of ours, INTERNAL. */
export function asZappError(error: unknown): ZappError {
  if (error instanceof ZappError) return error
  return fail('INTERNAL', '', { reason: error instanceof Error ? error.message : String(error) }, error)
}
