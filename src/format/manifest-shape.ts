import * as z from 'zod'
import type { ErrorCode } from '../errors.ts'
import { didYouMean, hint } from './did-you-mean.ts'
import type { JsonPath } from './json.ts'
import { manifestSchema } from './manifest.ts'
import { ENTRY_TYPES } from './manifest-entry.ts'
import type { LooseManifest } from './manifest-loose.ts'

/** A place that breaks the schema. */
export interface Misshape {
  readonly code: Extract<ErrorCode, `MANIFEST_${'REQUIRED' | 'UNKNOWN_KEY' | 'TYPE' | 'VALUE'}`>
  readonly at: JsonPath
  readonly target: 'key' | 'value'
  /** Completes "<key> must be …". */
  readonly expected: string
  readonly got: unknown
  readonly hint: string
  /** The key that a misspelt one stands for. */
  readonly meant?: string
}

export interface Shape {
  readonly misshapes: readonly Misshape[]
  /** The value without what is misshapen (Loose tells how); undefined where it is no object at all. */
  readonly loose: LooseManifest | undefined
}

/**
 * Checks a value against the schema. How its keywords become codes (FORMAT.md §Manifest): `required` MANIFEST_REQUIRED,
 * `additionalProperties` MANIFEST_UNKNOWN_KEY, `type` MANIFEST_TYPE, every other MANIFEST_VALUE; `oneOf` is the choice
 * that the entry's "type" makes.
 */
export function checkShape(value: unknown): Shape {
  const misshapes = findMisshapes(value, manifestSchema)
  if (misshapes.some(({ at }) => at.length === 0)) return { misshapes, loose: undefined }
  const loose = structuredClone(value) as LooseManifest
  for (const misshape of misshapes) takeOut(loose, misshape)
  return { misshapes, loose }
}

/** Where a value breaks a schema; the one of the manifest, or of another file that is read in the same way. */
export function findMisshapes(value: unknown, schema: z.ZodType): Misshape[] {
  const issues = schema.safeParse(value).error?.issues ?? []
  const all = issues.flatMap((issue) => misshapesOf(issue, value, schema))
  const meant = new Set(
    all.flatMap(({ at, meant }) => (meant === undefined ? [] : [JSON.stringify([...at.slice(0, -1), meant])])),
  )
  const judged = new Set<string>()
  return all.filter(({ code, at, target }) => {
    const place = JSON.stringify(at)
    if (code === 'MANIFEST_REQUIRED' && meant.has(place)) return false
    // zod goes on after a wrong type: an array where text must be is then too short as well.
    const isFirst = !judged.has(target + place)
    judged.add(target + place)
    return isFirst
  })
}

function misshapesOf(issue: z.core.$ZodIssue, value: unknown, schema: z.ZodType): Misshape[] {
  const at = issue.path as JsonPath
  const got = valueAt(value, at)
  const base = { at, target: 'value', got, hint: '' } as const
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.filter((key) => !FREE_KEY.test(key)).map((key) => unknownKey([...at, key], value, schema))
    case 'invalid_key':
      return [{ ...base, code: 'MANIFEST_VALUE', target: 'key', expected: issue.issues[0]!.message, got: at.at(-1) }]
    case 'invalid_type':
      if (got === undefined) return [{ ...base, code: 'MANIFEST_REQUIRED', expected: 'present' }]
      return [
        { ...base, code: 'MANIFEST_TYPE', expected: ownText(issue.message) ?? TYPES[issue.expected] ?? issue.expected },
      ]
    case 'invalid_union': {
      // Of an object and a list of such, the one that it is.
      const near = issue.errors.find((branch) =>
        branch.every(({ code, path }) => code !== 'invalid_type' || path.length > 0),
      )
      if (near)
        return near.flatMap((inner) => misshapesOf({ ...inner, path: [...issue.path, ...inner.path] }, value, schema))
      if (ownText(issue.message) && got !== undefined) {
        return [{ ...base, code: 'MANIFEST_TYPE', expected: issue.message }]
      }
      return [notOneOf(base, Object.keys(ENTRY_TYPES))]
    }
    case 'invalid_value':
      return [notOneOf(base, issue.values as (string | number)[], ownText(issue.message))]
    default:
      return [{ ...base, code: 'MANIFEST_VALUE', expected: issue.message }]
  }
}

