import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Of 108 bytes that Linux has for the path of a socket, and 104 of macOS, both with a NUL. */
const MAX_SOCKET_PATH = 100

/** A new folder for sockets that only this user can enter, whatever the sockets' own modes are. */
export async function privateFolder(): Promise<string> {
  const parent = Buffer.byteLength(join(tmpdir(), 'zapp-XXXXXX', 's')) <= MAX_SOCKET_PATH ? tmpdir() : '/tmp'
  return mkdtemp(join(parent, 'zapp-'))
}
