import { isIP } from 'node:net'
import { nameOfHost } from '../host-name.ts'
import type { Certificate } from './certificate.ts'
import { isFor } from './chooser.ts'

/** What a TLS connection was opened for. */
export interface Secured {
  /** The name that the client asked for. */
  readonly name: string | undefined
  readonly certificate: Certificate
}

/**
 * Whether a request came over a connection that is not for its host (421, RFC 9110 §7.4 and §15.5.20): the certificate
 * that the client was shown says nothing about the site it now asks for.
 *
 * Two are let through, because there is no better connection that the client could open: to a name that it had asked for
 * and took the certificate that there is, and to an address, which TLS has no name for (health checks).
 *
 * @param host as it was sent, in lower case
 */
export function isMisdirected({ name, certificate }: Secured, host: string | undefined): boolean {
  if (host === undefined || host.startsWith('[')) return false
  const asked = nameOfHost(host)
  return asked !== name && isIP(asked) === 0 && !isFor(certificate, asked)
}
