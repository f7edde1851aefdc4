// biome-ignore lint/suspicious/noExplicitAny: a schema is taken as it is written
type Schema = Readonly<Record<string, any>>

/** What of a value does not fit a schema: the few words of JSON Schema that the admin API's shapes are written in. */
export function misfits(schemas: Readonly<Record<string, Schema>>, name: string, value: unknown): string[] {
  return check(schemas[name] as Schema, value, name)

  function check(schema: Schema, at: unknown, path: string): string[] {
    if (schema.$ref) return check(schemas[schema.$ref.split('/').at(-1)] as Schema, at, path)
    if (schema.enum) return schema.enum.includes(at) ? [] : [`${path} is ${JSON.stringify(at)}`]
    if (schema.type === 'array') {
      return Array.isArray(at)
        ? at.flatMap((item, i) => check(schema.items, item, `${path}[${i}]`))
        : [`${path} is no list`]
    }
    if (schema.type === 'object') return checkObject(schema, at, path)
    if (typeof at !== schema.type) return [`${path} is ${JSON.stringify(at)}, no ${schema.type}`]
    if (schema.pattern && !new RegExp(schema.pattern).test(at as string)) return [`${path} is ${at}`]
    return schema.format === 'date-time' && Number.isNaN(Date.parse(at as string)) ? [`${path} is no time`] : []
  }

  function checkObject(
    { properties, required = [], additionalProperties }: Schema,
    at: unknown,
    path: string,
  ): string[] {
    if (typeof at !== 'object' || at === null) return [`${path} is no object`]
    const missing = required
      .filter((key: string) => !Object.hasOwn(at, key))
      .map((key: string) => `${path}.${key} is missing`)
    const wrong = Object.entries(at).flatMap(([key, member]) => {
      const known = properties?.[key] ?? additionalProperties
      if (known) return check(known, member, `${path}.${key}`)
      return properties ? [`${path}.${key} is not in the schema`] : []
    })
    return [...missing, ...wrong]
  }
}
