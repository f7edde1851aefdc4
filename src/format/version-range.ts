type Version = readonly [number, number, number]

/** A range of `dependencies.runtime`: all bounds hold. FORMAT.md §Version ranges. */
export interface Range {
  readonly text: string
  readonly bounds: readonly { readonly op: '>=' | '<'; readonly version: Version }[]
}

/** `>=X[.Y[.Z]]` and `<X[.Y[.Z]]`, joined by commas. Nothing else: Python's standard library knows no other range. */
export const RANGE_PATTERN = (() => {
  const number = '(?:0|[1-9][0-9]{0,5})'
  const bound = `(?:>=|<)${number}(?:\\.${number}){0,2}`
  return new RegExp(`^(?:${bound}(?:,${bound})*)$`)
})()

/** `undefined` when the text is not a range. */
export function parseRange(text: string): Range | undefined {
  if (!RANGE_PATTERN.test(text)) return undefined
  const bounds = text.split(',').map((bound) => {
    const op = bound.startsWith('<') ? '<' : '>='
    return { op, version: numbers(bound.slice(op.length)) } as const
  })
  return { text, bounds }
}

/**
 * Whether a version, as a runtime prints it ("20.20.2", "v22.1.0", "3.13.0rc1"), lies in the range. Only its numbers
 * count, so 3.13.0rc1 is taken for 3.13.0. A version without leading numbers lies in no range.
 */
export function satisfies(version: string, range: Range): boolean {
  const got = numbersOf(version)
  return got !== undefined && range.bounds.every(({ op, version: bound }) => (op === '<') === compare(got, bound) < 0)
}

/** For sorting versions as runtimes print them; one without a number comes first. */
export function compareVersions(a: string, b: string): number {
  return compare(numbersOf(a) ?? [-1, 0, 0], numbersOf(b) ?? [-1, 0, 0])
}

function numbersOf(version: string): Version | undefined {
  const digits = /^v?([0-9]+(?:\.[0-9]+){0,2})/.exec(version)?.[1]
  return digits === undefined ? undefined : numbers(digits)
}

function numbers(text: string): Version {
  const [major = 0, minor = 0, patch = 0] = text.split('.').map(Number)
  return [major, minor, patch]
}

function compare(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2]
}
