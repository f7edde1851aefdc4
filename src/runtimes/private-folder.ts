import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { liveness, ownIdentity } from '../cache/process-id.ts'

/** Of 108 bytes that Linux has for the path of a socket, and 104 of macOS, both with a NUL. */
const MAX_SOCKET_PATH = 100
const OURS = /^zapp-([0-9]+-[0-9]+-[0-9a-f]+)-[0-9A-Za-z]{6}$/

const swept = new Map<string, Promise<void>>()

/**
 * A new folder for sockets that only this user can enter, whatever the sockets' own modes are. The first call removes
 * those of processes that were killed before they could (R10).
 *
 * @param parent default: the system's folder for temporary files, if the path of a socket is not too long there
 */
export async function privateFolder(parent?: string): Promise<string> {
  const prefix = `zapp-${await ownIdentity()}-`
  const isShort = Buffer.byteLength(join(tmpdir(), `${prefix}XXXXXX`, 's')) <= MAX_SOCKET_PATH
  const folder = parent ?? (isShort ? tmpdir() : '/tmp')
  const sweeping = swept.get(folder) ?? sweep(folder)
  swept.set(folder, sweeping)
  await sweeping
  return mkdtemp(join(folder, prefix))
}

async function sweep(parent: string): Promise<void> {
  const names = await readdir(parent).catch(() => [])
  for (const name of names) {
    const [, identity] = OURS.exec(name) ?? []
    if (identity === undefined || (await liveness(identity)) !== 'dead') continue
    const path = join(parent, name)
    const owner = await lstat(path)
      .then(({ uid }) => uid)
      .catch(() => undefined)
    // The temporary folder is everybody's: what another user named like this is left to that user.
    if (owner === process.geteuid?.()) await rm(path, { recursive: true, force: true }).catch(() => {})
  }
}
