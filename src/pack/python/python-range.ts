import { RANGE_PATTERN } from '../../format/version-range.ts'

/**
 * `requires-python` (or Poetry's `python`) as a range of the manifest, which knows only `>=` and `<`; what cannot be said
 * so is left out, which allows more. Undefined where nothing is left.
 */
export function pythonRange(specifier: string): string | undefined {
  const bounds = specifier.split(',').flatMap((part) => boundsOf(part.trim()))
  const range = [...new Set(bounds)].join(',')
  return RANGE_PATTERN.test(range) ? range : undefined
}

function boundsOf(clause: string): string[] {
  const { op = '', version = '' } =
    /^(?<op>\^|~=|~|===?|>=|<=|>|<)?\s*v?(?<version>\d+(?:\.\d+){0,2})(?:\.\*)?$/.exec(clause)?.groups ?? {}
  if (version === '') return []
  const numbers = version.split('.').map(Number)
  const [major = 0, minor = 0] = numbers
  const next = numbers.length === 1 ? `${major + 1}` : `${major}.${minor + 1}`
  if (op === '>=') return [`>=${version}`]
  if (op === '<') return [`<${version}`]
  // Of "3.10" no 3.10.x is above, and none is excluded by "<=" but those.
  if (op === '>') return [numbers.length === 3 ? `>=${version}` : `>=${next}`]
  if (op === '<=') return numbers.length === 3 ? [`<${major}.${minor}.${(numbers[2] ?? 0) + 1}`] : [`<${next}`]
  if (op === '^') return [`>=${version}`, `<${major + 1}`]
  if (op === '~=') return [`>=${version}`, numbers.length === 3 ? `<${next}` : `<${major + 1}`]
  if (op === '~') return [`>=${version}`, `<${next}`]
  return [`>=${version}`, `<${next}`]
}
