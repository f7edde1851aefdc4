import { warning } from '../errors.ts'
import type { LogLine } from '../runtimes/load.ts'
import { type Beginning, createDeployment, type Shared } from './create-deployment.ts'
import { storedCommands } from './deployments/run-commands.ts'
import type { Runnable } from './deployments/slot-context.ts'
import type { Events } from './events.ts'
import type { HostLogs } from './logs/host-logs.ts'
import type { StoredApp } from './prepare.ts'
import type { AppSettings } from './settings/app-settings.ts'

export interface RunnableOptions {
  readonly id: string
  readonly mount: string
  readonly cache: string
  /** Archives of earlier versions, the newest first. */
  readonly earlier: readonly string[]
  readonly begins: Beginning
}

/** One version of an app, not yet started: what answers for it, and the commands that belong to it. */
export function makeRunnable(
  stored: StoredApp,
  { config, data, health, workers, limits, idle, user }: AppSettings,
  { id, mount, cache, earlier, begins }: RunnableOptions,
  { events, logs, ...shared }: Shared & { readonly events: Events; readonly logs: HostLogs },
): Runnable {
  const { name, version, processes } = stored.manifest
  const common = {
    config,
    cache,
    data,
    user,
    onError: (error: unknown, where: string) => events.emit({ type: 'error', app: id, name, error, where }),
    onLog: (line: LogLine) => events.emit({ type: 'log', app: id, name, version, line }),
  }
  const deployment = createDeployment(
    stored,
    {
      ...{ mount, health, workers, limits, earlier, idle, begins, ...common },
      app: { id, version },
      accessLog: () => logs.format,
      onReport: (report) => logs.report({ id, version }, report),
      onRestart: () => events.countersOf(id).restarted(),
    },
    shared,
  )
  if (idle !== undefined && processes.size > 0) {
    const finding = warning('IDLE_PROCESSES', '', { name, processes: [...processes.keys()] })
    events.emit({ type: 'warned', app: id, name, finding })
  }
  return { deployment, commands: storedCommands(stored, { ...common, limits }) }
}
