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

/** What keeps a host from loading an app here, without loading it: FORMAT.md §Needs. */
export async function unmetNeeds(archive: Archive, { mount, config, honours = [] }: NeedsOptions): Promise<Finding[]> {
  const { manifest } = archive
  const resolved = await resolveConfig(manifest, config, thisProcess)
  const build = await readBuildInfo(archive)
  const { findings } = await checkNeeds(archive, { build, container: thisProcess, mount, hosted: true, honours })
  return [...findings, ...(await checkInterpreters(archive, thisProcess)), ...resolved.findings]
}
