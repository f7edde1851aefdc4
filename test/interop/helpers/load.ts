import { Agent, request } from 'node:http'

export interface Load {
  /** Requests that were answered or failed until now. */
  readonly requests: number
  /** What went wrong: a status other than 200, or a connection that broke. */
  readonly failures: readonly string[]
  /** Of the answers until now, by text. */
  readonly bodies: ReadonlySet<string>
  stop(): Promise<void>
}

/** Asks a port for `/` over and over, on as many connections. */
export function startLoad(port: number, connections: number, keepAlive: boolean): Load {
  // An agent that bounds its sockets would use them again.
  const agent = keepAlive && new Agent({ keepAlive, maxSockets: connections })
  const failures: string[] = []
  const bodies = new Set<string>()
  let requests = 0
  let going = true
  const one = () =>
    new Promise<void>((resolve) => {
      const fail = (error: Error) => {
        failures.push(error.message)
        resolve()
      }
      const req = request({ host: '127.0.0.1', port, path: '/', agent }, (res) => {
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
      req.on('error', fail).end()
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
    failures,
    bodies,
    async stop() {
      going = false
      await Promise.all(loops)
      if (agent) agent.destroy()
    },
  }
}
