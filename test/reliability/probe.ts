import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { HostOptions, HostProcess, Place } from './host-process.ts'
import { until } from './until.ts'

/** Looks at a host from the inside: a module that is loaded before it, and tells what it sees when it is asked. */
export interface Probe<T> {
  /** Of the host that is to be looked at. */
  readonly options: HostOptions
  ask(host: HostProcess): Promise<T>
}

/**
 * @param name of the module in this folder: at each SIGUSR2 it writes JSON to the file that ZAPP_PROBE names
 * @param flags of the host's Node
 */
export function makeProbe<T>({ temporary }: Place, name: string, flags: readonly string[] = []): Probe<T> {
  const told = join(temporary, 'probe.json')
  const all = [...flags, `--import=${resolve(import.meta.dirname, name)}`]
  return {
    options: { prefix: ['env', `ZAPP_PROBE=${told}`, `NODE_OPTIONS=${all.join(' ')}`] },
    async ask(host) {
      rmSync(told, { force: true })
      host.kill('SIGUSR2')
      await until(() => existsSync(told) && readFileSync(told, 'utf8').endsWith('}'))
      return JSON.parse(readFileSync(told, 'utf8')) as T
    },
  }
}
