import { lookup } from 'node:dns/promises'
import net, { type AddressInfo } from 'node:net'
import { getSystemErrorName } from 'node:util'

/** A socket of libuv, bound to an address. Whoever gets a copy can listen on it. */
export interface BoundHandle {
  getsockname(out: object): number
  close(): void
}

interface Internals {
  _createServerHandle?(address: string, port: number, family: 4 | 6): BoundHandle | number
}

export interface Bound {
  readonly handle: BoundHandle
  readonly address: AddressInfo
}

/**
 * Binds an address without listening, as `cluster` does in its primary: a `net.Server` would accept connections itself.
 *
 * @returns undefined in a Node that does not have what `cluster` uses
 * @throws what `net.Server` would emit: EADDRINUSE, EACCES
 */
export async function bind(host: string, port: number): Promise<Bound | undefined> {
  const { _createServerHandle: create } = net as Internals
  if (!create) return undefined
  const { address, family } = await lookup(host)
  const failed = (code: string) => Object.assign(new Error(`bind ${code} ${address}:${port}`), { code })
  const handle = create(address, port, family === 6 ? 6 : 4)
  if (typeof handle === 'number') throw failed(getSystemErrorName(handle))
  const bound = {} as AddressInfo
  const error = handle.getsockname(bound)
  if (error === 0 && (port === 0 || bound.port === port)) return { handle, address: bound }
  handle.close()
  // libuv keeps EADDRINUSE to itself until somebody listens.
  throw failed('EADDRINUSE')
}
