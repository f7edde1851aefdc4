import { type ErrorCode, type Finding, finding } from '../errors.ts'
import { type JsonPath, type ParsedJson, type Place, parseJson } from './json.ts'
import type { ManifestSource } from './manifest.ts'
import { normalizeManifest } from './manifest-normalize.ts'
import type { Broken } from './manifest-rule.ts'
import { checkRules } from './manifest-rules.ts'
import { checkShape, type Misshape } from './manifest-shape.ts'
import type { Manifest } from './manifest-types.ts'

export interface ParsedManifest {
  /** Present where nothing was found. */
  readonly manifest?: Manifest
  /** In order of their place, but missing keys and broken rules behind all others. FORMAT.md §Manifest. */
  readonly findings: readonly Finding[]
  /** The file's text; "" where it could not be decoded. */
  readonly text: string
  /** Where a value of the manifest, or the key in front of it, stands. */
  locate(path: JsonPath, target: 'key' | 'value'): Place | undefined
}

/**
 * Reads zapp.json: JSON (rules J), schema, rules between keys (R1 to R21); whether paths exist is for
 * {@link checkManifestPaths}. All that is wrong is reported at once, each with its line and column. Never throws.
 */
export function parseManifest(
  bytes: Uint8Array,
  options: { readonly file?: string; readonly maxBytes?: number } = {},
): ParsedManifest {
  const { file = 'zapp.json', ...limits } = options
  const json = parseJson(bytes, { file, ...limits })
  const { text, locate } = json
  if (json.value === undefined) return { findings: json.findings, text, locate }

  const { misshapes, loose } = checkShape(json.value)
  const all: (Misshape | Broken)[] = [...misshapes, ...(loose ? checkRules(loose) : [])]
  const more = all.map((trouble) => placed(trouble, file, json))
  // A number that JSON's rules refuse must not be a wrong type as well.
  const taken = new Set(json.findings.map(({ line, column }) => `${line}:${column}`))
  const isNew = ({ line, column }: Finding) => !taken.has(`${line}:${column}`)
  const findings = [...json.findings, ...more.filter(isNew)].sort(compareFindings)
  if (findings.length > 0) return { findings, text, locate }
  return { manifest: normalizeManifest(json.value as ManifestSource), findings, text, locate }
}

/** What is missing or contradicts itself: may follow from a key that is misspelt. */
const MAY_FOLLOW: ReadonlySet<ErrorCode> = new Set(['MANIFEST_REQUIRED', 'MANIFEST_RULE', 'MANIFEST_PATH'])

/** Those come last: they are left out by guessing what was meant, and the first finding must not depend on a guess. */
function compareFindings(a: Finding, b: Finding): number {
  return Number(MAY_FOLLOW.has(a.code)) - Number(MAY_FOLLOW.has(b.code)) || a.line! - b.line! || a.column! - b.column!
}

/** A finding about a value of the manifest. What is missing is shown at the object that lacks it. */
export function placed(
  trouble: Pick<Broken, 'code' | 'at' | 'target' | 'expected' | 'got' | 'hint'> & { readonly rule?: string },
  file: string,
  { locate }: Pick<ParsedJson, 'locate'>,
): Finding {
  const { code, at, target, expected, got, hint = '', rule } = trouble
  const parent = at.slice(0, -1)
  const place = locate(at, target) ?? locate(parent, 'key') ?? locate(parent, 'value')
  const key = code === 'MANIFEST_UNKNOWN_KEY' ? String(got) : keyText(at)
  const args = { key, expected, got: gotText(got), hint, ...(rule === undefined ? {} : { rule }) }
  return { ...finding(code, file, args), ...(place && { line: place.line, column: place.column }) }
}

/** `routes['/assets/*'].static`; the file itself is "the manifest". */
function keyText(path: JsonPath): string {
  const text = path.map((step) =>
    typeof step === 'number' ? `[${step}]` : /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(step) ? `.${step}` : `['${step}']`,
  )
  return text.join('').replace(/^\./, '') || 'the manifest'
}

function gotText(got: unknown): string | number | boolean {
  if (got === undefined) return 'nothing'
  if (got === null) return 'null'
  if (Array.isArray(got)) return 'an array'
  if (typeof got === 'number' || typeof got === 'boolean') return got
  if (typeof got !== 'string') return 'an object'
  return got.length > 80 ? `${got.slice(0, 80)}…` : got
}
