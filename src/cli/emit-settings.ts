import { dirname } from 'node:path'
import type { EmitSettings } from '../emit/subject.ts'
import type { HostSubject } from '../emit/targets/systemd-host.ts'
import { TARGETS, type TargetName } from '../emit/targets.ts'
import { finding, ZappError } from '../errors.ts'
import { hint } from '../format/did-you-mean.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { judgeMount } from '../format/mount-path.ts'
import type { Ui } from './ui.ts'
import { usage } from './usage.ts'

export interface EmitFlags {
  mount?: string
  host?: string
  port?: number
  socket?: string
  processes?: number
  threads?: number
  user?: string
  cache?: string
  data?: string
  config?: string[]
  configFile?: string
  python?: string
  daemon?: boolean
  uwsgi?: boolean
  out?: string
  json?: boolean
}

/** For servers, where the manifest says nothing. */
const PROCESSES = 2
const THREADS = 4
/** Of Python's servers, and of `zapp serve`, which nginx expects too. */
const PORTS: Partial<Record<TargetName, number>> = { gunicorn: 8000, uwsgi: 8000 }
const SERVE_PORT = 8080
/** Debian's user for web servers. */
const USER = 'www-data'
/** Of a host: what it may read, a web server need not. */
const HOST_USER = 'zapp'
/** Flags of every target. */
const ALWAYS = ['out', 'json', 'debug']

/**
 * What the user said, with a default for everything else.
 *
 * @throws ZappError USAGE, MOUNT_PATH, CONFIG_UNKNOWN
 */
export function emitSettings(
  ui: Ui,
  target: TargetName,
  { name, base, config, workers }: Manifest,
  file: string,
  flags: EmitFlags,
): EmitSettings {
  checkFlags(target, flags)
  const { host = '127.0.0.1', port, socket, user = USER, python = 'python3', daemon = false, uwsgi = false } = flags
  const given = givenConfig(config, flags.config ?? [])
  const path = (option: keyof EmitFlags & string, otherwise: string) => {
    const value = flags[option]
    return plain(`--${option}`, typeof value === 'string' ? ui.path(value) : otherwise)
  }
  return {
    mount: judgeMount(flags.mount ?? (base === 'any' ? '' : base)),
    host: address(host),
    port: port ?? PORTS[target] ?? SERVE_PORT,
    ...(socket === undefined ? {} : { socket: plain('--socket', ui.path(socket)) }),
    processes: flags.processes ?? workers.processes ?? PROCESSES,
    threads: flags.threads ?? workers.threads ?? THREADS,
    user: userName(user),
    cache: path('cache', `/var/cache/zapp-${name}`),
    data: path('data', `/var/lib/zapp-${name}`),
    config: given.values,
    envFile: plain(
      '--config-file',
      flags.configFile === undefined ? `/etc/zapp/${name}.env` : ui.path(flags.configFile),
    ),
    secrets: given.secrets,
    python: plain('--python', python.includes('/') ? ui.path(python) : python),
    daemon,
    uwsgi,
    folder: plain('--out', flags.out === undefined ? dirname(file) : ui.path(flags.out)),
  }
}

/** For a folder of apps: systemd says where everything is. @throws ZappError USAGE */
export function hostEmitSettings(folder: string, flags: EmitFlags): HostSubject {
  const [wrong] = Object.keys(flags).filter((flag) => !['host', 'port', 'user', ...ALWAYS].includes(flag))
  if (wrong !== undefined) throw usage(`--${kebab(wrong)} means nothing for a folder of apps`, 'emit')
  const { host, port, user = HOST_USER } = flags
  return {
    folder,
    ...(host === undefined ? {} : { host: address(host) }),
    ...(port === undefined ? {} : { port }),
    user: userName(user),
  }
}

/** An option that means nothing to the target would be believed to do something. */
function checkFlags(target: TargetName, flags: EmitFlags): void {
  const known: readonly string[] = ['mount', ...ALWAYS, ...TARGETS[target].options]
  const [wrong] = Object.keys(flags).filter((flag) => !known.includes(flag))
  if (wrong !== undefined) throw usage(`--${kebab(wrong)} means nothing to ${target}`, 'emit')
  if (flags.socket !== undefined && (flags.host ?? flags.port) !== undefined) {
    throw usage('either --socket or --host and --port, got both', 'emit')
  }
  if (flags.uwsgi && flags.socket === undefined) throw usage('--uwsgi needs --socket, that of uWSGI', 'emit')
  const alone = target === 'mod_wsgi' && !flags.daemon ? (['processes', 'threads'] as const) : []
  for (const flag of alone) {
    if (flags[flag] !== undefined)
      throw usage(`--${flag} needs --daemon: embedded, Apache's own processes count`, 'emit')
  }
}

/** `--config NAME=VALUE` is printed; `--config NAME`, and what is required and not given, goes into the file. */
function givenConfig(declared: Manifest['config'], pairs: readonly string[]) {
  const values: Record<string, string> = {}
  const wanted = new Set<string>()
  for (const pair of pairs) {
    const [, name = '', value] = /^([^=]*)(?:=(.*))?$/s.exec(pair) ?? []
    const variable = declared.get(name)
    if (variable === undefined) throw unknown(name, [...declared.keys()])
    if (value === undefined) wanted.add(name)
    else if (variable.secret) throw usage(`${name} is a secret, which is not printed: say --config ${name}`, 'emit')
    else values[name] = plain(`--config ${name}`, value)
  }
  for (const variable of declared.values()) {
    if (variable.required && variable.default === undefined && values[variable.name] === undefined) {
      wanted.add(variable.name)
    }
  }
  return { values, secrets: [...wanted] }
}

function unknown(name: string, names: readonly string[]): ZappError {
  const found = finding('CONFIG_UNKNOWN', '', { name, hint: hint(name, names) })
  return new ZappError(found)
}

function address(host: string): string {
  return matching('--host', host, /^(?:[A-Za-z0-9.-]+|[0-9A-Fa-f:]+)$/)
}

function userName(user: string): string {
  return matching('--user', user, /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$/)
}

/** Most of the syntaxes have no way to say a line break, and a path or value that has one is a mistake or worse. */
function plain(option: string, text: string): string {
  return matching(option, text, /^\P{Cc}+$/u, 'must be of visible characters')
}

function matching(option: string, text: string, pattern: RegExp, rule = 'is not one'): string {
  if (pattern.test(text)) return text
  throw usage(`${option} ${rule}, got ${JSON.stringify(text)}`, 'emit')
}

function kebab(flag: string): string {
  return flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
