/** The JSON schemas of the files that people write, from their zod schemas. */
import * as z from 'zod'

/**
 * The keywords that the generated schema may use. A loader in another language interprets these and no others:
 *
 * - `type`: "object", "array", "string", "boolean", "integer", "number"; a boolean is no number
 * - `const`, `enum`: compared as JSON values, so true is not 1
 * - `pattern`: anchored ^(?:…)$; `maxLength`, `minLength`: in code points
 * - `minimum`, `maximum`; `items`, `minItems`, `maxItems`
 * - `properties`, `required`, `propertyNames`, `patternProperties` (the free keys only), `additionalProperties`
 * - `$ref` to a member of `$defs`; `oneOf`: the choice whose properties.type.const is the value's "type"
 *
 * The rest are for people and editors.
 */
const KEYWORDS = {
  interpreted: [
    ...['type', 'const', 'enum', 'pattern', 'minLength', 'maxLength', 'minimum', 'maximum'],
    ...['items', 'minItems', 'maxItems', 'properties', 'required', 'propertyNames'],
    ...['patternProperties', 'additionalProperties', '$ref', '$defs', 'oneOf'],
  ],
  annotations: ['$schema', 'title', 'description', 'default', 'examples'],
}

const FREE_KEYS = '^(?:x-[!-~]*)$'

/** @param {z.ZodType} manifestSchema */
export function manifestJsonSchema(manifestSchema) {
  const schema = toJsonSchema(manifestSchema, 'zapp.json')
  check(schema)
  return schema
}

/** That of the host's settings: only this host reads them, so it may use every keyword. @param {z.ZodType} settingsSchema */
export function settingsJsonSchema(settingsSchema) {
  return toJsonSchema(settingsSchema, 'zapp.host.json')
}

/** @param {z.ZodType} zodSchema @param {string} title */
function toJsonSchema(zodSchema, title) {
  const { $schema, ...schema } = z.toJSONSchema(zodSchema, {
    io: 'input',
    override({ jsonSchema }) {
      if (jsonSchema.additionalProperties === false) jsonSchema.patternProperties = { [FREE_KEYS]: {} }
      // What every key of an object is anyway.
      if (JSON.stringify(jsonSchema.propertyNames) === '{"type":"string"}') delete jsonSchema.propertyNames
    },
  })
  return { $schema, title, ...schema }
}

/** Throws where the schema uses what other languages cannot interpret, or would read differently. @param {any} schema */
function check(schema) {
  if (typeof schema !== 'object') return
  for (const keyword of Object.keys(schema)) {
    if (![...KEYWORDS.interpreted, ...KEYWORDS.annotations].includes(keyword)) throw new Error(`keyword ${keyword}`)
  }
  if ('pattern' in schema && !/^\^\(\?:.*\)\$$/.test(schema.pattern)) throw new Error(`not anchored: ${schema.pattern}`)
  if ('pattern' in schema && /\\[dwsbDWSB]/.test(schema.pattern)) throw new Error(`differs: ${schema.pattern}`)
  const { properties = {}, $defs = {}, oneOf = [], items, additionalProperties, propertyNames } = schema
  const parts = [
    ...Object.values(properties),
    ...Object.values($defs),
    ...oneOf,
    items,
    additionalProperties,
    propertyNames,
  ]
  for (const part of parts) if (part !== undefined) check(part)
}
