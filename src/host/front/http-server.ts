import { createServer, type Server } from 'node:http'
import { isWebSocket } from '../upgrade.ts'

const LIMITS = {
  /** Bytes of request line and fields: what servers in front of us use as well. */
  maxHeaderSize: 16 * 1024,
  /** A head that is not complete by then is answered 408 (S01). */
  headersTimeout: 15_000,
  /** Off: an upload may be large and take its time. See SlowClients. */
  requestTimeout: 0,
  /** Longer than the 60 s of usual load balancers, so that it is never they who write into a closed connection. */
  keepAliveTimeout: 65_000,
} as const

/**
 * Node's server for connections that somebody else has accepted. What it would judge by itself is left to checkRequest, so
 * that it is logged with all the rest.
 *
 * @param halfOpen a client that says it sends no more is not taken for gone
 */
export function createHttpServer(halfOpen: boolean): Server {
  const ours = { requireHostHeader: false, insecureHTTPParser: false, shouldUpgradeCallback: isWebSocket }
  const server = createServer({ ...LIMITS, ...ours })
  // 0: none is dropped silently. checkRequest counts them.
  server.maxHeadersCount = 0
  // Node has no option for it, and a property that its own code asks at the end of what a client sends.
  return Object.assign(server, { httpAllowHalfOpen: halfOpen })
}
