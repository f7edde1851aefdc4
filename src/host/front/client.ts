import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP, type Socket } from 'node:net'

/** Whether an address is that of a proxy which may say who the client is. */
export type Trust = (address: string) => boolean

/** Of an address or a network (`10.0.0.0/8`); undefined for what is neither. */
export function parseNetwork(text: string): { address: string; bits: number; type: 'ipv4' | 'ipv6' } | undefined {
  const [, address = '', bits] = /^([0-9A-Fa-f.:]+)(?:\/([0-9]{1,3}))?$/.exec(text) ?? []
  const family = isIP(address)
  const most = family === 6 ? 128 : 32
  if (family === 0 || Number(bits ?? 0) > most) return undefined
  return { address, bits: Number(bits ?? most), type: family === 6 ? 'ipv6' : 'ipv4' }
}

/** @param networks those that {@link parseNetwork} takes; undefined for none at all */
export function trustIn(networks: readonly string[]): Trust | undefined {
  if (networks.length === 0) return undefined
  const list = new BlockList()
  for (const { address, bits, type } of networks.flatMap((text) => parseNetwork(text) ?? [])) {
    list.addSubnet(address, bits, type)
  }
  return (address) => isIP(address) !== 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

/** An IPv4 peer of a listener for both families is written as IPv4. */
export function peerOf({ remoteAddress = '-' }: Pick<Socket, 'remoteAddress'>): string {
  return remoteAddress.startsWith('::ffff:') ? remoteAddress.slice(7) : remoteAddress
}

/**
 * The client as a trusted proxy tells: in X-Forwarded-For each proxy appends whom it was asked by, so the last one that is
 * not itself trusted counts; what stands before it, anybody may have written.
 */
export function clientBehind(proxy: string, { headers }: Pick<IncomingMessage, 'headers'>, trust: Trust): string {
  const told = [headers['x-forwarded-for'] ?? []]
    .flat()
    .join(',')
    .split(',')
    .map((part) => part.trim())
  let client = proxy
  for (const address of told.reverse()) {
    if (!trust(client) || isIP(address) === 0) break
    client = address
  }
  return client
}

/** What a proxy has connected with. */
interface ProxyConnection {
  readonly socket: Socket
  /** Address of the proxy. */
  readonly peer: string
  readonly isEncrypted: boolean
}

/**
 * Lets the connection of a proxy look as if it came from the client whose request this is. Proxies send one after the other.
 *
 * @returns the request's id
 */
export function identify(req: IncomingMessage, { socket, peer, isEncrypted }: ProxyConnection, trust: Trust): string {
  const { 'x-forwarded-proto': scheme, 'x-request-id': id } = req.headers
  const isSecure = scheme === undefined ? isEncrypted : scheme === 'https'
  actAs(socket, clientBehind(peer, req, trust), isSecure)
  return typeof id === 'string' && isRequestId(id) ? id : newRequestId()
}

/** Lets a connection look as if it came from the client that its next request is of. */
export function actAs(socket: Acting, address: string | undefined, isSecure: boolean): void {
  const client = socket[CLIENT]
  if (client) {
    client.address = address
    client.isSecure = isSecure
  } else {
    socket[CLIENT] = { address, isSecure }
    Object.defineProperties(socket, OF_CLIENT)
  }
}

const CLIENT = Symbol('client')
type Acting = Socket & { [CLIENT]?: { address: string | undefined; isSecure: boolean } }

/** The same for all: a property that is defined anew for each request would cost more than the rest of it. */
const OF_CLIENT: PropertyDescriptorMap & ThisType<Acting> = {
  remoteAddress: {
    configurable: true,
    get() {
      return this[CLIENT]?.address
    },
  },
  encrypted: {
    configurable: true,
    get() {
      return this[CLIENT]?.isSecure
    },
  },
}

/** Ids of other processes begin with something else. */
const ID_START = randomBytes(6).toString('hex')
let requests = 0

export function newRequestId(): string {
  return `${ID_START}-${(++requests).toString(36)}`
}

/** What proxies and clients use: UUIDs, trace ids. */
export function isRequestId(text: string | undefined): text is string {
  return text !== undefined && /^[\w.:+/=@-]{1,128}$/.test(text)
}
