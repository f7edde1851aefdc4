import { chmod, lchown, lstat, mkdir, mkdtemp, readdir, rm, rmdir, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { liveness, ownIdentity } from '../cache/process-id.ts'

/** Of 108 bytes that Linux has for the path of a socket, and 104 of macOS, both with a NUL. */
const MAX_SOCKET_PATH = 100
/** Inside it: another user's. */
const THEIRS = 'u'
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

/**
 * A folder inside a private one for the socket of another user's process: only that user, and root, can enter it, and it
 * cannot be replaced. To be followed by {@link sealSocket}.
 *
 * @returns the path of the socket
 */
export async function socketOf(
  { uid, gid }: { readonly uid: number; readonly gid: number },
  folder: string,
): Promise<string> {
  const inner = join(folder, THEIRS)
  await mkdir(inner, { mode: 0o700 })
  await lchown(inner, uid, gid)
  await chmod(folder, 0o711)
  return join(inner, 's')
}

/**
 * Takes that folder back once the other process listens. We are root and connect to the path: as long as that user could put
 * a link there, we would be led to any socket of the system.
 *
 * @returns false where there is something else than a socket of that user
 */
export async function sealSocket({ uid }: { readonly uid: number }, socket: string): Promise<boolean> {
  await lchown(dirname(socket), 0, 0)
  const { isSocket, owner } = await lstat(socket).then(
    (found) => ({ isSocket: found.isSocket(), owner: found.uid }),
    () => ({ isSocket: false, owner: undefined }),
  )
  return isSocket && owner === uid
}

/** What another user can write to is not walked through: links put there meanwhile would lead elsewhere. */
export async function removePrivateFolder(folder: string): Promise<void> {
  const inner = join(folder, THEIRS)
  await unlink(join(inner, 's')).catch(() => {})
  await rmdir(inner).catch(() => {})
  if (await lstat(inner).catch(() => undefined)) return
  await rm(folder, { recursive: true, force: true }).catch(() => {})
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
    if (owner === process.geteuid?.()) await removePrivateFolder(path)
  }
}
