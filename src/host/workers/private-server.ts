import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { App } from '../../runtimes/app.ts'
import { actAs } from '../front/client.ts'

/**
 * Answers what the host passes on over a private Unix socket. Who the client is stands in fields that the host has set;
 * the app finds it where it would find it on a connection of the client's own. Requests were judged by the host.
 */
export function createPrivateServer(app: App): Server {
  // Nobody but the host gets here, and it ends its connections itself.
  const server = createServer({ keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0, requireHostHeader: false })
  server.maxHeadersCount = 0
  // A descriptor may be missing to accept a connection: the host tries again.
  server.on('error', () => {})
  server.on('request', (req, res) => {
    actAsClient(req)
    app.listener(req, res)
  })
  server.on('upgrade', (req, socket, head) => {
    actAsClient(req)
    app.upgrade(req, socket, head)
  })
  return server
}

/** One request at a time is on a connection of ours. */
function actAsClient({ socket, headers }: IncomingMessage): void {
  actAs(socket, headers['x-forwarded-for'] as string | undefined, headers['x-forwarded-proto'] === 'https')
}
