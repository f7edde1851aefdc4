import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '../errors.ts'
import { ignore } from './blobs.ts'
import { liveness, ownIdentity } from './process-id.ts'

/** The folders of a cache, below `<dir>/v1`. */
export interface CacheLayout {
  readonly dir: string
  /** Of the system. Undefined: everything is flushed before it is used. */
  readonly boot: string | undefined
  /** Content by sha256, read-only, never changed; `<sha256>.<boot>` while it is good for that boot only. */
  readonly blobs: string
  /** `<name>-<version>-<key>/` → `app/` (the run tree), `tree.json`, `blobs.txt`. */
  readonly trees: string
  /** `<tree>/u-<process>-<n>`: a process uses the tree. `<tree>/c-<process>`: it is being taken away. */
  readonly use: string
  /** `<process>-<n>/`: what a process is building or removing. */
  readonly temp: string
  /** See stamp.ts. */
  readonly seconds: string
}

const NO_WRITE = ['EROFS', 'EACCES', 'EPERM']

/** Makes the folders. A cache that cannot be written to may still be used, where it holds what is asked for. */
export async function makeLayout(dir: string, boot?: string): Promise<CacheLayout> {
  const root = join(dir, 'v1')
  const at = (name: string) => join(root, name)
  const folders = { blobs: at('blobs'), trees: at('trees'), use: at('use'), temp: at('temp'), seconds: at('seconds') }
  if (!(await stat(folders.seconds).catch(ignore('ENOENT')))) {
    for (const folder of Object.values(folders)) {
      await mkdir(folder, { recursive: true, mode: 0o700 }).catch(ignore(...NO_WRITE))
    }
  }
  return { dir, boot, ...folders }
}

export function isReadOnlyError(error: unknown): boolean {
  return NO_WRITE.includes((error as NodeJS.ErrnoException).code ?? '')
}

let made = 0

/**
 * A folder for unfinished work, which a later process removes if this one dies.
 *
 * @throws ZappError CACHE_READ_ONLY
 */
export async function makeTemp(layout: CacheLayout): Promise<string> {
  const path = join(layout.temp, `${await ownIdentity()}-${made++}`)
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // ENOENT: makeLayout was not allowed to make the folder around it.
    if (!isReadOnlyError(error) && code !== 'ENOENT') throw error
    throw fail('CACHE_READ_ONLY', layout.dir, { dir: layout.dir }, error)
  }
  return path
}

/** How long an owner that cannot be judged (other boot, other container) is believed to be at work: one day, in ms. */
const UNKNOWN_WORK_MS = 24 * 3600 * 1000

/** Removes what killed processes left behind. @returns the folders of those that are at work, this process among them */
export async function sweepTemp(layout: CacheLayout): Promise<string[]> {
  const busy: string[] = []
  for (const name of (await readdir(layout.temp).catch(ignore('ENOENT'))) ?? []) {
    const path = join(layout.temp, name)
    if (await isAtWork(name, path)) busy.push(path)
    // Two starters may sweep at once, or the cache may be read-only: what is left goes another time.
    else await rm(path, { recursive: true, force: true }).catch(() => {})
  }
  return busy
}

async function isAtWork(name: string, path: string): Promise<boolean> {
  const life = await liveness(name)
  if (life !== 'unknown') return life === 'alive'
  const found = await stat(path).catch(ignore('ENOENT'))
  return found !== undefined && Date.now() - found.mtimeMs < UNKNOWN_WORK_MS
}
