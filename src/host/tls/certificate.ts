import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { createSecureContext, type SecureContext } from 'node:tls'
import { type Finding, fail, warning } from '../../errors.ts'

/** The files of a certificate and its key. Absolute paths. */
export interface PairFiles {
  /** PEM: the certificate, then its chain. */
  readonly cert: string
  /** PEM, without a passphrase. */
  readonly key: string
  /** Names in lower case that it is for, `*.` before one means one label more. Default: those in the certificate. */
  readonly hosts?: readonly string[]
}

/** A certificate with its key, read and judged. */
export interface Certificate {
  readonly files: PairFiles
  readonly context: SecureContext
  /** What that was made of. */
  readonly pem: { readonly cert: string; readonly key: string; readonly minVersion: 'TLSv1.2' }
  /** Of its subjectAltName, in lower case: names alone, and with `*.` before them. */
  readonly names: readonly string[]
  readonly validFrom: Date
  readonly validTo: Date
  /** What is amiss and keeps nobody from using it. */
  readonly warnings: readonly Finding[]
}

/**
 * Reads a pair. One whose time is over, or not yet come, is read with a warning: the clients refuse it, for the others
 * that the host serves it must start.
 *
 * @throws ZappError NOT_FOUND, IO, TLS_CERTIFICATE, TLS_KEY, TLS_MISMATCH
 */
export async function readCertificate(files: PairFiles, now: Date = new Date()): Promise<Certificate> {
  const [cert, key] = await Promise.all([
    readText(files.cert, 'reading a certificate'),
    readText(files.key, 'reading the key of a certificate'),
  ])
  const leaf = parseCertificate(files.cert, cert)
  if (!leaf.checkPrivateKey(parseKey(files.key, key))) throw fail('TLS_MISMATCH', files.key, { cert: files.cert })
  // Beneath TLS 1.2 nothing is safe (RFC 8996). Ciphers are those of Node.
  const pem = { cert, key, minVersion: 'TLSv1.2' } as const
  const [validFrom, validTo] = [new Date(leaf.validFrom), new Date(leaf.validTo)]
  return {
    files,
    pem,
    context: makeContext(files.cert, pem),
    names: namesIn(leaf),
    validFrom,
    validTo,
    warnings: [
      ...(isValidAt({ validFrom, validTo }, now)
        ? []
        : [warning('TLS_EXPIRED', files.cert, { from: leaf.validFrom, to: leaf.validTo })]),
      ...(await exposure(files.key)),
    ],
  }
}

/** Whether it is one that clients take at that time. */
export function isValidAt(
  { validFrom, validTo }: Pick<Certificate, 'validFrom' | 'validTo'>,
  now: Date = new Date(),
): boolean {
  return validFrom <= now && now < validTo
}

async function readText(file: string, operation: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw fail('NOT_FOUND', file, { file }, error)
    throw fail('IO', file, { operation, reason: message }, error)
  }
}

function parseCertificate(file: string, text: string): X509Certificate {
  try {
    return new X509Certificate(text)
  } catch (error) {
    throw fail('TLS_CERTIFICATE', file, { reason: reasonOf(error) }, error)
  }
}

function parseKey(file: string, text: string): KeyObject {
  try {
    return createPrivateKey(text)
  } catch (error) {
    // PKCS #8, and the older form of OpenSSL.
    const isLocked = /^(?:-----BEGIN ENCRYPTED |Proc-Type: 4,ENCRYPTED)/m.test(text)
    throw fail('TLS_KEY', file, { reason: isLocked ? 'one with a passphrase' : reasonOf(error) }, error)
  }
}

/** The chain behind the certificate is read here, and keys too short for OpenSSL are refused. */
function makeContext(file: string, pem: Certificate['pem']): SecureContext {
  try {
    return createSecureContext(pem)
  } catch (error) {
    throw fail('TLS_CERTIFICATE', file, { reason: reasonOf(error) }, error)
  }
}

/** OpenSSL's own words, without its numbers: `error:0480006C:PEM routines::no start line`. */
function reasonOf(error: unknown): string {
  return (error as Error).message.replace(/^error:[0-9A-F]+:/, '').replace(/::/, ': ')
}

/** RFC 9525 §6.3: subjectAltName alone counts, the subject's common name does not. Odd ones Node quotes: left out. */
function namesIn({ subjectAltName = '' }: X509Certificate): string[] {
  return subjectAltName.split(', ').flatMap((name) => {
    const [, dns] = /^DNS:((?:\*\.)?[\w.-]+)$/.exec(name) ?? []
    return dns === undefined ? [] : [dns.toLowerCase()]
  })
}

/** Its group may read it: that is how a certificate is shared with services, by Debian's ssl-cert for one. */
async function exposure(file: string): Promise<Finding[]> {
  const { mode } = await stat(file)
  if ((mode & 0o004) === 0) return []
  return [warning('TLS_KEY_EXPOSED', file, { file, mode: `0${(mode & 0o777).toString(8)}` })]
}
