import { resolve } from 'node:path'
import type { ListenAddress } from '../front/listen-address.ts'
import type { ServeOptions } from '../serve-options.ts'
import type { ListenSource } from './listen-schema.ts'
import type { HostSettings } from './read-settings.ts'

const ADMIN_PORT = 8081

/** Where administrators reach the host; undefined where that is only the socket. What the command line names wins. */
export function adminAddress(
  settings: HostSettings | undefined,
  given: ServeOptions['admin'],
): ListenAddress | undefined {
  if (!given && !settings?.admin) return undefined
  return toAddress({ port: ADMIN_PORT, ...settings?.admin, ...given }, settings)
}

type Given = Pick<ServeOptions, 'host' | 'port' | 'tls'>

/**
 * Where to listen: at what the file says, else on 127.0.0.1:8080. With one of the three from the command line there is one
 * address; what they leave open is that of the file, where that has a single one.
 */
export function listenAddresses(settings: HostSettings | undefined, { host, port, tls }: Given): ListenAddress[] {
  const sources = listed(settings?.listen ?? {})
  if (host === undefined && port === undefined && !tls) return sources.map((source) => toAddress(source, settings))
  const [only = {}, other] = sources
  const { redirect: _, ...base } = other ? {} : only
  const source = { ...base, ...(host !== undefined && { host }), ...(port !== undefined && { port }) }
  return [toAddress(tls ? { ...source, tls: { ...tls } } : source, settings)]
}

const PORT = 8080
const TLS_PORT = 8443

/** @param settings of the file that it stands in */
export function toAddress(
  { host, port, tls, redirect }: ListenSource,
  settings: HostSettings | undefined,
): ListenAddress {
  const within = (path: string) => resolve(settings?.folder ?? '', path)
  return {
    host: host ?? '127.0.0.1',
    port: port ?? (tls ? TLS_PORT : PORT),
    ...(tls && {
      tls: listed(tls).map(({ cert, key, hosts }) => ({
        cert: within(cert),
        key: within(key),
        ...(hosts && { hosts }),
      })),
    }),
    ...(redirect && {
      redirect: { port: redirect.port ?? 443, ...(redirect.webroot && { webroot: within(redirect.webroot) }) },
    }),
  }
}

function listed<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T]
}
