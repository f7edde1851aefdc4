import { readFile } from 'node:fs/promises'
import { parseEnv } from 'node:util'
import { fail, finding, ZappError } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'

type Values = Readonly<Record<string, string>>

/** A file of NAME=VALUE lines, as `node --env-file` reads it. @throws ZappError NOT_FOUND, IO */
export async function readEnvFile(path: string): Promise<Values> {
  try {
    return parseEnv(await readFile(path, 'utf8')) as Record<string, string>
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw fail('NOT_FOUND', path, { file: path }, error)
    throw fail('IO', path, { operation: 'reading the env file', reason: message }, error)
  }
}

/** What of the given values an app declares. */
export function configFor(manifest: Manifest, given: Values): Record<string, string> {
  return Object.fromEntries(Object.entries(given).filter(([name]) => manifest.config.has(name)))
}

/** @throws ZappError CONFIG_UNKNOWN for each name that no app declares */
export function checkConfigNames(names: readonly string[], apps: readonly Manifest[]): void {
  const unknown = names.filter((name) => !apps.some(({ config }) => config.has(name)))
  const findings = unknown.map((name) => finding('CONFIG_UNKNOWN', '', { name, hint: ', nor by any other' }))
  if (findings[0]) throw new ZappError(findings[0], findings)
}
