import * as z from 'zod'
import { DURATION_PATTERN } from './duration.ts'
import { RANGE_PATTERN } from './version-range.ts'

/*
 * The kinds of values that zapp.json is made of. A pattern is anchored ^(?:…)$ and uses nothing that JavaScript and
 * Python read differently (no \d, \w, \s, no dot): the generated schema carries it to loaders in other languages.
 * The text given as `error` completes the sentence "<key> must be …".
 */

interface Notes {
  /** What a loader assumes where the key is missing. */
  readonly default?: unknown
  readonly example?: unknown
}

/** A schema with the documentation that editors show and complete from. */
export function documented<T extends z.ZodType>(schema: T, description: string, notes: Notes = {}): T {
  const { default: fallback, example } = notes
  const sentences = [description]
  if (fallback !== undefined) sentences.push(`Default: ${JSON.stringify(fallback)}.`)
  if (example !== undefined) sentences.push(`Example: ${JSON.stringify(example)}.`)
  return schema.meta({
    description: sentences.join(' '),
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(example === undefined ? {} : { examples: [example] }),
  })
}

/** A key that may be left out. */
export function optional<T extends z.ZodType>(schema: T, description: string, notes?: Notes): z.ZodOptional<T> {
  return documented(schema.optional(), description, notes)
}

function text(pattern: RegExp, error: string) {
  return z.string().regex(pattern, { error })
}

/** One line of text for people. */
export const line = () =>
  text(/^(?:[^\u0000-\u001f\u007f-\u009f\u2028\u2029]{1,200})$/u, 'one line of 1 to 200 characters')

export const paragraph = () =>
  text(/^(?:[^\u0000-\u0008\u000b-\u001f\u007f-\u009f]{1,4000})$/u, 'text of 1 to 4,000 characters')

/** The name of an app, an entry, a data folder, a process: it appears in file names, paths and commands. */
export const name = () =>
  text(
    /^(?:[a-z0-9][a-z0-9._-]{0,63})$/,
    '1 to 64 lower-case letters, digits, ".", "_" or "-", beginning with a letter or digit',
  )

export const variable = () =>
  text(/^(?:[A-Za-z_][A-Za-z0-9_]{0,127})$/, 'a variable name: letters, digits and "_", not beginning with a digit')

/** Semantic Versioning 2.0.0, the expression of semver.org. Its length ends up in file names. */
export const semver = () =>
  z
    .string()
    .max(128, { error: 'at most 128 characters', abort: true })
    .regex(
      /^(?:(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)(?:-(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)$/,
      { error: 'a semantic version like "1.2.0" or "1.2.0-beta.1"' },
    )

/** A file or folder of the archive; rule R22 judges it as an entry path. */
export const path = () => z.string().min(1, { error: 'the path of a file or folder in the archive' })

export const webAddress = () => text(/^(?:https?:\/\/[!-[\]-~]+)$/, 'a web address that begins with "https://"')

/** A path of this server, never "//host", or a whole address. Backslashes, which browsers read as slashes, are out. */
export const redirectTarget = () =>
  text(
    /^(?:\/(?:[!-.0-[\]-~][!-[\]-~]*)?|https?:\/\/[!-[\]-~]+)$/,
    'a path that begins with one "/" or an address that begins with "https://", in visible ASCII',
  )

export const requestPath = () =>
  text(/^(?:\/(?:[!"$-.0-[\]-~][!"$-[\]-~]*)?)$/, 'a path that begins with one "/", in visible ASCII, without "#"')

export const host = () => text(/^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?(?::[0-9]{1,5})?)$/, 'a host name')

/** RFC 9110, section 5.6.2: token. */
export const headerName = () => text(/^(?:[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128})$/, 'a header name')

/** RFC 9110, section 5.5, without obs-text. */
export const headerValue = () => text(/^(?:[\t -~]{0,4096})$/, 'a header value: visible ASCII, spaces and tabs')

export const environmentValue = () => text(/^(?:[^\u0000]*)$/, 'text without NUL')

export const duration = () => text(DURATION_PATTERN, 'a duration like "30s", "5m" or "1h" (units: ms, s, m, h, d)')

export const cacheRule = () =>
  text(
    /^(?:immutable|no-store|[1-9][0-9]{0,7}(?:s|m|h|d))$/,
    '"immutable", "no-store" or a duration like "1h" (units: s, m, h, d)',
  )

export const versionRange = () =>
  text(RANGE_PATTERN, 'a range like ">=20.19" or ">=3.11,<3.14" (">=" and "<", joined by ",")')

/** `module:attribute` of PEP 3333 and ASGI servers. */
export const callable = () =>
  text(
    /^(?:[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)$/,
    '"module:callable", like "shop.wsgi:application" (a function that makes the app: add "factory": true)',
  )

export const exportName = () => text(/^(?:[A-Za-z_$][A-Za-z0-9_$]{0,127})$/, 'the name of an export')

export const program = () =>
  text(/^(?:[A-Za-z0-9_][A-Za-z0-9._+-]{0,63})$/, 'the name of a program on PATH, without a folder')

export const packageName = () =>
  text(/^(?:(?:@[A-Za-z0-9._-]{1,100}\/)?[A-Za-z0-9._-]{1,100})$/, 'the name of a package')

export const statusKey = () => text(/^(?:[45][0-9][0-9]|[45]xx)$/, 'a status like "404", or "4xx" or "5xx"')

export const base = () =>
  text(/^(?:any|\/|(?:\/[A-Za-z0-9._~-]+)+)$/, '"any", "/" or a path like "/shop", without a slash at the end')

export const count = (max: number) => {
  const error = `a whole number from 1 to ${max}`
  return z.int({ error }).min(1, { error }).max(max, { error })
}

export const argv = () =>
  z
    .array(text(/^(?:[^\u0000]+)$/, 'text without NUL, not empty'), {
      error: 'a list of arguments like ["{node}", "server.js"]',
    })
    .min(1, { error: 'a list with at least the program' })
    .max(256, { error: 'a list of at most 256 arguments' })

export const flag = () => z.boolean({ error: 'true or false' })
