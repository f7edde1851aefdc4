import type { Fault } from './fault.ts'
import type { ConfigType, ConfigVar } from './manifest-types.ts'

type Declared = Pick<ConfigVar, 'type' | 'values'>

const KINDS: Readonly<Record<ConfigType, { readonly expected: string; test(text: string, decl: Declared): boolean }>> =
  {
    string: { expected: 'text without NUL', test: (text) => !text.includes('\0') },
    integer: {
      expected: 'an integer like "20", within ±(2^53-1)',
      test: (text) => /^(?:0|-?[1-9][0-9]*)$/.test(text) && Number.isSafeInteger(Number(text)),
    },
    boolean: { expected: '"true" or "false"', test: (text) => text === 'true' || text === 'false' },
    // The schemes of databases, queues and mail servers are many: the form is checked, not the scheme.
    url: {
      expected: 'a URL like "postgres://host/name"',
      test: (text) => /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^\u0000- \u007f]+$/.test(text),
    },
    enum: { expected: 'one of', test: (text, { values }) => values.includes(text) },
    json: { expected: 'JSON', test: isJson },
    file: { expected: 'the path of a file', test: (text) => text !== '' && !text.includes('\0') },
  }

/**
 * Whether a value, as the text of an environment variable, fits its declaration. The disk is not looked at.
 * @returns CONFIG_INVALID with {name, expected, got}; a secret is not shown
 */
export function checkConfigValue(decl: ConfigVar, text: string): Fault | undefined {
  const expected = whatConfigValue(decl, text)
  if (expected === undefined) return undefined
  return { code: 'CONFIG_INVALID', args: { name: decl.name, expected, got: decl.secret ? 'a secret' : text } }
}

/** What a value must be, where it is not. */
export function whatConfigValue(decl: Declared, text: string): string | undefined {
  const { expected, test } = KINDS[decl.type]
  if (test(text, decl)) return undefined
  return decl.type === 'enum' ? `${expected} ${decl.values.map((v) => JSON.stringify(v)).join(', ')}` : expected
}

/** A default of the manifest as the text of an environment variable. */
export function configText(type: ConfigType, value: unknown): string {
  return type === 'json' ? JSON.stringify(value) : String(value)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
