import { once } from 'node:events'
import { readFile, stat } from 'node:fs/promises'
import { InvalidArgumentError, Option } from 'commander'
import { describe, type ZappError } from '../../errors.ts'
import { shellWord } from '../../format/shell-word.ts'
import { ACCESS_FORMATS, type AccessFormat } from '../../host/access-log.ts'
import { isUp, type StateChange, type VersionState } from '../../host/app-view.ts'
import { type AppView, type Host, type HostEvent, type ServeOptions, serve as serveApps } from '../../host/serve.ts'
import { findRoot } from '../../host/sources.ts'
import { stateLocation } from '../../runtimes/cache-location.ts'
import { type AppFlags, addAppFlags, appOptions } from '../app-flags.ts'
import { type CliCommand, helpText, JSON_OPTION } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { formatTime } from '../format.ts'
import { findingJson, renderFindings } from '../render-finding.ts'
import { about } from '../report.ts'
import { safeText } from '../safe-text.ts'
import { ServiceManager } from '../service-manager.ts'
import { archiveSubject, folderSubject, manifestSubject, NO_SUBJECT, type Subject } from '../subject.ts'
import { renderTable } from '../table.ts'
import type { Ui } from '../ui.ts'
import { usage } from '../usage.ts'

interface ServeFlags extends AppFlags {
  port?: number
  host?: string
  tlsCert?: string
  tlsKey?: string
  mount?: string
  watch?: boolean
  state?: string
  settings?: string
  accessLog?: AccessFormat | 'off'
  admin?: { host: string; port: number }
  json?: boolean
}

export const serve: CliCommand<[paths: string[]], ServeFlags> = {
  define(command) {
    command
      .option('-p, --port <port>', 'default 8080, with TLS 8443; 0 takes any free one', parsePort)
      .option('--host <address>', 'address to listen on; default 127.0.0.1')
      .option('--tls-cert <file>', 'speak TLS: the certificate and its chain, in PEM')
      .option('--tls-key <file>', 'its private key, in PEM')
      .option('--mount <path>', 'where the one app is mounted; default /')
      .option('--watch', 'follow the files; a folder of apps is followed anyway')
      .option('--no-watch', 'do not')
      .option('--admin <address>', 'admin API and console: a port of 127.0.0.1, or <host>:<port>', parseAddress)
      .addOption(
        new Option('--access-log <format>', 'how requests are logged; default zapp').choices([
          ...ACCESS_FORMATS,
          'off',
        ]),
      )
      .option('--settings <file>', 'settings of the host and its apps: zapp.host.json')
      .option(
        '--state <dir>',
        "what a host keeps; default: ZAPP_STATE, or zapp-host in the system's or user's state folder",
      )
    addAppFlags(command)
      .option(...JSON_OPTION)
      .addHelpText(
        'after',
        helpText(
          [
            'One archive or project mounts at /. Of a folder of apps, or of several paths,',
            'each mounts at its own name, and / lists them. The addresses are printed on',
            'stdout, one line for each request on stderr.',
            '',
            'A folder of apps is a host: what is copied there is deployed, what is deleted is',
            'taken down, and what served is served again after a restart. SIGHUP reads the',
            'settings and the certificates again, SIGUSR1 opens the log files anew.',
          ],
          ['zapp serve shop-1.2.0.zapp', 'on http://127.0.0.1:8080/'],
          ['zapp serve . --watch', 'a project while it is written'],
          ['zapp serve apps/ -p 80 --host 0.0.0.0', 'all apps of a folder, for everyone'],
          ['zapp serve shop.zapp --config DEBUG=true', 'with a value that the app declares'],
        ),
      )
  },

  async run(ui, [paths], flags) {
    const files = paths.length === 0 ? ['.'] : paths
    if (flags.mount !== undefined && files.length > 1) {
      throw usage(`--mount places one app, got ${files.length} paths`, 'serve')
    }
    if ((flags.tlsCert === undefined) !== (flags.tlsKey === undefined)) {
      throw usage('--tls-cert and --tls-key go together', 'serve')
    }
    const options = await optionsOf(ui, files, flags)
    const subject = await subjectOf(ui, files)
    return about(subject, async () => {
      const manager = new ServiceManager(ui.io.env, process.pid, (error) =>
        ui.warn(`${ui.talk.yellow('systemd')}  ${safeText(error.message)}`),
      )
      const ready = ({ apps, address }: Host) => manager.ready(`${apps.length} apps at ${address.url}`)
      const reload = (host: Host) => {
        void manager.reloading()
        // What is wrong with the settings is told as an event.
        void host
          .reload()
          .finally(() => ready(host))
          .catch(() => {})
      }
      const starting = serveApps({ ...options, log: createLog(ui) })
      // What comes before the host is up waits for it: SIGHUP without a handler would end the process.
      ui.io.onSignal('SIGHUP', () => void starting.then(reload, () => {}))
      ui.io.onSignal('SIGUSR1', () => void starting.then((host) => host.reopenLogs()).catch(() => {}))
      const host = await starting
      try {
        await announce(ui, host, subject)
        void ready(host)
        if (!ui.io.signal.aborted) await once(ui.io.signal, 'abort')
        ui.say('stopping')
      } finally {
        const told = manager.stopping()
        await host.close()
        await told
      }
      // To be told to stop is how serving ends: no fault of anyone.
      return EXIT.done
    })
  },
}

