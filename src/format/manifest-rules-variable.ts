import { configText, whatConfigValue } from './config-value.ts'
import type { JsonPath } from './json.ts'
import { entriesOf, type LooseManifest, members } from './manifest-loose.ts'
import { type Broken, broken } from './manifest-rule.ts'

/** What runtimes and loaders obey: an archive must not steer the host's own interpreter. */
const OBEYED = /^(?:PATH|HOME|NODE_OPTIONS|(?:LD|DYLD|ZAPP)_.*|PYTHON.*)$/

/** R12 to R16. */
export function* variableRules(source: LooseManifest): Generator<Broken> {
  yield* declarationRules(source)

  const shared = new Set<string>()
  for (const { name, at, target } of sharedVariables(source)) {
    yield* nameRules(name, at, target, shared)
    shared.add(name)
  }
  // Two entries may set one variable, each for itself.
  for (const { entry, at } of entriesOf(source)) {
    for (const name of Object.keys(entry.env ?? {})) yield* nameRules(name, [...at, 'env', name], 'key', shared)
  }
}

/** R12 to R14. */
function* declarationRules(source: LooseManifest): Generator<Broken> {
  for (const [name, variable] of members(source.config)) {
    const at = ['config', name]
    const { type, values } = variable
    const hasValues = Object.hasOwn(variable, 'values')
    if (type === 'enum' && !hasValues) yield broken('R12', at, 'type "enum" must have "values"', 'nothing')
    if (type !== undefined && type !== 'enum' && hasValues) {
      yield broken('R12', [...at, 'values'], '"values" must stand beside type "enum"', type, { target: 'key' })
    }
    if (!Object.hasOwn(variable, 'default')) continue

    const place = [...at, 'default']
    for (const key of ['required', 'secret'] as const) {
      if (!variable[key]) continue
      yield broken('R14', place, `"${key}" and "default" exclude each other`, 'both', { target: 'key' })
    }
    const listed = values?.filter((value) => value !== undefined)
    if (type === undefined || (type === 'enum' && listed === undefined)) continue
    const misfit = misfitOf(type, variable.default, listed ?? [])
    const got = variable.secret ? 'a secret' : variable.default
    if (misfit !== undefined) yield broken('R13', place, `a default must be ${misfit}`, got)
  }
}

type Declaration = Parameters<typeof whatConfigValue>[0]

/** What a default must be, where it is not: of the JSON type that goes with the variable's, and a fitting value. */
function misfitOf(type: Declaration['type'], value: unknown, values: readonly string[]): string | undefined {
  const wanted = type === 'integer' ? 'number' : type === 'boolean' ? 'boolean' : 'string'
  if (type !== 'json' && typeof value !== wanted) {
    return wanted === 'string' ? 'text, like the variable' : `a JSON ${wanted}, like the variable`
  }
  return whatConfigValue({ type, values }, configText(type, value))
}

interface Variable {
  readonly name: string
  readonly at: JsonPath
  readonly target: 'key' | 'value'
}

/** Variables that every entry and command of the app gets. */
function sharedVariables(source: LooseManifest): Variable[] {
  const config = Object.keys(source.config ?? {}).map(
    (name): Variable => ({ name, at: ['config', name], target: 'key' }),
  )
  const data = members(source.data).flatMap(([folder, { env }]): Variable[] =>
    env === undefined ? [] : [{ name: env, at: ['data', folder, 'env'], target: 'value' }],
  )
  return [...config, ...data]
}

/** R15 and R16. */
function* nameRules(
  name: string,
  at: JsonPath,
  target: 'key' | 'value',
  taken: ReadonlySet<string>,
): Generator<Broken> {
  if (OBEYED.test(name)) {
    yield broken('R15', at, 'a variable must not be one that runtimes obey', name, { target })
  }
  if (taken.has(name)) yield broken('R16', at, 'a variable must be set in one place', name, { target })
}
