import { link, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { liveness, ownIdentity } from '../cache/process-id.ts'
import { fail } from '../errors.ts'

export interface StateLock {
  release(): Promise<void>
}

/** An owner that cannot be judged by its process renews the file as often as this. */
const RENEW_MS = 5000
/** A file that was not renewed for so long is of nobody: three times missed. */
const STALE_MS = 3 * RENEW_MS

let made = 0

/**
 * Makes a state folder this host's alone. The lock names its owner by process id and time of start; of an owner in
 * another boot or container, whose processes cannot be seen, it counts while it is renewed.
 *
 * @throws ZappError HOST_RUNNING
 */
export async function lockState(dir: string): Promise<StateLock> {
  const file = join(dir, 'host.lock')
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const own = await ownIdentity()
  const mine = `${file}.${own}-${made++}`
  await writeFile(mine, own, { mode: 0o600 })
  try {
    // A link is there with its content or not at all, and is refused where there is one.
    while (!(await linked(mine, file))) {
      const owner = await readFile(file, 'utf8').catch(() => '')
      if (owner !== '' && (await isHeld(file, owner))) {
        throw fail('HOST_RUNNING', dir, { dir, pid: Number(owner.split('-')[0]) })
      }
      await takeAway(file, owner, mine)
    }
  } finally {
    await rm(mine, { force: true })
  }
  const renew = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => {}), RENEW_MS).unref()
  return {
    async release() {
      clearInterval(renew)
      await rm(file, { force: true })
    },
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function isHeld(file: string, owner: string): Promise<boolean> {
  const life = await liveness(owner)
  if (life !== 'unknown') return life === 'alive'
  for (;;) {
    const found = await stat(file).catch(() => undefined)
    if (!found || Date.now() - found.mtimeMs > STALE_MS) return false
    await sleep(RENEW_MS)
    const later = await stat(file).catch(() => undefined)
    if (later && later.mtimeMs !== found.mtimeMs) return true
  }
}

/** Of two that take a dead owner's lock away, the second may meet the first one's new lock: that goes back. */
async function takeAway(file: string, owner: string, mine: string): Promise<void> {
  const aside = `${mine}.stale`
  const moved = await rename(file, aside).then(
    () => true,
    () => false,
  )
  if (!moved) return
  if ((await readFile(aside, 'utf8')) !== owner) await linked(aside, file)
  await rm(aside, { force: true })
}