async function optionsOf(ui: Ui, files: readonly string[], flags: ServeFlags): Promise<ServeOptions> {
  const { tlsCert: cert, tlsKey: key } = flags
  const { mount, host, port, watch, settings, admin, accessLog, state = ui.io.env.ZAPP_STATE } = flags
  const roots = await Promise.all(files.map((file) => findRoot(ui.path(file)).catch(() => undefined)))
  const isHost = settings !== undefined || admin !== undefined || roots.some((root) => root?.kind === 'folder')
  const dir = state ? ui.path(state) : isHost ? await stateLocation() : undefined
  return {
    apps: files.map((file) => ({ path: ui.path(file), ...(mount === undefined ? {} : { mount }) })),
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(cert === undefined || key === undefined ? {} : { tls: { cert: ui.path(cert), key: ui.path(key) } }),
    ...(settings === undefined ? {} : { settings: ui.path(settings) }),
    ...(dir === undefined ? {} : { state: dir }),
    ...(admin === undefined ? {} : { admin }),
    ...(watch === undefined ? {} : { watch }),
    ...(accessLog === undefined ? {} : { accessLog }),
    ...appOptions(ui, flags, 'serve'),
    env: ui.io.env,
  }
}

function parsePort(text: string): number {
  if (!/^[0-9]{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new InvalidArgumentError('It must be a number from 0 to 65535.')
  }
  return Number(text)
}

function parseAddress(text: string): { host: string; port: number } {
  const [, host = '127.0.0.1', port = ''] = /^(?:(.+):)?([0-9]+)$/.exec(text) ?? []
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: parsePort(port) }
}

/** Errors of one path are shown with its name; of several, by their own. */
async function subjectOf(ui: Ui, files: readonly string[]): Promise<Subject> {
  const [file = '.', ...others] = files
  if (others.length > 0) return { ...NO_SUBJECT, names: new Map(files.map((name) => [ui.path(name), name])) }
  const info = await stat(ui.path(file)).catch(() => undefined)
  return info?.isDirectory() ? folderSubject(ui, file) : archiveSubject(ui, file)
}

/** The addresses on stdout. Apps that failed to start are told by {@link createLog}. */
async function announce(ui: Ui, { address, listeners, apps, admin }: Host, subject: Subject): Promise<void> {
  const isServed = listeners.some(({ isRedirect }) => !isRedirect)
  if (listeners.length > 1 || !isServed) {
    for (const { url, isRedirect } of listeners) {
      ui.say(`${ui.talk.green('listens')}  ${url}${isRedirect ? '  leads to https' : ''}`)
    }
  }
  if (admin?.url) {
    ui.say(`${ui.talk.green('console')}  ${admin.url}  its token is in ${safeText(ui.name(admin.tokenFile))}`)
  }
  if (ui.json) {
    ui.data({
      address,
      listeners,
      ...(admin ? { admin } : {}),
      apps: apps.map((app) => appJson(app, address.url, subject)),
    })
    return
  }
  const live = apps.filter((app) => isServed && isUp(app))
  const rows = live.map((app) => [urlOf(app, address.url), titleOf(app)])
  if (isServed && apps.length > 1 && !live.some(({ mount }) => mount === '')) rows.unshift([address.url, 'all apps'])
  ui.out(...renderTable(rows, { indent: 0, paint: (text, _, column) => (column === 0 ? ui.paint.cyan(text) : text) }))
}

function appJson(app: AppView, base: string, subject: Subject): object {
  const { id, name, version, title, mount, source, state, error } = app
  const [first] = error?.findings ?? []
  return {
    id,
    name,
    version,
    title,
    mount,
    url: urlOf(app, base),
    source,
    state,
    ...(first === undefined ? {} : { error: findingJson(first, subject) }),
  }
}

function urlOf({ host, mount }: AppView, base: string): string {
  if (host !== '') return `${base.slice(0, base.indexOf(':'))}://${host}${mount}/`
  return mount === '' ? base : `${base.replace(/\/$/, '')}${mount}/`
}

function titleOf({ name, version, title }: AppView): string {
  return [`${name} ${version}`, ...(title ? [title] : [])].map(safeText).join('  ')
}

