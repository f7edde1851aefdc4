import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { AccessRecord } from '../access-log.ts'
import { nameOfHost } from '../host-name.ts'
import { endWith, type Reply, refusal, sendReply } from '../reply.ts'
import type { Redirect } from './listen-address.ts'
import type { Answers, Found } from './request-log.ts'
import { RequestServer } from './request-server.ts'

/** RFC 8555 §8.3: the token is base64url, and the answer is the token and a thumbprint. */
const CHALLENGE = /^\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]{1,256})$/
const MAX_ANSWER = 1024

/**
 * Answers on listeners without TLS that serve no app: leads to the same address with https, and answers HTTP-01 challenges
 * out of the folder that certbot and its like put the answers in.
 */
export class Redirects {
  readonly #rules = new WeakMap<Duplex, Redirect>()
  readonly #server: RequestServer

  constructor(log: (record: AccessRecord) => void) {
    this.#server = new RequestServer({
      find: (path, _method, host, req) => this.#find(path, host, req),
      log,
    })
  }

  adopt(socket: Socket, redirect: Redirect): void {
    this.#rules.set(socket, redirect)
    this.#server.adopt(socket, Buffer.alloc(0))
  }

  close(): Promise<void> {
    return this.#server.close()
  }

  destroy(): void {
    this.#server.destroy()
  }

  #find(path: string, host: string | undefined, req: IncomingMessage): Found<Answers> {
    const { port, webroot } = this.#rules.get(req.socket) as Redirect
    const [, token] = CHALLENGE.exec(path) ?? []
    if (webroot !== undefined && token !== undefined) {
      return { app: { id: '-', version: '' }, deployment: fileIn(webroot, token) }
    }
    // Only HTTP/1.0 has none.
    if (host === undefined) return refusal(400, 'Use https.')
    const to = `https://${nameOfHost(host)}${port === 443 ? '' : `:${port}`}${req.url}`
    return refusal(308, 'Use https.', { Location: to })
  }
}

function fileIn(webroot: string, token: string): Answers {
  return {
    async handle(req, res) {
      sendReply(await challengeReply(join(webroot, '.well-known/acme-challenge', token)), req, res)
    },
    upgrade(_req, socket) {
      endWith(socket, NONE)
    },
  }
}

const NONE = refusal(404, 'There is no such challenge.')

/** A small file, and no link to another one. */
async function challengeReply(file: string): Promise<Reply> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const stats = await handle.stat()
      if (!stats.isFile() || stats.size > MAX_ANSWER) return NONE
      const headers = { 'Content-Type': 'text/plain', 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-store' }
      return { status: 200, body: await handle.readFile('utf8'), headers }
    } finally {
      await handle.close()
    }
  } catch {
    return NONE
  }
}
