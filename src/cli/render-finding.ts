import { isAbsolute } from 'node:path'
import { type Args, describe, type ErrorCode, type Finding } from '../errors.ts'
import { shellWord } from '../format/shell-word.ts'
import { renderExcerpt } from './excerpt.ts'
import { safeText } from './safe-text.ts'
import type { Subject } from './subject.ts'
import type { Style } from './ui.ts'
import { wrap } from './wrap.ts'

/** A finding as every `--json` answer shows it. */
export interface FindingJson {
  readonly code: string
  readonly severity: string
  readonly path: string
  readonly line?: number
  readonly column?: number
  readonly message: string
  readonly fix: string
}

export function findingJson(f: Finding, subject: Subject): FindingJson {
  const path = subject.names.get(f.path) ?? f.path
  return {
    code: f.code,
    severity: f.severity,
    path,
    ...(f.line === undefined ? {} : { line: f.line }),
    ...(f.column === undefined ? {} : { column: f.column }),
    ...describeIn(f, subject),
  }
}

/** Findings one below the other, an empty line between. */
export async function renderFindings(findings: readonly Finding[], subject: Subject, style: Style): Promise<string[]> {
  const texts = new Map<string, string | undefined>()
  const lines: string[] = []
  for (const f of findings) {
    if (f.line !== undefined && !texts.has(f.path)) texts.set(f.path, await subject.text(f.path))
    if (lines.length > 0) lines.push('')
    lines.push(...renderFinding(f, subject, texts.get(f.path), style))
  }
  return lines
}

/**
 * A finding as a compiler would print it; without line and column the excerpt is missing:
 *
 *     error MANIFEST_VALUE  zapp.json:3:14
 *       "version" must be a semantic version, got "1.2"
 *       3 |   "version": "1.2",
 *         |              ^^^^^
 *       fix: Change the value.
 *
 * @param text what line and column point into
 */
function renderFinding(f: Finding, subject: Subject, text: string | undefined, style: Style): string[] {
  const { message, fix } = describeIn(f, subject)
  const accent = f.severity === 'error' ? style.red : style.yellow
  const head = `${accent(style.bold(f.severity))} ${style.bold(f.code)}`
  const place = renderPlace(f, subject)
  const lines = [
    place === '' ? head : `${head}  ${style.cyan(place)}`,
    ...wrap(safeText(message), style.width, '  ', '  '),
  ]
  if (text !== undefined && f.line !== undefined) {
    const excerpt = renderExcerpt(text, { line: f.line, column: f.column ?? 1 }, Math.min(style.width, 100) - 2)
    if (excerpt) lines.push(`  ${excerpt[0]}`, `  ${accent(excerpt[1])}`)
  }
  const [next = '', ...more] = wrap(`fix: ${safeText(fix)}`, style.width, '  ', '       ')
  return [...lines, next.replace('fix:', style.green('fix:')), ...more]
}

/** Trouble of the command line or the machine, whichever archive was asked for. */
const ABOUT_THE_MACHINE: ReadonlySet<ErrorCode> = new Set([
  'USAGE',
  'PORT_IN_USE',
  'CACHE_UNTRUSTED',
  'CACHE_NONE',
  'CACHE_READ_ONLY',
  'STATE_UNTRUSTED',
  'STATE_NONE',
  'INTERNAL',
])

/** `zapp.json:3:14`, `app/zapp.json:3:14`, `shop.zapp › public/a.css`, `shop.zapp`, or nothing. */
function renderPlace(f: Finding, subject: Subject): string {
  const line = f.line === undefined ? '' : `:${f.line}${f.column === undefined ? '' : `:${f.column}`}`
  const path = subject.names.get(f.path) ?? f.path
  if (path === '' && ABOUT_THE_MACHINE.has(f.code)) return ''
  if (subject.file === '' || subject.names.has(f.path) || isAbsolute(path)) return safeText(path) + line
  if (path === '' || subject.kind === 'file') return safeText(subject.file) + line
  if (subject.kind === 'archive') return `${safeText(subject.file)} › ${safeText(path)}${line}`
  return safeText(subject.file === '.' ? path : `${subject.file.replace(/\/+$/, '')}/${path}`) + line
}

/** Messages and next steps name files as the user would type them. */
function describeIn(f: Finding, subject: Subject): { message: string; fix: string } {
  const args: Record<string, Args[string]> = { ...f.args }
  for (const [key, value] of Object.entries(args)) {
    if (typeof value === 'string') args[key] = subject.names.get(value) ?? value
  }
  if (subject.file !== '') args.file ??= subject.local ?? subject.file
  if (typeof args.file === 'string') args.file = shellWord(args.file)
  const { message, fix } = describe({ ...f, args })
  // A wrong command line may name no command: `zapp  --help`.
  return { message, fix: fix.replaceAll('  ', ' ') }
}
