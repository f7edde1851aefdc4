import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { fail } from '../../errors.ts'

/** Whom processes are started as. They have the user's primary group and no other. */
export interface SystemUser {
  /** As the settings call it. */
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** Node starts processes as users up to this one. */
const MAX_ID = 2 ** 31 - 1

/**
 * The user that the settings name, asked of the system as `id` does: also where users are in a directory service.
 *
 * @param text a name, or the numbers of user and group: `1001:1001`
 * @param place where it stands: the settings file, and the app's key in it
 * @returns undefined: it is the host's own
 * @throws ZappError USER_UNKNOWN; USER_DENIED where the host may not start processes as that user
 */
export async function findUser(
  text: string,
  { file, app }: { readonly file: string; readonly app: string },
): Promise<SystemUser | undefined> {
  const [uid, gid] = text.includes(':')
    ? text.split(':').map(Number)
    : await Promise.all([ask('-u', text), ask('-g', text)])
  if (uid === undefined || gid === undefined || uid > MAX_ID || gid > MAX_ID) {
    throw fail('USER_UNKNOWN', file, { app, user: text })
  }
  const own = process.geteuid?.()
  if (uid === own) return undefined
  if (own !== 0)
    throw fail('USER_DENIED', file, { app, user: text, reason: `the host runs as user ${own ?? 'of Windows'}` })
  return { name: text, uid, gid }
}

async function ask(what: '-u' | '-g', name: string): Promise<number | undefined> {
  const found = await promisify(execFile)('id', [what, '--', name]).catch(() => undefined)
  return found && Number(found.stdout)
}