/** Everything that happens while serving, as lines on stderr; with `--json` too, because stdout is one document. */
function createLog(ui: Ui): (event: HostEvent) => void {
  const { talk } = ui
  return (event) => {
    switch (event.type) {
      case 'access':
        ui.warn(event.lines)
        break
      case 'live':
        ui.warn(
          `${talk.green(event.app.state === 'sleeping' ? 'sleeping' : 'live    ')} ${idOf(event.app)}  ${titleOf(event.app)}  in ${formatTime(event.ms)}`,
        )
        break
      case 'removed':
        ui.warn(`${talk.yellow('removed')}  ${idOf(event.app)}  ${titleOf(event.app)}`)
        break
      case 'repacked': {
        const file = shellWord(ui.name(event.source))
        ui.warn(
          `${talk.yellow('repacked')} ${safeText(file)} for this run; to keep that: zapp repack ${safeText(file)}`,
        )
        break
      }
      case 'shadowed':
        ui.warn(
          `${talk.yellow('left out')} ${safeText(ui.name(event.source))}: ${safeText(ui.name(event.by))} has ${safeText(event.mount || '/')}`,
        )
        break
      case 'failed':
        void warnFailed(ui, event)
        break
      case 'log':
        ui.warn(`${talk.dim(`${safeText(event.name)} |`)} ${safeText(event.line.text)}`)
        break
      case 'error':
        ui.warn(`${talk.red('error')}    ${safeText(event.name)}  ${safeText(event.where)}: ${errorText(event.error)}`)
        break
      case 'warned': {
        const { message, fix } = describe(event.finding)
        const about = event.name === '' ? '' : `${safeText(event.name)}  `
        ui.warn(`${talk.yellow('warning')}  ${about}${safeText(message)}. ${safeText(fix)}`)
        break
      }
      case 'state':
        warnState(ui, event.change)
        break
      case 'rolledback':
        ui.warn(`${talk.yellow('back')}     ${idOf(event.app)}  ${titleOf(event.app)}, because the newer version died`)
        break
      case 'certificate':
        void warnCertificate(ui, event)
        break
      case 'reloaded':
        void warnReloaded(ui, event.error)
    }
  }
}

async function warnFailed(ui: Ui, event: HostEvent & { type: 'failed' }): Promise<void> {
  const file = ui.name(event.app.source)
  const kept = event.kept ? '; the version before it goes on serving' : ''
  const lines = await renderFindings(event.error.findings, await subjectOf(ui, [file]), ui.talk)
  ui.warn(`${ui.talk.red('failed')}   ${idOf(event.app)}  ${safeText(file)}${kept}`, ...lines)
}

function idOf({ id }: AppView): string {
  return safeText(id)
}

/** Those that no line of another event tells. */
const TOLD: ReadonlySet<VersionState> = new Set(['checked', 'starting', 'live', 'failed'])

function warnState(ui: Ui, { app, name, version, digest, from, to, cause }: StateChange): void {
  // How the versions end with the host is no news.
  if ((TOLD.has(to) && from !== 'sleeping') || (to === 'sleeping' && from === 'starting') || ui.io.signal.aborted)
    return
  const what = `${safeText(app)}  ${safeText(name)} ${safeText(version)} ${digest.slice(0, 19)}: ${safeText(cause)}`
  ui.warn(`${ui.talk.dim(to.padEnd(8))} ${what}`)
}

async function warnCertificate(ui: Ui, { certificate, kept, findings }: HostEvent & { type: 'certificate' }) {
  const { files, names, validTo } = certificate
  const file = safeText(ui.name(files.cert))
  const lines = await renderFindings(findings, NO_SUBJECT, ui.talk)
  const until = validTo.toISOString().slice(0, 10)
  if (kept)
    ui.warn(`${ui.talk.red('refused')}  ${file}: the certificate before, until ${until}, stays in force`, ...lines)
  else
    ui.warn(
      `${ui.talk.green('tls')}      ${file}  ${(files.hosts ?? names).map(safeText).join(', ')}  until ${until}`,
      ...lines,
    )
}

async function warnReloaded(ui: Ui, error: ZappError | undefined): Promise<void> {
  if (!error) return ui.warn('settings read again')
  const [first] = error.findings
  const subject = manifestSubject(
    ui,
    ui.name(first?.path ?? ''),
    await readFile(first?.path ?? '', 'utf8').catch(() => ''),
  )
  const lines = await renderFindings(error.findings, subject, ui.talk)
  ui.warn(`${ui.talk.red('settings')} have mistakes: those before stay in force`, ...lines)
}

/** An app's own error, with its stack: the author of the app needs it, and it is not our fault to hide. */
function errorText(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return text.split('\n').map(safeText).join('\n')
}
