import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, readdirSync } from 'node:fs'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { BIN, ensureBuilt } from '../cli/helper.ts'
import { commandOf, descendants, isRunning } from '../helpers/processes.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { until } from './until.ts'

/** Folders of one host, which outlive its process. */
export interface Place {
  /** The watched folder. */
  readonly apps: string
  readonly state: string
  readonly cache: string
  readonly data: string
  /** Temporary files: what is left there was left behind. */
  readonly temporary: string
}

export async function makePlace(): Promise<Place> {
  ensureBuilt()
  const folder = await tmpDir()
  const at = async (name: string) => {
    await mkdir(join(folder, name), { mode: 0o700 })
    return join(folder, name)
  }
  const [apps, state, cache, data] = [await at('apps'), await at('state'), await at('cache'), await at('data')]
  return { apps, state, cache, data, temporary: await at('tmp') }
}

/** As the admin API tells of an app; more than is read here. */
export interface AppStatus {
  readonly id: string
  readonly version: string
  readonly digest: string
  readonly source: string
  readonly state: string
  readonly error?: { readonly code: string; readonly message: string }
  readonly draining: number
  readonly pids: readonly number[]
}

export interface HostOptions {
  /** What comes before `node` on its command line, to run it inside another program. */
  readonly prefix?: readonly string[]
  readonly args?: readonly string[]
}

/** `zapp serve` as its users start it: a process of its own, of what was built. */
export class HostProcess {
  readonly place: Place
  readonly child: ChildProcess
  port = 0
  /** What it says on stderr, but for its access log. */
  readonly lines: string[] = []
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>

  private constructor(place: Place, child: ChildProcess) {
    this.place = place
    this.child = child
    this.exited = once(child, 'exit').then(([code, signal]) => ({ code, signal }))
    createInterface(child.stderr!).on('line', (line) => {
      if (!/^\d{4}-\d\d-\d\dT\S+ \S+ "/.test(line)) this.lines.push(line)
    })
  }

  /** Resolves when every app was tried. */
  static async start(place: Place, { prefix = [], args = [] }: HostOptions = {}): Promise<HostProcess> {
    const { apps, state, cache, data, temporary } = place
    const folders = ['--state', state, '--cache', cache, '--data', data]
    const command = [process.execPath, BIN, 'serve', apps, '--port', '0', '--json', ...folders, ...args]
    const [program = '', ...rest] = [...prefix, ...command]
    const child = spawn(program, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: temporary, NODE_ENV: 'production' },
    })
    const host = new HostProcess(place, child)
    host.port = await portOf(child.stdout!).catch(() => {
      throw new Error(`the host did not start:\n${host.lines.join('\n')}`)
    })
    return host
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** Of apps: a process that judges an archive ends by itself, a second after the last. */
  get processes(): number[] {
    return descendants(this.pid).filter((pid) => !commandOf(pid).includes('validator.js'))
  }

  /** How often a version of an app, or of any, went live, as it told. */
  switches(id?: string): number {
    return this.told('live', id)
  }

  /** How often it said that of an app, or of any: `removed`, `failed`. */
  told(what: string, id?: string): number {
    return this.lines.filter((line) => {
      const [first, second] = line.split(/ +/, 2)
      return first === what && (id === undefined || second === id)
    }).length
  }

  /** @throws Error with what the API answers, when that is no success */
  async ask<T>(method: string, path: string, body?: { readonly file: string }): Promise<T> {
    const token = (await readFile(join(this.place.state, 'admin.token'), 'utf8')).trim()
    const length = body && (await stat(body.file)).size
    const asked = request({
      ...{ socketPath: join(this.place.state, 'admin.sock'), method, path, agent: false },
      headers: { Authorization: `Bearer ${token}`, ...(length === undefined ? {} : { 'Content-Length': length }) },
    })
    if (body) createReadStream(body.file).pipe(asked)
    else asked.end()
    const [answer] = await once(asked, 'response')
    const told = await text(answer)
    if (answer.statusCode > 299) throw new Error(`${method} ${path}: ${answer.statusCode} ${told}`)
    return (told === '' ? undefined : JSON.parse(told)) as T
  }

  apps(): Promise<AppStatus[]> {
    return this.ask('GET', '/api/apps')
  }

  app(id: string): Promise<AppStatus> {
    return this.ask('GET', `/api/apps/${encodeURIComponent(id)}`)
  }

  deploy(file: string, path: string): Promise<{ readonly app: AppStatus; readonly ms: number }> {
    return this.ask('POST', `/api/apps?path=${encodeURIComponent(path)}`, { file })
  }

  rollback(id: string): Promise<AppStatus> {
    return this.ask('POST', `/api/apps/${encodeURIComponent(id)}/rollback`)
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  async stop(): Promise<void> {
    this.kill('SIGTERM')
    const hard = setTimeout(() => this.kill('SIGKILL'), 15_000)
    await this.exited
    clearTimeout(hard)
  }
}

/** A host for as long as `work` runs. @throws Error what `work` does, with what the host said last; what is left of it */
export async function withHost<T>(
  place: Place,
  work: (host: HostProcess) => Promise<T>,
  options: HostOptions = {},
): Promise<T> {
  const host = await HostProcess.start(place, options)
  let processes: number[] = []
  let result: T
  try {
    result = await work(host)
  } catch (error) {
    throw new Error(`${error}\nWhat the host said last:\n${host.lines.slice(-20).join('\n')}`, { cause: error })
  } finally {
    processes = descendants(host.pid)
    if (host.child.exitCode === null && host.child.signalCode === null) await host.stop()
  }
  await until(() => leftBehind(place, processes).length === 0, 5000).catch(() => {
    throw new Error(`a host left behind: ${leftBehind(place, processes).join(', ')}`)
  })
  return result
}

/** Processes that still run, and sockets. */
function leftBehind({ temporary, state }: Place, processes: readonly number[]): string[] {
  const sockets = [...readdirSync(temporary), ...readdirSync(state)].filter((name) => /^zapp-|\.sock$/.test(name))
  return [...processes.filter(isRunning).map((pid) => `process ${pid}`), ...sockets]
}

/** From the one JSON document on stdout, which stays open. */
async function portOf(stdout: Readable): Promise<number> {
  let told = ''
  for await (const chunk of stdout.iterator({ destroyOnReturn: false })) {
    told += chunk
    if (told.endsWith('}\n')) return (JSON.parse(told) as { address: { port: number } }).address.port
  }
  throw new Error('nothing was told')
}
