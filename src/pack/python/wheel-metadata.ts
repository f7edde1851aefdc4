/** The fields of METADATA that the packer reads; core metadata specification. */
export interface WheelMetadata {
  readonly name: string
  readonly version: string
  /** SPDX expression, or what the package says instead, on one line. */
  readonly license?: string
  /** `Requires-Dist`, as written. */
  readonly requires: readonly string[]
}

/** Undefined where Name or Version is missing. */
export function parseMetadata(text: string): WheelMetadata | undefined {
  const fields = headerFields(text)
  const one = (name: string) => fields.find(([field]) => field === name)?.[1]
  const name = one('name')
  const version = one('version')
  if (name === undefined || version === undefined) return undefined
  const license = licenseOf(fields)
  return {
    name,
    version,
    ...(license === undefined ? {} : { license }),
    requires: fields.filter(([field]) => field === 'requires-dist').map(([, value]) => value),
  }
}

/** `Field: value` up to the first empty line, as in mail (RFC 822); names in lower case. */
export function headerFields(text: string): readonly (readonly [name: string, value: string])[] {
  const head = text.replace(/^\ufeff/, '').split(/\r?\n\r?\n/, 1)[0] ?? ''
  return head
    .split(/\r?\n(?![ \t])/)
    .map((line) => /^(?<name>[\w-]+)\s*:\s*(?<value>[\s\S]*)$/.exec(line)?.groups)
    .filter((field) => field !== undefined)
    .map(({ name = '', value = '' }) => [name.toLowerCase(), value.trim()] as const)
}

// Older packages put the whole text of their licence into the field.
const MAX_LICENSE = 100

function licenseOf(fields: ReturnType<typeof headerFields>): string | undefined {
  const one = (name: string) => fields.find(([field]) => field === name)?.[1]
  const expression = one('license-expression')
  if (expression) return expression
  const plain = one('license')
  if (plain && plain.length <= MAX_LICENSE && !plain.includes('\n') && plain !== 'UNKNOWN') return plain
  const classified = fields
    .filter(([field, value]) => field === 'classifier' && value.startsWith('License :: '))
    .map(([, value]) => value.split(' :: ').at(-1) ?? '')
    .filter((name) => name !== 'OSI Approved')
  return classified.length > 0 ? classified.join(', ') : undefined
}

/** Rows of RECORD: path → `sha256=…` or "". CSV with quotes where a path holds a comma. */
export function parseRecord(text: string): ReadonlyMap<string, string> {
  const rows = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const { quoted, plain, hash } =
      /^(?:"(?<quoted>(?:[^"]|"")*)"|(?<plain>[^,]*)),(?<hash>[^,]*),[^,]*$/.exec(line)?.groups ?? {}
    const path = quoted?.replaceAll('""', '"') ?? plain
    if (path !== undefined && path !== '') rows.set(path.replaceAll('\\', '/'), hash ?? '')
  }
  return rows
}

/** The tags in a wheel's file name (PEP 425, PEP 427): `name-version(-build)?-python-abi-platform.whl`. */
export interface WheelTags {
  readonly python: readonly string[]
  readonly abi: readonly string[]
  readonly platform: readonly string[]
}

export function wheelTags(file: string): WheelTags | undefined {
  const parts = file.replace(/\.whl$/, '').split('-')
  if (parts.length < 5 || parts.length > 6 || !file.endsWith('.whl')) return undefined
  const [python = '', abi = '', platform = ''] = parts.slice(-3)
  return { python: python.split('.'), abi: abi.split('.'), platform: platform.split('.') }
}
