import { once } from 'node:events'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { authorities } from '../helpers/certificates.ts'
import { Talk } from './raw.ts'

const ca = await authorities('shop', 'renewed', 'other')

/** A client that trusts the certificates of the tests. @param name what it asks for (SNI), and what must be shown */
export async function openTls(
  port: number,
  name = 'shop.example',
  { host = '127.0.0.1', ...options }: ConnectionOptions = {},
): Promise<TLSSocket> {
  const socket = connect({ port, host, servername: name, ca, ...options })
  await once(socket, 'secureConnect')
  return socket
}

export async function talkTls(port: number, name?: string, options?: ConnectionOptions): Promise<Talk> {
  return new Talk(await openTls(port, name, options))
}

/** Whose certificate is shown to a client: its serial number. */
export async function shownTo(port: number, name: string, options: ConnectionOptions = {}): Promise<string> {
  const socket = await openTls(port, name, { rejectUnauthorized: false, ...options })
  const { subject } = socket.getPeerCertificate()
  socket.destroy()
  return String(subject.CN).replace('Zapp test ', '')
}
