import { readFileSync } from 'node:fs'
import type { Server } from 'node:net'

/** For files, channels of processes, and connections to them. */
const RESERVE = 48

/** Connections that servers of this process have accepted, and that have not ended. */
let open = 0

/**
 * Keeps all servers together within the descriptors that the process may have (R12): connections beyond them are ended at
 * once, and accepting goes on when others have ended.
 */
export function limitConnections(server: Server): void {
  const most = Math.max(1, softLimit() - RESERVE)
  // Of one server alone, before there is a socket.
  server.maxConnections = most
  server.on('connection', (socket) => {
    open++
    socket.once('close', () => {
      open--
    })
    if (open > most) socket.destroy()
  })
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
