import type { Socket } from 'node:net'
import type { AccessRecord } from '../access-log.ts'
import type { Deployment } from '../deployment.ts'
import type { Reply } from '../reply.ts'
import { peerOf } from './client.ts'
import type { Asked } from './served-connection.ts'

export type Answers = Pick<Deployment, 'handle' | 'upgrade'>

/** Who answers a request: an app, or the host itself. */
export type Found<D = Deployment> = { readonly app: FoundApp; readonly deployment: D } | Reply

export interface FoundApp {
  readonly id: string
  readonly version: string
}

const NO_APP: FoundApp = { id: '-', version: '' }

/** Makes a record of each request when it is over. */
export class RequestLog {
  readonly #log: (record: AccessRecord) => void

  constructor(log: (record: AccessRecord) => void) {
    this.#log = log
  }

  /** @param end of the same clock as its start */
  answered(
    { req, connection, target, id, found, time, start, peer }: Asked,
    end: number,
    status: number,
    aborted: boolean,
  ): void {
    const { socket, method = '-', httpVersion, headers } = req
    const { referer = '', 'user-agent': userAgent = '' } = headers
    const { id: app, version } = 'deployment' in found ? found.app : NO_APP
    const ms = end - start
    const sent = socket.bytesWritten
    const bytes = sent - connection.sent
    connection.sent = sent
    // Each by its name: to spread an object here would cost as much as the checks of the whole request.
    this.#log({
      time,
      peer,
      method,
      target,
      httpVersion,
      status,
      bytes,
      ms,
      app,
      version,
      aborted,
      id,
      referer,
      userAgent,
    })
  }

  /** For bytes that were no request. @returns to be called when they are answered */
  unread(socket: Socket, status: number): () => void {
    const [time, peer, before] = [Date.now(), peerOf(socket), socket.bytesWritten]
    return () => {
      const [bytes, ms] = [socket.bytesWritten - before, Date.now() - time]
      const unread = { method: '-', target: '-', httpVersion: '-', app: '-', version: '', aborted: false }
      const unsaid = { id: '-', referer: '', userAgent: '' }
      this.#log({ time, peer, status, bytes, ms, ...unread, ...unsaid })
    }
  }
}
