import { createHash } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'

/**
 * A temporary folder is `.zapp-unpack-<host>-<pid>-<random>`. The host is in it because the folder above may be shared
 * between machines or containers, where one cannot see whether the other's process still runs.
 */
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)
const NAME = /^\.zapp-unpack-([0-9a-f]{8})-([0-9]+)-[A-Za-z0-9]+$/

/** What mkdtemp adds random characters to. */
export function temporaryPrefix(): string {
  return `.zapp-unpack-${HOST}-${process.pid}-`
}

/** Removes what runs that were killed left in a folder. What cannot be removed is left to the next time. */
export async function sweepTemporaries(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const [, host, pid] = NAME.exec(name) ?? []
    if (host !== HOST || isAlive(Number(pid))) continue
    await rm(join(folder, name), { recursive: true, force: true }).catch(() => {})
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Anything but "no such process" means that there is one: of another user, for example.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
