import { join } from 'node:path'
import type { Command } from 'commander'
import type { Manifest } from '../format/manifest-types.ts'
import { collect } from './command.ts'
import type { Ui } from './ui.ts'
import { usage } from './usage.ts'

/** What every command that runs apps lets its user say. */
export interface AppFlags {
  config?: string[]
  configFile?: string
  cache?: string
  data?: string
}

export interface AppOptions {
  readonly config: Readonly<Record<string, string>>
  /** Absolute, as the next two. */
  readonly envFile?: string
  readonly cache?: string
  readonly data?: string
}

export function addAppFlags(command: Command): Command {
  return (
    command
      .option('--config <name=value>', 'a configuration value; may be repeated', collect)
      // Not --env-file: Node takes that for its own wherever it stands.
      .option('--config-file <file>', 'a file of NAME=VALUE lines; --config wins over it')
      .option('--cache <dir>', "default: ZAPP_CACHE, or the user's cache folder")
      .option('--data <dir>', "where the apps' data folders are kept")
  )
}

/** @throws ZappError USAGE */
export function appOptions(ui: Ui, flags: AppFlags, command: string): AppOptions {
  const { configFile, cache = ui.io.env.ZAPP_CACHE, data } = flags
  return {
    config: parseConfig(flags.config ?? [], command),
    ...(configFile === undefined ? {} : { envFile: ui.path(configFile) }),
    ...(cache ? { cache: ui.path(cache) } : {}),
    ...(data === undefined ? {} : { data: ui.path(data) }),
  }
}

/** Where the data folders of one app are: as `serve` has them, below the folder of all. */
export function appData(data: string, { name }: Manifest): string {
  return join(data, name)
}

function parseConfig(pairs: readonly string[], command: string): Record<string, string> {
  const config: Record<string, string> = {}
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    if (at < 1) throw usage(`--config must be NAME=VALUE, got ${JSON.stringify(pair)}`, command)
    config[pair.slice(0, at)] = pair.slice(at + 1)
  }
  return config
}
