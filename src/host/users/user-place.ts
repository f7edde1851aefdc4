import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { chmod, copyFile, lchown, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { liveness, ownIdentity } from '../../cache/process-id.ts'
import { fail } from '../../errors.ts'
import { dataLocation } from '../../runtimes/cache-location.ts'
import { WORKER } from '../workers/worker-program.ts'
import { folderOf, rootFolder } from './folders.ts'
import type { SystemUser } from './system-user.ts'

/** What an app finds that runs as another user than the host. */
export interface UserPlace {
  /** Of that user alone. */
  readonly cache: string
  /** The data root, absolute; it exists and is the user's. */
  readonly data: string
  /** Copies of the archives that were asked for, readable for that user alone. */
  readonly file: string
  readonly earlier: readonly string[]
  /** Removes the copies. Once, when no process of the app runs any more. */
  release(): Promise<void>
}

export interface UserPlaceOptions {
  /** Of the manifest. */
  readonly name: string
  /** The host's own. */
  readonly cache: string
  readonly data: string | undefined
  readonly file: string
  readonly earlier?: readonly string[]
}

/** A copy whose host cannot be judged, of another boot or container, is believed to be in use for a week. */
const UNKNOWN_USE_MS = 7 * 24 * 3600 * 1000

/** Others can pass through, and see nothing. */
const SHARED = 0o711

let made = 0

/**
 * Makes ready what processes of another user need, of which the host's own store and cache let them see nothing:
 * `<cache>-users/<uid>/` is root's and holds `archives/`, root's with copies, and `cache/`, the user's.
 *
 * @throws ZappError USER_ACCESS, USER_DENIED, IO
 */
export async function userPlace(
  user: SystemUser,
  { name, cache, data, file, earlier = [] }: UserPlaceOptions,
): Promise<UserPlace> {
  const home = join(`${resolve(cache)}-users`, String(user.uid))
  const archives = join(home, 'archives')
  const copies: string[] = []
  const release = async () => {
    await Promise.all(copies.map((copy) => rm(copy, { force: true })))
  }
  const own = { cache: join(home, 'cache'), data: resolve(data ?? (await dataLocation(name, SHARED))) }
  try {
    await rootFolder(archives)
    await folderOf(user, own.cache)
    await folderOf(user, own.data)
    await checkAccess(name, user, [process.execPath, WORKER, archives, own.cache, own.data])
    await sweep(archives)
    for (const from of [file, ...earlier]) {
      const to = join(archives, `${await ownIdentity()}-${made++}.zapp`)
      // An earlier version may have gone meanwhile.
      if (from !== file && !(await stat(from).catch(() => undefined))) continue
      copies.push(to)
      await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL)
      await chmod(to, 0o400)
      await lchown(to, user.uid, user.gid)
    }
  } catch (error) {
    await release()
    const { syscall, message } = error as NodeJS.ErrnoException
    if (syscall === undefined) throw error
    throw fail('IO', home, { operation: `preparing for user ${user.name}`, reason: message }, error)
  }
  const [copy = file, ...others] = copies
  return { ...own, file: copy, earlier: others, release }
}

/**
 * Makes the folder around the apps' data folders, where it is missing, so that other users can pass through it: an app of
 * the host's own user would make it for that user alone.
 *
 * @param data as the command line names it
 */
export async function openDataRoot(data: string | undefined): Promise<void> {
  if (process.geteuid?.() !== 0) return
  const root = data === undefined ? dirname(await dataLocation('any', SHARED)) : resolve(data)
  // What is wrong with it is told by the apps that need it.
  await rootFolder(root).catch(() => {})
}

/** The first of the paths that cannot be entered or read. */
const LOOK = `for f; do
  if [ -d "$f" ]; then [ -x "$f" ]; else [ -r "$f" ]; fi || { printf %s "$f"; exit 3; }
done`

/** Asks the system, as that user: permissions are more than modes. */
async function checkAccess(app: string, user: SystemUser, paths: readonly string[]): Promise<void> {
  const { uid, gid, name } = user
  const all = [...new Set(paths.flatMap((path) => [...ancestors(path), path]))]
  const options = { uid, gid, cwd: '/', env: {} }
  try {
    await promisify(execFile)('/bin/sh', ['-c', LOOK, 'sh', ...all], options)
  } catch (error) {
    const { code, stdout, message } = error as Error & { code?: number | string; stdout?: string }
    if (code !== 3 || !stdout) throw fail('USER_DENIED', '', { app, user: name, reason: message }, error)
    const { mode } = await stat(stdout)
    throw fail('USER_ACCESS', stdout, {
      path: stdout,
      rule: `readable for user ${name} (${uid})`,
      got: `mode 0${(mode & 0o777).toString(8)}`,
      step: 'Let others pass (chmod o+x) or read (chmod o+r), or choose a place where they can: of the package, with "data", with --cache.',
    })
  }
}

/** From the root down. */
function ancestors(path: string): string[] {
  const parent = dirname(path)
  return parent === path ? [] : [...ancestors(parent), parent]
}

/** Copies of hosts that were killed. */
async function sweep(archives: string): Promise<void> {
  for (const name of await readdir(archives)) {
    const path = join(archives, name)
    const life = await liveness(name)
    if (life === 'alive') continue
    const found = await stat(path).catch(() => undefined)
    if (life === 'dead' || (found && Date.now() - found.ctimeMs > UNKNOWN_USE_MS)) await rm(path, { force: true })
  }
}
