import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { App, LoadOptions, LogLine } from '../../../src/runtimes/load.ts'
import { listen, load } from '../../helpers/load.ts'

export interface Served {
  readonly app: App
  readonly origin: string
  readonly errors: { code?: string; message: string; path: string }[]
  readonly log: LogLine[]
}

/** Serves scripts of the folder cgi-bin under /cgi-bin/. A script without "#!" gets that of sh. */
export async function serveScripts(
  scripts: Readonly<Record<string, string>>,
  entry: Record<string, unknown> = {},
  options: LoadOptions = {},
  files: Readonly<Record<string, string>> = {},
  manifest: Record<string, unknown> = {},
): Promise<Served> {
  const errors: Served['errors'] = []
  const log: LogLine[] = []
  const app = await load(
    {
      entry: { type: 'cgi', dir: 'cgi-bin', ...entry },
      routes: { '/cgi-bin/*': { entry: 'main', strip: true } },
      ...manifest,
    },
    {
      ...files,
      ...Object.fromEntries(Object.entries(scripts).map(([name, text]) => [`cgi-bin/${name}`, withShebang(text)])),
    },
    {
      onError: (error) => void errors.push(error as Served['errors'][0]),
      onLog: (line) => void log.push(line),
      ...options,
    },
  )
  return { app, errors, log, origin: await listen(createServer(app.listener).on('upgrade', app.upgrade)) }
}

const withShebang = (text: string) => (text.startsWith('#!') ? text : `#!/bin/sh\n${text}\n`)

/** Prints the whole environment, one variable a line, and its input. */
export const ENV = 'echo "Content-Type: text/plain"; echo; env; pwd; cat'

export function variables(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
}

export interface Raw {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  /** The answer broke off. */
  readonly cut: boolean
}

/** Exactly what comes, also where it is not whole. */
export function ask(
  url: string,
  init: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const path = url.slice(url.indexOf('/', 8))
    const client = request({ hostname, port, path, agent: false, ...init }, (answer) => {
      const chunks: Buffer[] = []
      const done = (cut: boolean) => {
        resolve({ status: answer.statusCode!, headers: answer.headers, body: Buffer.concat(chunks), cut })
      }
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.once('end', () => done(false)).once('error', () => done(true))
    })
    client.once('error', reject).end(init.body === undefined ? undefined : Buffer.from(init.body))
  })
}

/** Processes in whose environment a word stands, zombies of ours included. */
export function processesWith(word: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(word)
      } catch {
        return false
      }
    })
    .map(Number)
}

/** Children of this process, zombies included. */
export function children(): number[] {
  const file = `/proc/self/task/${process.pid}/children`
  if (existsSync(file)) return readFileSync(file, 'utf8').trim().split(' ').filter(Boolean).map(Number)
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/stat`, 'latin1')
            .replace(/^.*\) /, '')
            .split(' ')[1] === String(process.pid)
        )
      } catch {
        return false
      }
    })
    .map(Number)
}

/** Whether a process runs. One that is dead and that nobody has asked for is still listed. */
export function lives(pid: string): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}
