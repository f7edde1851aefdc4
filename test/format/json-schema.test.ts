import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseManifest } from '../../src/format/manifest-parse.ts'

/*
 * A loader in another language checks the manifest with the generated schema and a small interpreter of its keywords.
 * This one stands for it: what it reads is enough to tell apart what the zod schema tells apart.
 */

const ROOT = join(import.meta.dirname, '../..')
const SCHEMA = JSON.parse(readFileSync(join(ROOT, 'schema/manifest.v1.schema.json'), 'utf8'))
const FIXTURES = join(ROOT, 'fixtures/manifests')
const readJson = (name: string) => JSON.parse(readFileSync(join(FIXTURES, name), 'utf8'))

// biome-ignore lint/suspicious/noExplicitAny: a schema is whatever the JSON holds
function isValid(schema: any, value: any): boolean {
  if (schema.$ref) return isValid(SCHEMA.$defs[schema.$ref.replace('#/$defs/', '')], value)
  if (schema.oneOf) {
    // biome-ignore lint/suspicious/noExplicitAny: see above
    const choice = schema.oneOf.find((option: any) => option.properties.type.const === value?.type)
    return choice !== undefined && isValid(choice, value)
  }
  if (schema.type && !isOfType(schema.type, value)) return false
  if ('const' in schema && value !== schema.const) return false
  if (schema.enum && !schema.enum.includes(value)) return false
  if (typeof value === 'string') {
    const { pattern = '', minLength = 0, maxLength = Infinity } = schema
    const { length } = [...value]
    return new RegExp(pattern, 'u').test(value) && length >= minLength && length <= maxLength
  }
  if (typeof value === 'number') return value >= (schema.minimum ?? -Infinity) && value <= (schema.maximum ?? Infinity)
  if (Array.isArray(value)) {
    const { minItems = 0, maxItems = Infinity, items = {} } = schema
    return value.length >= minItems && value.length <= maxItems && value.every((item) => isValid(items, item))
  }
  if (typeof value !== 'object' || value === null) return true
  const {
    properties = {},
    required = [],
    propertyNames = {},
    patternProperties = {},
    additionalProperties = {},
  } = schema
  return (
    required.every((key: string) => Object.hasOwn(value, key)) &&
    Object.entries(value).every(([key, member]) => {
      if (!isValid(propertyNames, key)) return false
      if (Object.hasOwn(properties, key)) return isValid(properties[key], member)
      if (Object.keys(patternProperties).some((pattern) => new RegExp(pattern, 'u').test(key))) return true
      return additionalProperties !== false && isValid(additionalProperties, member)
    })
  )
}

function isOfType(type: string, value: unknown): boolean {
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  if (type === 'array') return Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  return typeof value === type
}

describe('the generated schema', () => {
  test.each(readdirSync(FIXTURES).filter((name) => name.endsWith('.json')))('accepts %s', (name) => {
    expect(isValid(SCHEMA, readJson(name))).toBe(true)
  })

  test.each(readdirSync(join(FIXTURES, 'rejected')).filter((name) => /^MANIFEST_(?:REQ|UNK|TYPE|VALUE)/.test(name)))(
    'refuses %s',
    (name) => expect(isValid(SCHEMA, readJson(join('rejected', name)))).toBe(false),
  )

  test.each(readdirSync(join(FIXTURES, 'rejected')).filter((name) => /^MANIFEST_(?:RULE|PATH)/.test(name)))(
    'leaves %s to the rules',
    (name) => expect(isValid(SCHEMA, readJson(join('rejected', name)))).toBe(true),
  )

  test('leaves free the keys that parseManifest leaves free', () => {
    for (const key of ['x-', 'x-note', 'x-"~', 'x-é', 'x-a b', 'x-\n', 'X-note', 'xnote']) {
      const source = { zapp: 1, name: 'shop', version: '1.0.0', [key]: null }
      const { findings } = parseManifest(new TextEncoder().encode(JSON.stringify(source)))
      expect(isValid(SCHEMA, source), key).toBe(findings.length === 0)
    }
  })

  test('documents every key', () => {
    const undocumented: string[] = []
    // biome-ignore lint/suspicious/noExplicitAny: see above
    const walk = (schema: any, at: string) => {
      for (const [key, property] of Object.entries<Record<string, unknown>>(schema.properties ?? {})) {
        if (!property.description && !property.const) undocumented.push(`${at}.${key}`)
        walk(property, `${at}.${key}`)
      }
      for (const part of ['items', 'additionalProperties'] as const)
        if (schema[part]) walk(schema[part], `${at}.${part}`)
      for (const [index, option] of (schema.oneOf ?? []).entries()) walk(option, `${at}[${index}]`)
    }
    walk(SCHEMA, '')
    walk(SCHEMA.$defs.entry, 'entry')
    expect(undocumented).toEqual([])
  })
})
