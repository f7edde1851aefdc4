import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Finding, warning } from '../../errors.ts'
import { PACKER } from '../../pack/packer.ts'
import { isLoopback, type ListenAddress, placeOfAddress } from '../front/listen-address.ts'
import type { Host } from '../host.ts'
import type { Certificate } from '../tls/certificate.ts'
import type { CertificateNews } from '../tls/certificates.ts'
import { type Admin, startAdmin } from './admin.ts'
import { AdminTls } from './admin-tls.ts'
import { ADMIN_SOCKET, ADMIN_TOKEN } from './places.ts'
import { adminToken } from './token.ts'

export interface AdminPlace {
  /** Of the host; nobody but its user can enter it. */
  readonly state: string
  /** An address besides the socket, for a browser. */
  readonly at: ListenAddress | undefined
  readonly onCertificate: (news: CertificateNews) => void
  readonly onWarning: (finding: Finding) => void
}

export interface OpenAdmin {
  /** What a browser opens; undefined where only the socket listens. */
  readonly url: string | undefined
  readonly tokenFile: string
  /** Of that address, in force now. */
  readonly certificates: readonly Certificate[]
  close(): Promise<void>
}

/**
 * Listens for administrators: on a Unix socket in the state folder, and at an address where one was asked for.
 *
 * @throws ZappError PORT_IN_USE, IO; NOT_FOUND, TLS_* for the certificates of that address
 */
export async function openAdmin(host: Host, { state, at, onCertificate, onWarning }: AdminPlace): Promise<OpenAdmin> {
  const tokenFile = join(state, ADMIN_TOKEN)
  const socket = join(state, ADMIN_SOCKET)
  const common = { host, token: await adminToken(tokenFile), version: PACKER.version }
  // A host that was killed left it behind. The lock of the state folder says that none runs.
  await rm(socket, { force: true })
  const open: Admin[] = []
  const tls = at?.tls && (await AdminTls.open(at.tls, onCertificate))
  const close = async () => {
    tls?.close()
    await Promise.all(open.map((admin) => admin.close()))
  }
  try {
    open.push(await startAdmin({ ...common, at: { socket } }))
    if (at) open.push(await startAdmin({ ...common, at, tls }))
  } catch (error) {
    await close()
    throw error
  }
  for (const finding of at ? exposure(at) : []) onWarning(finding)
  return {
    url: at && open.at(-1)?.url,
    tokenFile,
    get certificates() {
      return tls?.inForce ?? []
    },
    close,
  }
}

/** What there is to say about an address for administrators. */
export function exposure(at: ListenAddress): Finding[] {
  if (at.tls || isLoopback(at)) return []
  return [warning('ADMIN_UNENCRYPTED', '', { address: placeOfAddress(at) })]
}
