import type { IncomingMessage } from 'node:http'

const HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/i

/** Whether a Host field is a host and a port, RFC 9110 §7.2, without what only other parsers would make sense of. */
export function isHostField(value: string): boolean {
  return HOST.test(value)
}

/** RFC 9112 §6.3: a request without either of these two fields has no body. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || !['0', undefined].includes(headers['content-length'])
}
