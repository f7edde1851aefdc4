import { execFile } from 'node:child_process'
import { chmod, lchown, lstat, mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { fail } from '../../errors.ts'
import type { SystemUser } from './system-user.ts'

const OTHERS_WRITE = 0o022
const STICKY = 0o1000

/**
 * Makes sure that a folder is root's, and that nobody else can put another one in its place or that of one on the way:
 * what root makes or gives away in it is then what it was meant to be. What is missing is made so that others can pass
 * through and see nothing, mode 0711.
 *
 * @param dir absolute
 * @throws ZappError USER_ACCESS
 */
export async function rootFolder(dir: string): Promise<void> {
  if (dirname(dir) !== dir) await rootFolder(dirname(dir))
  let own = await lstat(dir).catch(() => undefined)
  if (!own) {
    await mkdir(dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    own = await lstat(dir)
    // Whatever the umask is.
    if (own.isDirectory()) await chmod(dir, 0o711)
  }
  const { uid, mode } = own.isSymbolicLink() ? await stat(dir) : await lstat(dir)
  const isOpen = (mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0
  if (own.uid === 0 && uid === 0 && !isOpen) return
  const got = uid === 0 && own.uid === 0 ? `mode 0${(mode & 0o777).toString(8)}` : `owner ${uid}`
  const step =
    'Correct its owner and mode, or name a folder elsewhere; one that is there and the user’s is taken as it is.'
  throw fail('USER_ACCESS', dir, { path: dir, rule: 'root’s, and writable for nobody else', got, step })
}

/**
 * Makes sure that a folder is a user's, and makes it where it is missing, mode 0700. One that is somebody else's is
 * refused, never given away.
 *
 * @throws ZappError USER_ACCESS
 */
export async function folderOf({ name, uid, gid }: SystemUser, dir: string): Promise<void> {
  const found = await stat(dir).catch(() => undefined)
  if (!found) {
    await rootFolder(dirname(dir))
    await mkdir(dir, { mode: 0o700 })
    await lchown(dir, uid, gid)
    return
  }
  if (found.isDirectory() && found.uid === uid) return
  const got = found.isDirectory() ? `owner ${found.uid}` : 'a file'
  const step = `If what is in it is to be that user’s: chown -R ${uid}:${gid} ${dir}`
  throw fail('USER_ACCESS', dir, { path: dir, rule: `a folder of user ${name} (${uid})`, got, step })
}

/**
 * Removes a folder inside one of a user's, with that user's rights: root would follow where the user leads meanwhile.
 *
 * @throws what keeps it there
 */
export async function removeFolderOf({ uid, gid }: SystemUser, dir: string): Promise<void> {
  await promisify(execFile)('/bin/rm', ['-rf', '--', dir], { uid, gid, cwd: '/', env: {} })
}
