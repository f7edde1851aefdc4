import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Manifest } from '../format/manifest-types.ts'
import { dataLocation } from './cache-location.ts'
import { childEnvironment } from './child-environment.ts'
import { ambient } from './environment.ts'

/** What a process that loads an app for itself is given. */
export interface WorkerPlace {
  /** The data root, absolute; it exists. */
  readonly data: string
  readonly env: Record<string, string>
  /** The interpreter that ZAPP_PYTHON names: for whoever loads the app there, and nothing of the app's. */
  readonly python: string | undefined
}

/**
 * The environment of a process that runs the `node` and `fetch` entries of one app: what a program of it would get, and
 * variables of this process that the app declares. Defaults and data folders are set when the app is loaded there.
 *
 * @param given values that the caller has for the manifest's `config`
 * @throws ZappError CACHE_NONE
 */
export async function workerPlace(
  manifest: Manifest,
  given: Readonly<Record<string, string>>,
  data: string | undefined,
): Promise<WorkerPlace> {
  const root = resolve(data ?? (await dataLocation(manifest.name)))
  await mkdir(root, { recursive: true, mode: 0o700 })
  const entries = [...manifest.entries.values()].filter(({ type }) => type === 'node' || type === 'fetch')
  const own = entries.flatMap(({ env }) => Object.entries(env)).filter(([name]) => !manifest.config.has(name))
  const declared = [...manifest.config.keys()].map((name): [string, string | undefined] => [
    name,
    (Object.hasOwn(given, name) ? given[name] : undefined) ?? ambient(name),
  ])
  const env = childEnvironment(root, new Map(own), new Map(declared))
  return { data: root, env, python: ambient('ZAPP_PYTHON') }
}
