import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Finding, fail, throwIfErrors } from '../../errors.ts'
import { parseDuration } from '../../format/duration.ts'
import { parseJson } from '../../format/json.ts'
import { placed } from '../../format/manifest-parse.ts'
import type { Broken } from '../../format/manifest-rule.ts'
import { findMisshapes } from '../../format/manifest-shape.ts'
import { parseNetwork } from '../front/client.ts'
import { placeOfAddress } from '../front/listen-address.ts'
import { toAddress } from './listen-settings.ts'
import { type SettingsSource, settingsSchema } from './settings-schema.ts'

/** A settings file that passed every check. */
export interface HostSettings extends SettingsSource {
  /** Absolute. */
  readonly file: string
  /** Absolute: what its paths are relative to. */
  readonly folder: string
}

/**
 * Reads zapp.host.json, by the same rules of JSON as a manifest (FORMAT.md §JSON).
 *
 * @param file absolute
 * @throws ZappError NOT_FOUND, IO; MANIFEST_* with every mistake, each with its line and column
 */
export async function readSettings(file: string): Promise<HostSettings> {
  const json = parseJson(await bytesOf(file), { file })
  throwIfErrors(json.findings)
  const value = json.value as SettingsSource
  const misshapes = findMisshapes(value, settingsSchema)
  const findings: Finding[] = misshapes.map((misshape) => placed(misshape, file, json))
  if (findings.length === 0) findings.push(...brokenRules(value).map((broken) => placed(broken, file, json)))
  throwIfErrors(findings.sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)))
  return { ...value, file, folder: dirname(file) }
}

type Rule = Pick<Broken, 'code' | 'at' | 'target' | 'expected' | 'got'>

/** As R20 of FORMAT.md; timers hold no more than 24 days. */
const MAX_DURATION_MS = 7 * 24 * 3600 * 1000

function brokenRules({ apps = {}, hosts = {}, proxies = [], perAddress, listen = {} }: SettingsSource): Rule[] {
  const durations = Object.entries(apps).flatMap(([app, { limits: { requestTime, restarts } = {} }]) => {
    const at = ['apps', app, 'limits']
    return [
      { at: [...at, 'requestTime'], got: requestTime },
      { at: [...at, 'restarts', 'within'], got: restarts?.within },
    ]
  })
  const tooLong = durations.flatMap(({ at, got }): Rule[] => {
    if (got === undefined || parseDuration(got)! <= MAX_DURATION_MS) return []
    return [{ code: 'MANIFEST_VALUE', at, target: 'value', expected: 'at most 7 days', got }]
  })
  const strangers = [
    ...brokenNetworks(['proxies'], proxies),
    ...brokenNetworks(['perAddress', 'except'], perAddress?.except ?? []),
  ]
  const secrets = Object.entries(apps).flatMap(([app, { secrets = {}, config = {} }]) =>
    Object.entries(secrets).flatMap(([name, { env, file }]): Rule[] => {
      const at = ['apps', app, 'secrets', name]
      const rule = { code: 'MANIFEST_VALUE', target: 'value' } as const
      if ((env === undefined) === (file === undefined)) {
        return [
          { ...rule, at, expected: 'an object with either "env" or "file"', got: env === undefined ? {} : 'both' },
        ]
      }
      if (!Object.hasOwn(config, name)) return []
      return [{ ...rule, at, target: 'key', expected: 'either in "config" or in "secrets"', got: 'both' }]
    }),
  )
  const seen = new Set(Object.keys(hosts))
  const aliases = Object.entries(hosts).flatMap(([host, { aliases = [] }]) =>
    aliases.flatMap((alias, index): Rule[] => {
      const isNew = !seen.has(alias)
      seen.add(alias)
      const at = ['hosts', host, 'aliases', index]
      return isNew
        ? []
        : [{ code: 'MANIFEST_VALUE', at, target: 'value', expected: 'a name of one host only', got: alias }]
    }),
  )
  return [...tooLong, ...strangers, ...secrets, ...aliases, ...brokenListeners(listen)]
}

function brokenNetworks(at: readonly string[], networks: readonly string[]): Rule[] {
  const expected = 'an address or a network like "10.0.0.0/8"'
  return networks.flatMap((got, index): Rule[] =>
    parseNetwork(got) ? [] : [{ code: 'MANIFEST_VALUE', at: [...at, index], target: 'value', expected, got }],
  )
}

function brokenListeners(listen: NonNullable<SettingsSource['listen']>): Rule[] {
  const rule = { code: 'MANIFEST_VALUE', target: 'value' } as const
  const places: string[] = []
  return [listen].flat().flatMap((source, index): Rule[] => {
    const at = Array.isArray(listen) ? ['listen', index] : ['listen']
    const place = placeOfAddress(toAddress(source, undefined))
    const isNew = !places.includes(place)
    places.push(place)
    if (!isNew) return [{ ...rule, at, expected: 'another address than those before it', got: place }]
    if (!source.tls || !source.redirect) return []
    return [{ ...rule, at: [...at, 'redirect'], target: 'key', expected: 'without "tls" beside it', got: 'both' }]
  })
}

async function bytesOf(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw fail('NOT_FOUND', file, { file }, error)
    throw fail('IO', file, { operation: 'reading the settings', reason: message }, error)
  }
}
