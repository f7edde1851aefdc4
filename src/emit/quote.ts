import { fail } from '../errors.ts'

/*
 * How a text is written where a configuration expects a value, so that it arrives as it is. Control characters never
 * get here (settings.ts). What a syntax cannot say at all is EMIT_VALUE.
 */

/** Of Python: JSON's escapes are a subset of its own. */
export function pythonString(text: string): string {
  return JSON.stringify(text)
}

/**
 * Of Apache: within quotes a backslash stands in front of a quote and of itself (ap_getword_conf). `${…}` is replaced
 * before anything else is looked at, and cannot be escaped.
 */
export function apacheString(text: string): string {
  refuse(text, '${', 'Apache')
  return `"${text.replace(/[\\"]/g, '\\$&')}"`
}

/** A path of Apache's sections <Directory> and <Files>, which take `*`, `?` and `[` for wildcards. */
export function apacheLiteral(path: string): string {
  return apacheString(/[*?[]/.test(path) ? path.replace(/[*?[]/g, '[$&]').replaceAll('\\', '\\\\') : path)
}

/** A value of an ini file of uWSGI: `%` begins a placeholder, `$(` and `@(` are replaced, and ends are trimmed. */
export function uwsgiValue(text: string): string {
  for (const part of ['$(', '@(']) refuse(text, part, 'uWSGI')
  if (text.trim() !== text) throw invalid(text, 'space at its ends', 'uWSGI')
  return text.replaceAll('%', '%%')
}

/** Of nginx, in directives that take no variables: elsewhere a `$` could not be written. */
export function nginxString(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`
}

/** A word of a setting of systemd that takes several: `%` begins a specifier. */
export function systemdWord(text: string): string {
  return `"${systemdText(text).replace(/[\\"]/g, '\\$&')}"`
}

/** A word of ExecStart=: `$` begins a variable there as well. */
export function systemdArgument(text: string): string {
  return /^[\w@+=:,./-]+$/.test(text) ? text : systemdWord(text).replaceAll('$', '$$$$')
}

/** A setting of systemd that takes the rest of its line. */
export function systemdText(text: string): string {
  return text.replaceAll('%', '%%')
}

function refuse(text: string, part: string, where: string): void {
  if (text.includes(part)) throw invalid(text, JSON.stringify(part), where)
}

function invalid(got: string, rule: string, where: string) {
  return fail('EMIT_VALUE', '', { rule, where, got })
}
