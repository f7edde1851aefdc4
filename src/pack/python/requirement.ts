import { canonicalName } from './markers.ts'

/** A dependency specifier: `uvicorn[standard]>=0.30; python_version >= "3.9"`. */
export interface Requirement {
  /** In canonical form. */
  readonly name: string
  readonly extras: readonly string[]
  readonly marker?: string
  /** `name @ https://…`: where it is fetched from. */
  readonly url?: string
}

const FORM =
  /^\s*(?<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[(?<extras>[^\]]*)\])?\s*(?:@\s*(?<url>\S+(?:\s*(?=;)|\s*$))|\(?[^;@]*\)?)\s*(?:;\s*(?<marker>.*))?$/

/**
 * Undefined for what is no specifier: a path, an option, an address alone. Whoever writes one into a file for pip relies
 * on that: it is one line without options.
 */
export function parseRequirement(text: string): Requirement | undefined {
  if (/[\r\n]|\s-/.test(text)) return undefined
  const { name, extras, url, marker } = FORM.exec(text)?.groups ?? {}
  if (name === undefined) return undefined
  return {
    name: canonicalName(name),
    extras: (extras ?? '')
      .split(',')
      .map((extra) => canonicalName(extra.trim()))
      .filter((extra) => extra !== ''),
    ...(url === undefined ? {} : { url: url.trim() }),
    ...(marker === undefined ? {} : { marker: marker.trim() }),
  }
}

/** Whether it is a package of an index, or a wheel by its address: what can be taken without building it. */
export function isPublished({ url }: Requirement): boolean {
  return url === undefined || /^https?:.*\.whl(?:#|$)/.test(url)
}
