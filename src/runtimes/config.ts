import { type Finding, finding } from '../errors.ts'
import { checkConfigValue } from '../format/config-value.ts'
import { hint } from '../format/did-you-mean.ts'
import type { ConfigVar, Manifest } from '../format/manifest-types.ts'
import type { Container } from './container.ts'
import { ambient, type Variables } from './environment.ts'

export interface ResolvedConfig {
  /** One for every declared variable. */
  readonly values: Variables
  /** NEED_CONFIG, CONFIG_INVALID, CONFIG_UNKNOWN */
  readonly findings: readonly Finding[]
}

/** The value of each declared variable: given by the caller, else by the environment, else the manifest's default. */
export async function resolveConfig(
  manifest: Manifest,
  given: Readonly<Record<string, string>>,
  container: Container,
): Promise<ResolvedConfig> {
  const values = new Map<string, string | undefined>()
  const findings: Finding[] = []
  for (const declared of manifest.config.values()) {
    const { name } = declared
    const value = (Object.hasOwn(given, name) ? given[name] : undefined) ?? ambient(name) ?? declared.default
    values.set(name, value)
    if (value !== undefined) findings.push(...(await checkValue(declared, value, container)))
    else if (declared.required) findings.push(finding('NEED_CONFIG', '', { name, about: about(declared) }))
  }
  for (const name of Object.keys(given).filter((key) => !manifest.config.has(key))) {
    findings.push(finding('CONFIG_UNKNOWN', '', { name, hint: hint(name, [...manifest.config.keys()]) }))
  }
  return { values, findings }
}

async function checkValue(declared: ConfigVar, value: string, container: Container): Promise<Finding[]> {
  const fault = checkConfigValue(declared, value)
  if (fault) return [finding(fault.code, '', fault.args)]
  if (declared.type !== 'file' || (await container.canRead(value))) return []
  return [finding('CONFIG_INVALID', '', { name: declared.name, expected: 'a file that can be read', got: value })]
}

function about({ description }: ConfigVar): string {
  return description === undefined ? '' : ` (${description})`
}
