import { readFileSync } from 'node:fs'

const MIB = 1024 * 1024

/**
 * More bytes than a connection on loopback holds that nobody reads: what the kernel lets its buffers grow to, and a
 * little for Node's own. Tests of back-pressure send 64 MiB and expect that less than this leaves.
 */
export const HELD_BACK_AT = Math.min(60 * MIB, largest('tcp_rmem') + largest('tcp_wmem') + 8 * MIB)

function largest(name: string): number {
  try {
    return Number(readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8').trim().split(/\s+/)[2])
  } catch {
    // Not Linux.
    return 8 * MIB
  }
}
