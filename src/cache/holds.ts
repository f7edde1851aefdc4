import { mkdir, readdir, rmdir, stat, unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ignore } from './blobs.ts'
import { type CacheLayout, isReadOnlyError } from './layout.ts'
import { liveness, ownIdentity } from './process-id.ts'

/**
 * Marks that keep a tree from being collected. User and collector meet without a lock, by Dekker's rule: each leaves
 * its own mark first and looks for the other's then, so that at least one of them sees the other.
 *
 *   user       write u-…, look for c-…  ── there is one: wait until it is gone
 *   collector  write c-…, look for u-…  ── there is one: remove c-… and leave the tree alone
 *
 * The modification time of `use/<tree>/` is when the tree was last taken up or let go.
 */
export interface Hold {
  release(): Promise<void>
}

/** A mark of an owner that cannot be judged counts for a week; its owner renews it every day. */
const UNKNOWN_USE_MS = 7 * 24 * 3600 * 1000
const RENEW_MS = 24 * 3600 * 1000

let made = 0

/** Marks a tree as in use, whether it exists or not. In a read-only cache nobody collects, and there is no mark. */
export async function holdTree(layout: CacheLayout, tree: string): Promise<Hold> {
  const dir = join(layout.use, tree)
  const mark = join(dir, `u-${await ownIdentity()}-${made++}`)
  try {
    await writeMark(dir, mark)
  } catch (error) {
    if (isReadOnlyError(error)) return { release: async () => {} }
    throw error
  }
  await collectorGone(dir)
  const renew = setInterval(() => void utimes(mark, new Date(), new Date()).catch(() => {}), RENEW_MS).unref()
  return {
    release: async () => {
      clearInterval(renew)
      await unlink(mark).catch(ignore('ENOENT', 'EROFS', 'EACCES', 'EPERM'))
    },
  }
}

/** Runs `work` if nobody uses the tree, and keeps users out meanwhile. */
export async function withoutUsers(layout: CacheLayout, tree: string, work: () => Promise<void>): Promise<boolean> {
  const dir = join(layout.use, tree)
  const mark = join(dir, `c-${await ownIdentity()}`)
  await writeMark(dir, mark)
  try {
    if (await isUsed(dir)) return false
    await work()
    return true
  } finally {
    await unlink(mark).catch(ignore('ENOENT'))
    // Fails where a user has come meanwhile.
    await rmdir(dir).catch(() => {})
  }
}

async function writeMark(dir: string, mark: string): Promise<void> {
  for (;;) {
    const written = await writeFile(mark, '', { flag: 'wx' }).then(() => true, ignore('ENOENT'))
    if (written) return
    await mkdir(dir, { recursive: true, mode: 0o700 })
  }
}

async function isUsed(dir: string): Promise<boolean> {
  const marks = (await readdir(dir)).filter((name) => name.startsWith('u-'))
  let used = false
  for (const name of marks) if (await isValid(dir, name)) used = true
  return used
}

/** A collector holds its mark for one rename. */
async function collectorGone(dir: string): Promise<void> {
  for (;;) {
    const marks = (await readdir(dir)).filter((name) => name.startsWith('c-'))
    const valid = await Promise.all(marks.map((name) => isValid(dir, name)))
    if (!valid.includes(true)) return
    await sleep(5)
  }
}

/** Whether the owner of a mark lives; the mark is removed where it does not. */
async function isValid(dir: string, name: string): Promise<boolean> {
  const life = await liveness(name.slice(2))
  if (life === 'alive') return true
  const file = join(dir, name)
  if (life === 'unknown') {
    const found = await stat(file).catch(ignore('ENOENT'))
    if (found && Date.now() - found.mtimeMs < UNKNOWN_USE_MS) return true
  }
  await unlink(file).catch(ignore('ENOENT'))
  return false
}
