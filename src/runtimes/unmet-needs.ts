import type { Archive } from '../archive/archive.ts'
import type { Finding } from '../errors.ts'
import { resolveConfig } from './config.ts'
import { thisProcess } from './container.ts'
import { checkInterpreters } from './interpreters.ts'
import { readBuildInfo } from './load.ts'
import { checkNeeds } from './needs.ts'

export interface NeedsOptions {
  /** `""` or `/shop`. */
  readonly mount: string
  readonly config: Readonly<Record<string, string>>
  /** As {@link LoadOptions.honours}. */
  readonly honours?: readonly string[]
}

/** What keeps an app from being loaded here, without loading it: FORMAT.md §Needs. */
export async function unmetNeeds(archive: Archive, { mount, config, honours }: NeedsOptions): Promise<Finding[]> {
  const { manifest } = archive
  const resolved = await resolveConfig(manifest, config, thisProcess)
  const needs = await checkNeeds(manifest, await readBuildInfo(archive), mount, thisProcess, honours)
  return [...needs, ...(await checkInterpreters(archive, thisProcess)), ...resolved.findings]
}
