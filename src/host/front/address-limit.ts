import type { Socket } from 'node:net'
import { peerOf, type Trust, trustIn } from './client.ts'
import { Place } from './place.ts'

/** What is on this machine has other ways to hold it busy, and a proxy on it brings the connections of many. */
export const LOOPBACK = ['127.0.0.0/8', '::1'] as const

export interface PerAddress {
  /** At once. */
  readonly connections: number
  /** Addresses and networks that may have any number. Default: {@link LOOPBACK}. */
  readonly except?: readonly string[] | undefined
}

/**
 * Counts the connections that each address has, here and in the processes of apps (S01). IPv6 is counted by the first 64
 * bits: that is the least that one subscriber has (RFC 6177 §2), and whoever has them can use all addresses in them.
 */
export class AddressLimit {
  /** How many it has not admitted. */
  refused = 0
  #most = Number.POSITIVE_INFINITY
  #isExempt: Trust | undefined
  #ids = 0
  readonly #counts = new Map<string, number>()

  /**
   * From the next connection on.
   * @param limit undefined: as many as they like, and none is counted
   * @param proxies may have any number, too
   */
  use(limit: PerAddress | undefined, proxies: readonly string[] = []): void {
    this.#most = limit?.connections ?? Number.POSITIVE_INFINITY
    this.#isExempt = trustIn([...(limit?.except ?? LOOPBACK), ...proxies])
  }

  /** @param socket accepted a moment ago. @returns false where its address has as many as it may have */
  admit(socket: Socket): boolean {
    if (this.#most === Number.POSITIVE_INFINITY) return true
    const address = peerOf(socket)
    if (this.#isExempt?.(address)) return true
    const network = networkOf(address)
    const count = this.#counts.get(network) ?? 0
    if (count >= this.#most) {
      this.refused++
      return false
    }
    this.#counts.set(network, count + 1)
    new Place(++this.#ids, () => this.#leave(network)).take(socket)
    return true
  }

  #leave(network: string): void {
    const count = (this.#counts.get(network) ?? 0) - 1
    if (count > 0) this.#counts.set(network, count)
    else this.#counts.delete(network)
  }
}

/** As the system writes addresses: the longest run of zeros is left out. */
function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const last = tail === '' ? [] : tail.split(':')
    while (groups.length + last.length < 8) groups.push('0')
  }
  return `${groups.slice(0, 4).join(':')}::/64`
}
