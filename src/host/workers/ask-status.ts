import { request } from 'node:http'
import type { WorkerProcess } from './worker-process.ts'

/** The status that a worker answers with on its private socket; in words why it does not. */
export function askStatus(
  { upstream: { target } }: WorkerProcess,
  { path, host }: { readonly path: string; readonly host: string },
  signal: AbortSignal,
): Promise<string | number> {
  return new Promise((resolve) => {
    const asked = request({ ...target, path, headers: { Host: host }, signal, agent: false })
    asked.once('response', (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    asked.once('error', (error) => resolve(signal.aborted ? 'no answer' : error.message))
    asked.end()
  })
}
