import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fail } from '../errors.ts'

/** What the packer reads of a package.json; values of a wrong type count as absent, as npm does. */
export interface PackageJson {
  readonly name?: string
  readonly version?: string
  readonly license?: string
  readonly main?: string
  readonly type?: string
  readonly engines?: Readonly<Record<string, string>>
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  /** Names of peers that the package can do without. */
  readonly optionalPeers: readonly string[]
  readonly bundled: readonly string[]
  readonly files?: readonly string[]
  /** Commands that it installs, and the files that they start. */
  readonly commands: Readonly<Record<string, string>>
  /** Those files. */
  readonly bin: readonly string[]
}

/**
 * Reads `<dir>/package.json`; undefined where there is none.
 *
 * @throws ZappError IO where it cannot be read or is not a JSON object
 */
export function readPackageJson(dir: string): PackageJson | undefined {
  const file = join(dir, 'package.json')
  let json: unknown
  try {
    json = JSON.parse(readFileSync(file, 'utf8').replace(/^\ufeff/, ''))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw fail('IO', file, { operation: 'reading package.json', reason: message }, error)
  }
  if (typeof json !== 'object' || json === null) {
    throw fail('IO', file, { operation: 'reading package.json', reason: 'it holds no JSON object' })
  }
  return normalise(json as Record<string, unknown>)
}

function normalise(json: Record<string, unknown>): PackageJson {
  const dependencies = strings(json.dependencies)
  const bundled = json.bundleDependencies ?? json.bundledDependencies
  const commands = isString(json.bin) ? { [commandName(json.name)]: json.bin } : strings(json.bin)
  return {
    ...text('name', json.name),
    ...text('version', json.version),
    ...text('license', license(json)),
    ...text('main', json.main),
    ...text('type', json.type),
    engines: strings(json.engines),
    scripts: strings(json.scripts),
    dependencies,
    devDependencies: strings(json.devDependencies),
    optionalDependencies: strings(json.optionalDependencies),
    peerDependencies: strings(json.peerDependencies),
    optionalPeers: optionalPeers(json),
    bundled: bundled === true ? Object.keys(dependencies) : Array.isArray(bundled) ? bundled.filter(isString) : [],
    ...(Array.isArray(json.files) ? { files: json.files.filter(isString) } : {}),
    commands,
    bin: Object.values(commands),
  }
}

/** A single command has the package's name, without the scope. */
function commandName(name: unknown): string {
  return isString(name) ? name.replace(/^@[^/]*\//, '') : ''
}

function optionalPeers(json: Record<string, unknown>): readonly string[] {
  const meta = Object.entries(Object(json.peerDependenciesMeta) as Record<string, { optional?: unknown } | null>)
  return meta.filter(([, peer]) => peer?.optional === true).map(([name]) => name)
}

/** The `license` key of today, or the older forms `{type}` and `licenses: [{type}]`. */
function license(json: Record<string, unknown>): unknown {
  const one = (value: unknown): unknown =>
    typeof value === 'object' && value !== null ? (value as { type?: unknown }).type : value
  if (json.license !== undefined) return one(json.license)
  if (!Array.isArray(json.licenses)) return undefined
  const all = json.licenses.map(one).filter(isString)
  return all.length > 1 ? `(${all.join(' OR ')})` : all[0]
}

function text<K extends string>(key: K, value: unknown): { readonly [P in K]?: string } {
  return isString(value) && value !== '' ? ({ [key]: value } as { [P in K]: string }) : {}
}

function strings(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {}
  return Object.fromEntries(Object.entries(value).filter(([, v]) => isString(v))) as Record<string, string>
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}
