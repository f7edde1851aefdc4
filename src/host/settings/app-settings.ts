import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fail } from '../../errors.ts'
import { parseBytes } from '../../format/bytes.ts'
import { parseDuration } from '../../format/duration.ts'
import type { Health, Manifest } from '../../format/manifest-types.ts'
import type { ProcessLimits } from '../../runtimes/process-limits.ts'
import { findUser, type SystemUser } from '../users/system-user.ts'
import type { HostSettings } from './read-settings.ts'
import type { AppSource } from './settings-schema.ts'

/** What an app may cost before something is done about it. */
export interface AppLimits extends ProcessLimits {
  /** So many deaths of its processes within so many ms: the app is `failed`. */
  readonly restarts?: { readonly count: number; readonly within: number }
}

/** What one app is started with, apart from its archive. Two that are equal as JSON start the same. */
export interface AppSettings {
  /** Values for `config`. A name that the app does not declare keeps it from starting. */
  readonly config: Readonly<Record<string, string>>
  /** The folder of its data folders; absent: the loader's choice. */
  readonly data?: string
  /** Instead of the manifest's. */
  readonly health?: Health
  readonly workers?: { readonly processes?: number; readonly threads?: number }
  /** ms after which it sleeps. */
  readonly idle?: number
  readonly limits?: AppLimits
  /** Whose processes they are; absent: the host's own user. */
  readonly user?: SystemUser
}

/** What the settings file says about one app: under its name, and under its id, which wins. */
export function appSource(settings: HostSettings | undefined, id: string, name: string): AppSource {
  const { apps = {} } = settings ?? {}
  const [byName, byId] = [name, id].map((key) => (Object.hasOwn(apps, key) ? apps[key] : undefined))
  return { ...byName, ...byId }
}

/**
 * @param given values that were given for all apps; those that the app declares are used, the file's win
 * @param env the environment that "env" names variables of
 * @throws ZappError NEED_CONFIG, IO for a secret that is not there; USER_UNKNOWN, USER_DENIED
 */
export async function appSettings(
  settings: HostSettings | undefined,
  { id, manifest }: { readonly id: string; readonly manifest: Manifest },
  given: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<AppSettings> {
  const {
    config = {},
    secrets = {},
    data,
    health,
    workers,
    limits,
    idle,
    user,
  } = appSource(settings, id, manifest.name)
  const folder = settings?.folder ?? ''
  const other =
    user === undefined ? undefined : await findUser(user, { file: settings?.file ?? '', app: manifest.name })
  const values = Object.entries(config).map(([name, value]) => [name, String(value)] as const)
  for (const [name, { env: variable, file }] of Object.entries(secrets)) {
    if (file !== undefined) values.push([name, await readSecret(resolve(folder, file))])
    else if (variable !== undefined) values.push([name, fromEnvironment(name, variable, env)])
  }
  return {
    config: { ...given, ...Object.fromEntries(values) },
    ...(data === undefined ? {} : { data: resolve(folder, data) }),
    ...(health === undefined ? {} : { health: { ...health, timeout: parseDuration(health.timeout ?? '30s') ?? 0 } }),
    ...(workers === undefined ? {} : { workers }),
    ...(limits === undefined ? {} : { limits: limitsOf(limits) }),
    ...(other && { user: other }),
    ...idleOf(idle ?? (manifest.processes.size > 0 ? undefined : settings?.idle)),
  } as AppSettings
}

function idleOf(idle: string | false | undefined): Pick<AppSettings, 'idle'> {
  return typeof idle === 'string' ? { idle: parseDuration(idle) ?? 0 } : {}
}

function limitsOf({ memory, requestTime, restarts }: NonNullable<AppSource['limits']>): AppLimits {
  return {
    ...(memory === undefined ? {} : { memory: parseBytes(memory)! }),
    ...(requestTime === undefined ? {} : { requestTime: parseDuration(requestTime)! }),
    ...(restarts === undefined ? {} : { restarts: { ...restarts, within: parseDuration(restarts.within)! } }),
  }
}

function fromEnvironment(name: string, variable: string, env: Readonly<Record<string, string | undefined>>): string {
  const value = env[variable]
  if (value !== undefined) return value
  throw fail('NEED_CONFIG', '', { name, about: `: the host's variable ${variable} is not set` })
}

async function readSecret(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).replace(/\r?\n$/, '')
  } catch (error) {
    throw fail('IO', file, { operation: 'reading a secret', reason: (error as Error).message }, error)
  }
}
