import type { ErrorCode } from '../errors.ts'
import type { JsonPath } from './json.ts'

/** One broken rule of manifest-rules.ts. */
export interface Broken {
  readonly code: ErrorCode
  readonly rule: string
  readonly at: JsonPath
  readonly target: 'key' | 'value'
  readonly expected: string
  /** As it stands in the file. */
  readonly got: unknown
  readonly hint?: string
}

/** MANIFEST_RULE at a value, unless `more` says otherwise. */
export function broken(rule: string, at: JsonPath, expected: string, got: unknown, more: Partial<Broken> = {}): Broken {
  return { code: 'MANIFEST_RULE', rule, at, target: 'value', expected, got, ...more }
}

/** Which of the keys an object has, refused values included. */
export function keysIn(object: object, keys: readonly string[]): string[] {
  return keys.filter((key) => Object.hasOwn(object, key))
}

/** The value of a finding's `got` for keys that exclude each other. */
export function listed(keys: readonly string[]): string {
  return keys.length === 0 ? 'nothing' : keys.join(' and ')
}
