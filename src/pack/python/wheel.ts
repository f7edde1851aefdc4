import { createHash } from 'node:crypto'
import { readForeign } from '../../archive/foreign-content.ts'
import { type JudgedEntry, judgeForeign } from '../../archive/foreign-entries.ts'
import { readForeignZip } from '../../archive/foreign-zip.ts'
import { toSource } from '../../archive/source.ts'
import { type Finding, fail, throwIfErrors } from '../../errors.ts'
import { DEFAULT_LIMITS } from '../../format/limits.ts'
import type { StoredContent } from '../read-file.js'
import type { FetchedWheel } from './fetch-wheels.ts'
import { canonicalName } from './markers.ts'
import { type AddonTag, addonTag } from './native-tag.ts'
import { headerFields, parseMetadata, parseRecord, type WheelMetadata, wheelTags } from './wheel-metadata.ts'

/** A file as installing the wheel would lay it, below the folder for libraries. */
export interface WheelFile extends StoredContent {
  readonly path: string
  readonly size: number
  /** Hex. */
  readonly sha256: string
  /** Set where it is an extension module. */
  readonly addon?: AddonTag
}

export interface Wheel extends WheelMetadata {
  /** Name in canonical form. */
  readonly id: string
  /** Folder of its metadata: `flask-3.1.0.dist-info`. */
  readonly info: string
  readonly files: readonly WheelFile[]
}

/**
 * Reads a wheel as the binary distribution format says (PEP 427), as a zip that anyone may have made: names, sizes and
 * checksums are judged first, then every file by its hash in RECORD. Scripts, headers, compiled files, and notes of
 * installers are left out.
 *
 * @throws ZappError WHEEL_INVALID; the codes of foreign zips, with the wheel in front of the path
 */
export async function readWheel({ file, bytes }: FetchedWheel): Promise<Wheel> {
  const invalid = (reason: string) => fail('WHEEL_INVALID', file, { reason })
  const tags = wheelTags(file)
  if (!tags) throw invalid('its name has no tags')
  const source = await toSource(bytes)
  const { judged, findings } = judgeForeign(await readForeignZip(source, DEFAULT_LIMITS), DEFAULT_LIMITS)
  throwIfErrors(findings.map((f): Finding => ({ ...f, path: `${file}/${f.path}` })))
  const entries = judged.filter(({ kind }) => kind === 'file')

  const info = infoFolder(entries)
  if (info === undefined) throw invalid('it must hold one .dist-info folder')
  const { files, texts } = await readFiles(entries, info)
  const metadata = parseMetadata(texts.get('METADATA') ?? '')
  if (!metadata) throw invalid('METADATA must have a name and a version')
  const format = headerFields(texts.get('WHEEL') ?? '').find(([name]) => name === 'wheel-version')?.[1]
  if (!format?.startsWith('1.')) throw invalid(`its format must be of version 1, got ${format ?? 'none'}`)
  const wrong = checkRecord(parseRecord(texts.get('RECORD') ?? ''), files, info)
  if (wrong !== undefined) throw invalid(wrong)

  const installed = files.flatMap((entry): WheelFile[] => {
    const path = installedPath(entry.path, info)
    if (path === undefined || isNeedless(path, info)) return []
    const addon = addonTag(path, tags)
    return [{ ...entry, path, ...(addon ? { addon } : {}) }]
  })
  return { ...metadata, id: canonicalName(metadata.name), info, files: installed }
}

/** Every file as it stands in the zip, its content looked at once; the content of the metadata as text. */
async function readFiles(entries: readonly JudgedEntry[], info: string) {
  const files: Omit<WheelFile, 'addon'>[] = []
  const texts = new Map<string, string>()
  for (const entry of entries) {
    const { content, stored, method } = await readForeign(entry)
    const sha256 = createHash('sha256').update(content).digest('hex')
    // Bytes of their own: a view would keep the whole wheel, and take it along into the thread that compresses it.
    files.push({ path: entry.path, stored: new Uint8Array(stored), method, size: content.length, sha256 })
    if (entry.path.startsWith(`${info}/`)) texts.set(entry.path.slice(info.length + 1), content.toString('utf8'))
  }
  return { files, texts }
}

function infoFolder(entries: readonly JudgedEntry[]): string | undefined {
  const folders = new Set(entries.map(({ path }) => /^([^/]+\.dist-info)\//.exec(path)?.[1]))
  folders.delete(undefined)
  return folders.size === 1 ? [...folders][0] : undefined
}

/** RECORD lists every file but its own signatures, with its hash. What is wrong, if anything. */
function checkRecord(
  record: ReadonlyMap<string, string>,
  files: readonly WheelFile[],
  info: string,
): string | undefined {
  const own = new Set(['RECORD', 'RECORD.jws', 'RECORD.p7s'].map((name) => `${info}/${name}`))
  const held = new Set(files.map(({ path }) => path))
  for (const path of record.keys()) if (!held.has(path)) return `RECORD lists ${path}, which it does not hold`
  for (const { path, sha256 } of files) {
    if (own.has(path)) continue
    const hash = record.get(path)
    if (hash === undefined) return `RECORD does not list ${path}`
    if (hash !== `sha256=${Buffer.from(sha256, 'hex').toString('base64url')}`)
      return `${path} must have the hash in RECORD, ${hash}`
  }
  return undefined
}

/** Where installing puts it: `x.data/purelib/` and the like are spread over the root. Undefined: not in a library. */
function installedPath(path: string, info: string): string | undefined {
  const data = `${info.slice(0, -'.dist-info'.length)}.data/`
  if (!path.startsWith(data)) return path
  const { kind, rest } = /^(?<kind>[^/]+)\/(?<rest>.+)$/.exec(path.slice(data.length))?.groups ?? {}
  return kind === 'purelib' || kind === 'platlib' || kind === 'data' ? rest : undefined
}

/** Compiled code holds paths and times; the rest are notes that an installer leaves for itself. */
function isNeedless(path: string, info: string): boolean {
  if (/(?:^|\/)__pycache__\/|\.py[co]$/.test(path)) return true
  return ['INSTALLER', 'REQUESTED', 'direct_url.json'].some((name) => path === `${info}/${name}`)
}
