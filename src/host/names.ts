import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** Where an app goes, and which version of it this is. */
export interface Place {
  /** `""` for the root, else `/shop`. */
  readonly mount: string
  /** `""` when nothing says. */
  readonly version: string
}

/** Virtual host and mount in one: `/shop`, `/` for the root, `shop.example/`. */
export function idOf(host: string, mount: string): string {
  return `${host}${mount || '/'}`
}

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
const HOST_NAME = new RegExp(`^(?=.{1,253}$)(?:${LABEL}\\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})$`)

/**
 * Whether a folder of that name is a virtual host: labels of RFC 1123 in lower case, two at least, and the last one of
 * letters, so that `shop-1.2.0` is none.
 */
export function isHostName(name: string): boolean {
  return HOST_NAME.test(name)
}

/** Of a version that is given beside an archive: semantic ones, and what else file names have behind `##`. */
export const VERSION_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}$'
export const VERSION_RULE = '1 to 128 letters, digits, ".", "_", "+", "~" or "-", beginning with a letter or digit'
const VERSION = new RegExp(VERSION_PATTERN)

/** Whether a version may be given by whoever deploys. */
export function isVersion(text: string): boolean {
  return VERSION.test(text)
}

const NAMED_VERSION = /^(.+)-([0-9]+\.[0-9]+\.[0-9]+(?:[-+].*)?)$/

/**
 * The names that Tomcat's users know: `a#b` → `/a/b`, `ROOT` → the root, `shop##1.2.0` → `/shop` at that
 * version. Else the manifest's name, where the stem is `name` or `name-version`, as `zapp pack` names its files; else
 * the stem. A file whose manifest cannot be read is judged by its name alone.
 *
 * @param stem the file's name without `.zapp`, or the folder's
 */
export function placeOf(
  stem: string,
  manifest: { readonly name: string; readonly version: string } | undefined,
): Place {
  const [path = '', ...versions] = stem.split('##')
  const version = versions.length > 0 ? versions.join('##') : (manifest?.version ?? '')
  if (path === 'ROOT') return { mount: '', version }
  if (stem.includes('#')) return { mount: `/${path.replaceAll('#', '/')}`, version }
  if (manifest) {
    const packed = stem === manifest.name || stem === `${manifest.name}-${manifest.version}`
    return { mount: `/${packed ? manifest.name : stem}`, version }
  }
  const [, name, named] = NAMED_VERSION.exec(stem) ?? []
  return { mount: `/${name ?? stem}`, version: named ?? version }
}

/** Semantic versions by their own rules, any others part by part: numbers as numbers, so that 11 comes after 2. */
export function compareVersions(a: string, b: string): number {
  // Loaded where there are versions to compare: a host of one app has none.
  const { compare, valid } = require('semver') as typeof import('semver')
  if (valid(a) && valid(b)) return compare(a, b)
  const [left, right] = [a.split('.'), b.split('.')]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const order = comparePart(left[i] ?? '0', right[i] ?? '0')
    if (order !== 0) return order
  }
  return 0
}

function comparePart(a: string, b: string): number {
  const numbers = /^[0-9]+$/
  if (numbers.test(a) && numbers.test(b)) return Number(a) - Number(b)
  return a < b ? -1 : a > b ? 1 : 0
}