/** Free in every object whose keys the format defines; in a map a key is a name. */
const FREE_KEY = /^(?:x-[!-~]*)$/

const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  object: 'an object',
  record: 'an object',
  array: 'an array',
}

/** The message where the schema gives one itself, instead of zod. */
function ownText(message: string): string | undefined {
  return message.startsWith('Invalid ') ? undefined : message
}

function notOneOf(
  base: Omit<Misshape, 'code' | 'expected'>,
  values: readonly (string | number)[],
  text?: string,
): Misshape {
  const { got } = base
  if (got === undefined) return { ...base, code: 'MANIFEST_REQUIRED', expected: 'present' }
  const expected = text ?? `one of ${values.map((value) => JSON.stringify(value)).join(', ')}`
  if (typeof got !== typeof values[0]) return { ...base, code: 'MANIFEST_TYPE', expected }
  return {
    ...base,
    code: 'MANIFEST_VALUE',
    expected,
    hint: typeof got === 'string' ? hint(got, values.map(String)) : '',
  }
}

function unknownKey(at: JsonPath, value: unknown, schema: z.ZodType): Misshape {
  const key = String(at.at(-1))
  const known = keysAt(at.slice(0, -1), value, schema)
  const meant = didYouMean(key, known)
  const types = schema === manifestSchema && isEntry(at.slice(0, -1)) ? typesWith(key) : []
  const list = known.length > 0 && known.length <= 10 ? ` (keys here: ${known.join(', ')})` : ''
  return {
    ...{ code: 'MANIFEST_UNKNOWN_KEY', at, target: 'key', expected: 'a known key', got: key },
    hint: types.length > 0 ? ` (a key of type ${types.join(', ')})` : meant ? hint(key, known) : list,
    ...(types.length === 0 && meant !== undefined ? { meant } : {}),
  }
}

function typesWith(key: string): string[] {
  return Object.entries(ENTRY_TYPES).flatMap(([type, { shape }]) =>
    Object.hasOwn(shape, key) ? [JSON.stringify(type)] : [],
  )
}

/** The keys that the schema knows at a path; of an entry, those of its type. */
function keysAt(path: JsonPath, value: unknown, root: z.ZodType): string[] {
  let schema: unknown = root
  for (const [index, step] of path.entries()) {
    if (schema instanceof z.ZodObject) schema = schema.shape[step]
    else if (schema instanceof z.ZodRecord) schema = schema.def.valueType
    else if (schema instanceof z.ZodArray) schema = schema.element
    if (schema instanceof z.ZodOptional) schema = schema.def.innerType
    if (schema instanceof z.ZodUnion && !(schema instanceof z.ZodDiscriminatedUnion)) {
      const isList = Array.isArray(valueAt(value, path.slice(0, index + 1)))
      schema = schema.options.find((option) => option instanceof z.ZodArray === isList)
    }
    if (schema instanceof z.ZodDiscriminatedUnion) {
      const type = valueAt(value, [...path.slice(0, index + 1), 'type'])
      schema = Object.entries(ENTRY_TYPES).find(([name]) => name === type)?.[1]
    }
  }
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
}

/** Takes out what is misshapen; an entry without a known type as a whole, since its other keys mean nothing then. */
function takeOut(loose: LooseManifest, { at, code, meant }: Misshape): void {
  const isType = at.at(-1) === 'type' && isEntry(at.slice(0, -1))
  const path = isType ? at.slice(0, -1) : at
  const parent = valueAt(loose, path.slice(0, -1))
  if (!isObject(parent)) return
  if (isType || code !== 'MANIFEST_REQUIRED') parent[path.at(-1)!] = undefined
  // A misspelt key stands for the right one: that must not be reported as missing too.
  if (meant !== undefined && !Object.hasOwn(parent, meant)) parent[meant] = undefined
}

function isEntry(path: JsonPath): boolean {
  return (path[0] === 'entry' && path.length === 1) || (path[0] === 'entries' && path.length === 2)
}

function valueAt(value: unknown, path: JsonPath): unknown {
  return path.reduce<unknown>((at, key) => (isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined), value)
}

function isObject(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null
}
