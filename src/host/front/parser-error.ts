import type { Socket } from 'node:net'
import { type Reply, refusal } from '../reply.ts'
import type { ServedConnection } from './served-connection.ts'

/** Of a request whose body does not come; Node's parser has the same code for a head. */
export const TOO_SLOW = Object.assign(new Error('the body does not come'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' })

/** What Node's parser makes of bytes that are no request; everything else is 400. */
const REPLIES: Readonly<Record<string, Reply>> = {
  ERR_HTTP_REQUEST_TIMEOUT: refusal(408, 'The request did not arrive in time.'),
  HPE_HEADER_OVERFLOW: refusal(431, 'The header fields are larger than 16 KiB.'),
  HPE_INVALID_METHOD: refusal(501, 'This method is not known.'),
  HPE_INVALID_VERSION: refusal(505, 'This server speaks HTTP/1.1.'),
  HPE_PAUSED_H2_UPGRADE: refusal(505, 'This server speaks HTTP/1.1.'),
}
const NO_REQUEST = refusal(400, 'This is not an HTTP/1.1 request.')

/** @returns undefined where nobody is there, or would take the answer for that of another request */
export function replyTo(
  { code = '' }: NodeJS.ErrnoException,
  socket: Socket,
  connection: ServedConnection | undefined,
): Reply | undefined {
  if (code === 'ECONNRESET' || !socket.writable || !connection || connection.isSilent) return undefined
  const [first, ...others] = connection.running
  // Else only to a request that broke off in its own body.
  const mayAnswer = !first || (others.length === 0 && !first.req.complete && !first.res?.headersSent)
  return mayAnswer ? (REPLIES[code] ?? NO_REQUEST) : undefined
}
