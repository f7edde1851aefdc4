import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PACKER } from '../../pack/packer.ts'
import type { Host } from '../host.ts'
import { type Admin, startAdmin } from './admin.ts'
import { ADMIN_SOCKET, ADMIN_TOKEN } from './places.ts'
import { adminToken } from './token.ts'

export interface AdminPlace {
  /** Of the host; nobody but its user can enter it. */
  readonly state: string
  /** An address besides the socket, for a browser. */
  readonly at: { readonly host: string; readonly port: number } | undefined
}

export interface OpenAdmin {
  /** What a browser opens; undefined where only the socket listens. */
  readonly url: string | undefined
  readonly tokenFile: string
  close(): Promise<void>
}

/**
 * Listens for administrators: on a Unix socket in the state folder, and at an address where one was asked for.
 *
 * @throws ZappError PORT_IN_USE, IO
 */
export async function openAdmin(host: Host, { state, at }: AdminPlace): Promise<OpenAdmin> {
  const tokenFile = join(state, ADMIN_TOKEN)
  const socket = join(state, ADMIN_SOCKET)
  const common = { host, token: await adminToken(tokenFile), version: PACKER.version }
  // A host that was killed left it behind. The lock of the state folder says that none runs.
  await rm(socket, { force: true })
  const open: Admin[] = []
  const close = async () => {
    await Promise.all(open.map((admin) => admin.close()))
  }
  try {
    open.push(await startAdmin({ ...common, at: { socket } }))
    if (at) open.push(await startAdmin({ ...common, at }))
  } catch (error) {
    await close()
    throw error
  }
  return { url: at && open.at(-1)?.url, tokenFile, close }
}
