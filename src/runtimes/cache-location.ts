import { mkdir, realpath, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fail } from '../errors.ts'

type Env = Readonly<Record<string, string | undefined>>

export interface CacheLocationOptions {
  /** Named by the caller: taken as it is. */
  readonly cache?: string | undefined
  /** Where ZAPP_CACHE is looked up. A library has no such switch; the command line passes its environment. */
  readonly env?: Env
}

const PRIVATE = 0o700
/** Accounts of services have ids below this one, or a home that nobody made. */
const FIRST_PERSON = process.platform === 'darwin' ? 500 : 1000

/**
 * Where the cache is: `cache` → `env.ZAPP_CACHE` → the system's cache folder for root or a service
 * user → the user's cache folder. Never a temporary folder: cleaners take files out of it, and it is everybody's.
 *
 * @returns an absolute path; a folder that the caller names need not exist yet
 * @throws ZappError CACHE_NONE
 */
export async function cacheLocation({ cache, env = {} }: CacheLocationOptions = {}): Promise<string> {
  const named = cache || env.ZAPP_CACHE
  if (named) return resolve(named)
  return firstUsable((await isService()) ? ['/var/cache/zapp', ...(await userCache())] : await userCache())
}

/**
 * Where the data folders of an app are when the caller names no place: `zapp/<name>` in /var/lib for root or a service
 * user, else in the user's state folder. Not beside the cache, which may be emptied at any time.
 *
 * @param mode of the folder around it, where that is made
 * @throws ZappError CACHE_NONE
 */
export async function dataLocation(name: string, mode = PRIVATE): Promise<string> {
  return join(
    await firstUsable((await isService()) ? ['/var/lib/zapp', ...(await userState())] : await userState(), mode),
    name,
  )
}

/**
 * Where a host keeps what it deployed when the caller names no place: `zapp-host` in /var/lib for root or a service user,
 * else in the user's state folder. Not within `zapp`, where an app called "host" has its data folders.
 *
 * @throws ZappError STATE_NONE
 */
export async function stateLocation(): Promise<string> {
  const own = (await userState()).map((folder) => `${folder}-host`)
  return firstUsable((await isService()) ? ['/var/lib/zapp-host', ...own] : own, PRIVATE, 'STATE_NONE')
}

async function isService(): Promise<boolean> {
  const user = process.geteuid?.()
  if (user === undefined) return false
  return user < FIRST_PERSON || !(await stat(homedir()).catch(() => undefined))
}

async function userCache(): Promise<string[]> {
  const home = await homeFolder()
  if (process.platform === 'win32') return [join(process.env.LOCALAPPDATA ?? join(home, 'AppData/Local'), 'zapp/cache')]
  if (process.platform === 'darwin') return [join(home, 'Library/Caches/zapp')]
  return [join(xdg('XDG_CACHE_HOME') ?? join(home, '.cache'), 'zapp')]
}

async function userState(): Promise<string[]> {
  const home = await homeFolder()
  if (process.platform === 'win32') return [join(process.env.LOCALAPPDATA ?? join(home, 'AppData/Local'), 'zapp/data')]
  if (process.platform === 'darwin') return [join(home, 'Library/Application Support/zapp')]
  return [join(xdg('XDG_STATE_HOME') ?? join(home, '.local/state'), 'zapp')]
}

/** XDG Base Directory Specification: a path that is not absolute must be ignored. */
function xdg(name: string): string | undefined {
  const value = process.env[name]
  return value?.startsWith('/') ? value : undefined
}

/** With its links resolved: many systems reach /home through one, and the cache refuses links. */
async function homeFolder(): Promise<string> {
  return realpath(homedir()).catch(homedir)
}

/** The first folder that is this user's, or can be made. */
async function firstUsable(
  folders: readonly string[],
  mode = PRIVATE,
  none: 'CACHE_NONE' | 'STATE_NONE' = 'CACHE_NONE',
): Promise<string> {
  const reasons: string[] = []
  for (const folder of folders) {
    const trouble = await usable(folder, mode)
    if (trouble === undefined) return folder
    reasons.push(trouble)
  }
  throw fail(none, '', { reason: reasons.join('; ') })
}

async function usable(folder: string, mode: number): Promise<string | undefined> {
  try {
    await mkdir(folder, { recursive: true, mode })
    const { uid } = await stat(folder)
    const user = process.geteuid?.()
    // It may be read-only, once it is filled; but one of another user is not ours to use.
    return user === undefined || uid === user ? undefined : `${folder} belongs to user ${uid}`
  } catch (error) {
    return (error as Error).message
  }
}
