import { readFileSync } from 'node:fs'
import type { Server } from 'node:net'

/** For files, channels of processes, and connections to them. */
const RESERVE = 48

/**
 * Keeps a server within the descriptors that the process may have (R12): connections beyond them are ended at once, and
 * accepting goes on when others have ended.
 */
export function limitConnections(server: Server): void {
  server.maxConnections = Math.max(1, softLimit() - RESERVE)
  // Should they run out all the same: the connection is lost, the process must not be.
  server.on('error', () => {})
}

/** Where there is no /proc: a thousand, the least that is usual. */
function softLimit(): number {
  try {
    const [, soft] = /^Max open files\s+([0-9]+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? Number.MAX_SAFE_INTEGER : Number(soft)
  } catch {
    return 1024
  }
}
