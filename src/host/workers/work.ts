import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import type { Server as PrivateServer } from 'node:http'
import { url as inspectorUrl } from 'node:inspector'
import { createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { asZappError, ZappError } from '../../errors.ts'
import { judgeRequestPath } from '../../mount/request-path.ts'
import type { EntryWatch } from '../../runtimes/entry-watch.ts'
import { type App, type LogLine, loadHosted } from '../../runtimes/load.ts'
import { limitConnections } from '../front/descriptors.ts'
import { Place } from '../front/place.ts'
import { RequestServer } from '../front/request-server.ts'
import { HOST_HONOURS } from '../honours.ts'
import { isEverything, isWithin, type Territory } from '../territory.ts'
import { appStack, inspectError } from './app-stack.ts'
import { HandOver, type Peer } from './hand-over.ts'
import type { CommandMessage, FromWorker, SentError, StartMessage, ToWorker } from './messages.ts'
import { createPrivateServer } from './private-server.ts'
import { Reports } from './reports.ts'

/** For what runs when the host is gone, or the process is told to end by somebody else. */
const ORPHAN_MS = 2000
const TERM_MS = 10_000

/**
 * A worker of the host, in a process of its own: loads one app, answers for it on connections that it is handed and on a
 * private socket, and resolves when it has nothing left to do. The process then ends.
 */
export async function work(process: NodeJS.Process): Promise<void> {
  const channel = takeChannel(process)
  /** The host reads it: it is the app's log. */
  const { stderr: log } = process
  const gone = once(process, 'disconnect')
  const [start] = (await Promise.race([once(process, 'message'), gone])) as [(StartMessage | CommandMessage)?]
  if (!start) return
  if (start.type === 'command') return (await import('./run-command.ts')).runCommand(process, start)
  const say = (message: FromWorker) =>
    new Promise<void>((resolve) => {
      if (channel.connected) channel.send(message, () => resolve())
      else resolve()
    })
  const { file, mount, config, cache, data, earlier, limits, workers, python } = start
  const onError = (error: unknown, where: string) => void say({ type: 'error', where, error: sentError(error) })
  const onLog = (line: LogLine) => void say({ type: 'log', line })
  const watch: EntryWatch = {
    ended: (how, isDown) => void say({ type: 'entryEnded', how, isDown }),
    up: () => void say({ type: 'entryUp' }),
  }
  const options = {
    ...{ mount, config, cache, data, earlier, processLimits: limits, workers, python },
    ...{ onError, onLog, honours: HOST_HONOURS, watch, closesIdle: true },
  }
  const loading = loadHosted(file, options).catch(asZappError)
  const app = await Promise.race([loading, gone.then(() => undefined)])
  if (!app) return
  if (app instanceof ZappError) {
    // Before the host is told: it waits for what is printed only so long.
    if (app.code === 'ENTRY_LOAD' && 'cause' in app) log.write(`${inspectError(app.cause)}\n`)
    return say({ type: 'failed', findings: app.findings })
  }
  const asked = createPrivateServer(app)
  asked.listen(start.socket)
  await once(asked, 'listening')
  await new Worker(channel, app, asked, start, say).run()
  // The host does so too, unless it is gone (U01). Only the host can where it runs as another user.
  await rm(dirname(start.socket), { recursive: true, force: true }).catch(() => {})
}

/** Our end of the channel to the host. */
type Channel = Pick<NodeJS.Process, 'on' | 'once'> & Peer & { readonly send: NonNullable<NodeJS.Process['send']> }

/**
 * An app that found `process.send` would take the host for its process manager, and talk to it. `disconnect` stays: Node
 * calls it by that name when the channel ends.
 */
function takeChannel(process: NodeJS.Process): Channel {
  const send = process.send?.bind(process) as Channel['send']
  Object.assign(process, { send: undefined })
  return {
    send,
    on: process.on.bind(process),
    once: process.once.bind(process),
    get connected() {
      return process.connected
    },
  }
}

class Worker {
  readonly #channel: Channel
  readonly #app: App
  readonly #private: PrivateServer
  readonly #say: (message: FromWorker) => Promise<void>
  readonly #reports: Reports
  readonly #held: RequestServer
  readonly #returns: HandOver
  readonly #accepting = createServer({ allowHalfOpen: true, noDelay: true })
  /** Connections of which the host has not been told yet that they ended. */
  #endedPlaces: number[] = []
  #territory: Territory | undefined
  #draining: Promise<void> | undefined
  #done = () => {}

  constructor(
    channel: Channel,
    app: App,
    asked: PrivateServer,
    start: StartMessage,
    say: (message: FromWorker) => Promise<void>,
  ) {
    this.#channel = channel
    this.#app = app
    this.#private = asked
    this.#say = say
    this.#reports = new Reports((report) => say({ type: 'report', ...report }))
    this.#returns = new HandOver(channel, 'return')
    const found = {
      app: { id: start.app, version: app.manifest.version },
      deployment: { handle: app.listener, upgrade: app.upgrade },
    }
    this.#held = new RequestServer({
      find: () => found,
      log: (record) => this.#reports.add(record),
      leaves: ({ method = '', url: target = '', headers }) => !this.#isOurs(method, target, headers.host),
      onLeave: (socket, bytes) => {
        if (!this.#returns.give(socket, bytes)) socket.destroy()
      },
    })
    limitConnections(this.#accepting)
    this.#accepting.on('connection', (socket) => socket.destroyed || this.#held.accept(socket))
  }

  async run(): Promise<void> {
    const done = new Promise<void>((resolve) => {
      this.#done = resolve
    })
    this.#channel.on('message', (message: ToWorker, handle) => this.#told(message, handle as Socket | undefined))
    this.#channel.once('disconnect', () => {
      // Nobody takes these any more.
      const { sent, waiting } = this.#returns.close()
      for (const { socket } of [sent ?? [], waiting].flat()) socket.destroy()
      this.#end(ORPHAN_MS)
    })
    this.#channel.once('SIGTERM', () => this.#end(TERM_MS))
    if (!this.#channel.connected) this.#end(0)
    await this.#say({ type: 'ready' })
    await done
    await this.#reports.end()
  }

  #told(message: ToWorker, handle: Socket | undefined): void {
    switch (message.type) {
      case 'connection':
        if (!handle) break
        if (message.place !== undefined) new Place(message.place, (id) => this.#ended(id)).take(handle)
        this.#held.adopt(handle, Buffer.from(message.head, 'latin1'))
        break
      case 'listen':
        this.#accepting.listen(handle, () => void this.#say({ type: 'listening' }))
        break
      case 'territory':
        this.#territory = message.territory
        break
      case 'accessLog':
        this.#reports.format = message.format
        break
      case 'drain':
        this.#drain(message.graceMs, message.last === true)
        break
      case 'activity':
        void this.#say({ type: 'activity', idleMs: this.#held.idleMs, isDebugged: inspectorUrl() !== undefined })
        break
      case 'end':
        this.#private.close()
    }
  }

  /** Those that end together are told of together. */
  #ended(place: number): void {
    this.#endedPlaces.push(place)
    if (this.#endedPlaces.length > 1) return
    setImmediate(() => void this.#say({ type: 'ended', places: this.#endedPlaces.splice(0) }))
  }

  /** What cannot be judged is: it is refused where everything is refused. */
  #isOurs(method: string, target: string, host: string | undefined): boolean {
    const territory = this.#territory
    if (!territory || isEverything(territory)) return true
    const path = judgeRequestPath({ method, target, headers: { get: () => host ?? null }, mount: '' })
    return typeof path === 'number' || isWithin(territory, path.decoded || '/', host?.toLowerCase())
  }

  /** Without the host. */
  #end(graceMs: number): void {
    if (this.#private.listening) this.#private.close()
    this.#drain(graceMs, true)
  }

  /** Idempotent; a later call can only shorten the wait. */
  #drain(graceMs: number, last: boolean): void {
    const cut = setTimeout(() => {
      this.#held.cut()
      if (this.#private.listening) this.#private.close()
      this.#private.closeAllConnections()
    }, graceMs)
    this.#draining ??= this.#drained(last)
    void this.#draining.finally(() => clearTimeout(cut))
  }

  async #drained(last: boolean): Promise<void> {
    const privateClosed = this.#private.listening ? once(this.#private, 'close') : undefined
    if (this.#accepting.listening) this.#accepting.close()
    await (last ? this.#held.close() : this.#held.leave())
    await this.#returns.idle()
    void this.#say({ type: 'drained' })
    await privateClosed
    await this.#app.close({ graceMs: 0 })
    this.#done()
  }
}

function sentError(error: unknown): SentError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) }
  const { name, message } = error
  if (error instanceof ZappError) return { name, message, code: error.code }
  const stack = appStack(error)
  return { name, message, ...(stack && { stack }) }
}
