import { join, resolve } from 'node:path'
import { escapeUnsafe } from '../../errors.ts'
import { type AccessFormat, type AccessRecord, formatAccess } from '../access-log.ts'
import type { Events } from '../events.ts'
import type { LogEntry } from '../host.ts'
import type { HostSettings } from '../settings/read-settings.ts'
import type { Report } from '../workers/messages.ts'
import { LogFile } from './log-file.ts'

/** Where the logs of a host go, as its settings say: requests to be printed or into a file, apps' lines into files. */
export class HostLogs {
  readonly #events: Events
  readonly #onError: (error: unknown) => void
  readonly #apps = new Map<string, LogFile>()
  #access: LogFile | undefined
  #format: AccessFormat | 'off' = 'zapp'
  #folder: string | undefined

  constructor(events: Events) {
    this.#events = events
    this.#onError = (error) => events.emit({ type: 'error', app: '', name: '', error, where: 'writing a log' })
    events.journal.listen((app, entry) => this.#add(app, entry))
  }

  /** @param format wins over that of the settings. @throws ZappError IO: everything is as it was */
  async use(settings: HostSettings | undefined, format: AccessFormat | 'off' | undefined): Promise<void> {
    const { access, apps } = settings?.logs ?? {}
    const within = (path: string) => resolve(settings?.folder ?? '', path)
    const file = access?.file === undefined ? undefined : within(access.file)
    const before = this.#access
    if (before?.path !== file) {
      const next = file === undefined ? undefined : new LogFile(file, this.#onError)
      await next?.open()
      this.#access = next
      await before?.close()
    }
    this.#format = format ?? access?.format ?? 'zapp'
    const folder = apps === undefined ? undefined : within(apps)
    if (folder === this.#folder) return
    this.#folder = folder
    await Promise.all([...this.#apps.keys()].map((app) => this.forget(app)))
  }

  /** How requests are logged. */
  get format(): AccessFormat | 'off' {
    return this.#format
  }

  /** Counts a request that was answered, and logs it. */
  access(record: AccessRecord): void {
    const { app, version, aborted } = record
    const counted = aborted ? { ...record, status: 0 } : record
    if (app !== '-') this.#events.countersOf(app).version(version).observe(counted)
    if (this.#format !== 'off') this.#write(formatAccess(record, this.#format))
  }

  /** Takes what a process has counted, and lines that it has written. */
  report({ id, version }: { readonly id: string; readonly version: string }, { counts, lines, lost }: Report): void {
    this.#events.countersOf(id).version(version).add(counts)
    if (lines !== '') this.#write(lines.slice(0, -1))
    if (lost > 0) this.#onError(new Error(`${lost} lines of ${id} came faster than they could be taken`))
  }

  /** Into the file, or to be printed. */
  #write(lines: string): void {
    if (this.#access) this.#access.add(lines)
    else this.#events.emit({ type: 'access', lines })
  }

  /** Goes on in new files: somebody has moved the old ones away. */
  async reopen(): Promise<void> {
    await Promise.all([this.#access, ...this.#apps.values()].map((file) => file?.reopen()))
  }

  /** Resolves when everything is written. */
  async close(): Promise<void> {
    await Promise.all([this.#access, ...this.#apps.values()].map((file) => file?.close()))
  }

  #add(app: string, { time, version, entry, stream, text }: LogEntry): void {
    if (this.#folder === undefined) return
    const file = this.#apps.get(app) ?? new LogFile(join(this.#folder, logFileOf(app)), this.#onError)
    this.#apps.set(app, file)
    // The name of a watched file may give a version any characters.
    const start = `${time.toISOString()} ${escapeUnsafe(version) || '-'} ${entry || '-'} ${stream} `
    file.add(start + text.replaceAll('\n', `\n${start}`))
  }

  /** Closes the file of an app. */
  async forget(app: string): Promise<void> {
    const file = this.#apps.get(app)
    this.#apps.delete(app)
    await file?.close()
  }
}

/**
 * Named as archives are: `a#b.log`, `ROOT.log`, those of a virtual host in a folder of its name. Whatever the id is, the
 * file is in the folder of the logs.
 */
export function logFileOf(id: string): string {
  const [host = '', ...mount] = id.split('/')
  return join(host.replace(/^\.+$/, '-'), `${mount.join('#') || 'ROOT'}.log`)
}
