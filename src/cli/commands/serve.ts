import { once } from 'node:events'
import { InvalidArgumentError, Option } from 'commander'
import { ACCESS_FORMATS, type AccessFormat } from '../../host/access-log.ts'
import { isUp } from '../../host/app-view.ts'
import type { AppView, Host, ServeOptions } from '../../host/serve.ts'
import { findRoot } from '../../host/sources.ts'
import { earlyValidators } from '../../host/validation/early-validators.ts'
import { cacheLocation, stateLocation } from '../../runtimes/cache-location.ts'
import { type AppFlags, addAppFlags, appOptions } from '../app-flags.ts'
import { type CliCommand, helpText, JSON_OPTION } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { createHostLog, titleOf } from '../host-log.ts'
import { findingJson } from '../render-finding.ts'
import { about } from '../report.ts'
import { safeText } from '../safe-text.ts'
import { ServiceManager } from '../service-manager.ts'
import { type Subject, subjectOf } from '../subject.ts'
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
    // Without any: the folders of the settings.
    const files = paths.length === 0 && flags.settings === undefined ? ['.'] : paths
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
      const starting = start({ ...options, log: createHostLog(ui) })
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

async function start(options: ServeOptions): Promise<Host> {
  const validators = await earlyValidators(options.state, await cacheLocation({ cache: options.cache }))
  const { serve } = await import('../../host/serve.ts')
  return serve(options, validators)
}

async function optionsOf(ui: Ui, files: readonly string[], flags: ServeFlags): Promise<ServeOptions> {
  const { tlsCert: cert, tlsKey: key } = flags
  const { mount, host, port, watch, settings, admin, accessLog, state } = flags
  const roots = await Promise.all(files.map((file) => findRoot(ui.path(file)).catch(() => undefined)))
  const isHost = settings !== undefined || roots.some((root) => root?.kind === 'folder')
  const ofHost = async () => (ui.io.env.ZAPP_STATE ? ui.path(ui.io.env.ZAPP_STATE) : await stateLocation())
  const dir = state ? ui.path(state) : isHost ? await ofHost() : undefined
  if (admin !== undefined && dir === undefined) {
    throw usage('--admin needs a state folder, and one app has none: name one with --state', 'serve')
  }
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

/** The addresses on stdout. Apps that failed to start are told by {@link createHostLog}. */
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
  if (isServed && live.length === 0) rows.push([address.url, 'no app yet'])
  if (live.length > 0 && apps.length > 1 && !live.some(({ mount }) => mount === ''))
    rows.unshift([address.url, 'all apps'])
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
