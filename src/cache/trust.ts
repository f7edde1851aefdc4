import type { Stats } from 'node:fs'
import { lstat, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fail } from '../errors.ts'

const GROUP_WRITE = 0o020
const OTHER_WRITE = 0o002
const STICKY = 0o1000

/**
 * Makes sure that a folder whose files will be run as code is this user's alone: owned by the effective user, mode 0700
 * or less, no link on the way, and no folder on the way in which somebody else could put another one in its place.
 * What does not exist is made, mode 0700. Windows has neither owners nor modes here: there only links are refused.
 *
 * @param dir absolute and normalised
 * @param of what the folder is for
 * @throws ZappError CACHE_UNTRUSTED, STATE_UNTRUSTED; CACHE_NONE, STATE_NONE where the folder cannot be made
 */
export async function trustFolder(dir: string, of: 'CACHE' | 'STATE' = 'CACHE'): Promise<void> {
  for (const path of [...ancestors(dir), dir]) {
    const stat = await lstatOrMake(path, of)
    const trouble = stat.isSymbolicLink() ? 'a link' : !stat.isDirectory() ? 'a file' : judge(stat, path === dir)
    if (trouble !== undefined) {
      throw fail(`${of}_UNTRUSTED`, dir, { dir, got: path === dir ? trouble : `${trouble} at ${path}` })
    }
  }
}

/** From the root down. */
function ancestors(dir: string): string[] {
  const parent = dirname(dir)
  return parent === dir ? [] : [...ancestors(parent), parent]
}

async function lstatOrMake(path: string, of: 'CACHE' | 'STATE'): Promise<Stats> {
  try {
    return await lstat(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unusable(path, of, error)
  }
  await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    // Another starter was quicker: what it made is judged like anything else.
    if (error.code !== 'EEXIST') throw unusable(path, of, error)
  })
  return lstat(path)
}

function unusable(path: string, of: 'CACHE' | 'STATE', error: unknown): Error {
  return fail(`${of}_NONE`, path, { reason: (error as Error).message }, error)
}

function judge(stat: Stats, itself: boolean): string | undefined {
  const user = process.geteuid?.()
  if (user === undefined) return undefined
  if (itself) {
    if (stat.uid !== user) return `owner ${stat.uid}, this process runs as ${user}`
    return (stat.mode & 0o077) === 0 ? undefined : `mode 0${(stat.mode & 0o777).toString(8)}`
  }
  if (stat.uid !== user && stat.uid !== 0) return `a folder of user ${stat.uid}`
  // In a sticky folder (/tmp) only the owner of an entry may rename it.
  if (stat.mode & STICKY) return undefined
  if (stat.mode & OTHER_WRITE) return 'a folder that everybody may write to'
  // A umask of 002 with a group per user is Debian's default; any other group holds other people.
  const ownGroup = stat.gid === process.getegid?.() || stat.gid === 0
  return stat.mode & GROUP_WRITE && !ownGroup ? `a folder that group ${stat.gid} may write to` : undefined
}
