import { nameOfHost } from './host-name.ts'

/** Which requests are one app's own: a process that holds a connection judges by it whether it may answer the next one. */
export interface Territory {
  /** `""` or `/shop`. */
  readonly mount: string
  /** Mounts of other apps below it. */
  readonly below: readonly string[]
  /** The only names, in lower case and without port, that it answers for. */
  readonly hosts?: readonly string[]
  /** Names that it does not answer for. */
  readonly notHosts?: readonly string[]
}

/**
 * @param path decoded, begins with "/"
 * @param host as it was sent, in lower case
 */
export function isWithin(
  { mount, below, hosts, notHosts }: Territory,
  path: string,
  host: string | undefined,
): boolean {
  if (!isBelow(path, mount) || below.some((other) => isBelow(path, other))) return false
  if (!hosts && !notHosts) return true
  const name = host === undefined ? undefined : nameOfHost(host)
  if (hosts) return name !== undefined && hosts.includes(name)
  return name === undefined || !notHosts?.includes(name)
}

/** All requests are one app's: nothing has to be judged. */
export function isEverything({ mount, below, hosts, notHosts }: Territory): boolean {
  return mount === '' && below.length === 0 && !hosts && !notHosts
}

/** Whole segments, case-sensitive: FORMAT.md, rule P8. */
function isBelow(path: string, mount: string): boolean {
  return path.startsWith(mount) && (path.length === mount.length || path[mount.length] === '/')
}
