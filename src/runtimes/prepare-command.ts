import { resolve } from 'node:path'
import type { Archive } from '../archive/archive.ts'
import { throwIfErrors } from '../errors.ts'
import { dataLocation } from './cache-location.ts'
import { fillCommand } from './command.ts'
import { resolveConfig } from './config.ts'
import { thisProcess } from './container.ts'
import { heapFlags } from './heap-flags.ts'
import { type LoadOptions, readBuildInfo, runTree } from './load.ts'
import { checkCommandNeeds } from './needs.ts'
import type { ProcessLimits } from './process-limits.ts'
import { processEnvironment } from './program-spec.ts'

/** A command that can be started, by whatever means the caller has. */
export interface PreparedCommand {
  /** The program, then its arguments. */
  readonly argv: readonly string[]
  /** The run tree. */
  readonly cwd: string
  /** All of it: nothing of this process's environment is to be added. */
  readonly env: Readonly<Record<string, string>>
  /** Lets the run tree go. Once, when the command has ended. */
  release(): Promise<void>
}

export interface CommandOptions extends Pick<LoadOptions, 'config' | 'cache' | 'data'> {
  /** Node is told of them. */
  readonly processLimits?: ProcessLimits | undefined
}

/**
 * Checks what a command of an app needs and makes ready where it runs: FORMAT.md §Needs, §Run tree, §Commands.
 *
 * It sees the `env` of every entry point, as if it were a part of each; where they differ the first one counts.
 *
 * @param run arguments with placeholders: of the manifest, or typed by a person
 * @throws ZappError NEED_*, CONFIG_*, all at once; CACHE_*; IO
 */
export async function prepareCommand(
  archive: Archive,
  run: readonly string[],
  options: CommandOptions = {},
): Promise<PreparedCommand> {
  const { manifest } = archive
  const config = await resolveConfig(manifest, options.config ?? {}, thisProcess)
  const build = await readBuildInfo(archive)
  const { findings, python } = await checkCommandNeeds(archive, run, { build, container: thisProcess })
  throwIfErrors([...findings, ...config.findings])
  const home = resolve(options.data ?? (await dataLocation(manifest.name)))
  const tree = await runTree(archive, options, async () => home)
  const entries = [...manifest.entries.values()].reverse().flatMap(({ env }) => Object.entries(env))
  const values = { node: process.execPath, python: python?.file, data: tree.data, config: config.values }
  const [program = '', ...args] = fillCommand(run, values)
  const flags = run[0] === '{node}' ? heapFlags(options.processLimits ?? {}) : []
  return {
    argv: [program, ...flags, ...args],
    cwd: tree.root,
    env: await processEnvironment(Object.fromEntries(entries), { manifest, tree, config: config.values, home }),
    release: () => tree.release(),
  }
}
