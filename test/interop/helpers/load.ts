import { Agent, request } from 'node:http'

export interface Load {
  /** Requests that were answered or failed until now. */
  readonly requests: number
  /** What went wrong: a status other than 200, or a connection that broke. */
  readonly failures: readonly string[]
  /** Requests that were sent again: see {@link startLoad}. */
  readonly repeated: number
  /** Of the answers until now, by text. */
  readonly bodies: ReadonlySet<string>
  stop(): Promise<void>
}

/**
 * Asks a port for `/` over and over, on as many connections. As every client does (RFC 9112 §9.3.1), it asks again where a
 * connection that had been used before ends without a byte of the answer: its server may have closed it, being idle, while
 * the request was on its way, and neither side can know.
 */
export function startLoad(port: number, connections: number, keepAlive: boolean): Load {
  // An agent that bounds its sockets would use them again.
  const agent = keepAlive && new Agent({ keepAlive, maxSockets: connections })
  const failures: string[] = []
  const bodies = new Set<string>()
  let requests = 0
  let repeated = 0
  let going = true
  const one = (): Promise<void> =>
    new Promise((resolve) => {
      const fail = (error: Error) => {
        failures.push(error.message)
        resolve()
      }
      let answered = false
      const req = request({ host: '127.0.0.1', port, path: '/', agent }, (res) => {
        answered = true
        let body = ''
        res.setEncoding('utf8').on('data', (text) => {
          body += text
        })
        res.on('error', fail).on('end', () => {
          if (res.statusCode === 200) bodies.add(body)
          else failures.push(`${res.statusCode} ${body.slice(0, 200)}`)
          resolve()
        })
      })
      req.on('error', (error: NodeJS.ErrnoException) => {
        if (!req.reusedSocket || error.code !== 'ECONNRESET' || answered) return fail(error)
        repeated++
        resolve(one())
      })
      req.end()
    })
  const loops = Array.from({ length: connections }, async () => {
    while (going) {
      await one()
      requests++
    }
  })
  return {
    get requests() {
      return requests
    },
    get repeated() {
      return repeated
    },
    failures,
    bodies,
    async stop() {
      going = false
      await Promise.all(loops)
      if (agent) agent.destroy()
    },
  }
}
