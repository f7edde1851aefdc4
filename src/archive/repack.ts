import { basename, dirname, extname, join } from 'node:path'
import { type Finding, fail, throwIfErrors, warning } from '../errors.ts'
import { type Limits, limitsWith } from '../format/limits.ts'
import { parseManifest } from '../format/manifest-parse.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { parseBuildInfo } from './build-info.ts'
import { compress } from './compress.js'
import { isCompressible } from './compressible.ts'
import { CONTENTS, SIGNATURE } from './contents-index.ts'
import { isProgram } from './file-mode.js'
import { foldersOf } from './folders.ts'
import { readForeign } from './foreign-content.ts'
import { type JudgedEntry, judgeForeign } from './foreign-entries.ts'
import { readForeignZip } from './foreign-zip.ts'
import { BUILD_INFO, MANIFEST, METADATA, MIMETYPE, SBOM } from './holdings.ts'
import { compareNames } from './name-order.ts'
import { findSecret } from './secret-content.js'
import { secretByName } from './secrets.ts'
import { toSource } from './source.ts'
import { type Writer, writeArchive } from './writer.ts'

export interface RepackOptions {
  /**
   * The file to write. Default: the zip's own name with the extension `.zapp`, which replaces the input where that is
   * its extension already. Required for bytes.
   */
  readonly out?: string
  /** Each limit that is not given has its default. */
  readonly limits?: Partial<Limits>
  readonly signal?: AbortSignal
}

export interface RepackResult {
  /** Absolute path of the archive. */
  readonly file: string
  readonly bytes: number
  /** File entries; folders are not counted. */
  readonly files: number
  /** `sha256:<hex>` of the whole file. */
  readonly digest: string
  /** `sha256:<hex>` of contents.json. */
  readonly contentDigest: string
  readonly ms: number
  readonly warnings: readonly Finding[]
}

/**
 * Writes any zip with a zapp.json as a canonical archive: entries in order, modes by content, deflated anew, so that
 * zips of one tree by different tools give the same bytes. A zip that holds everything in one folder (`shop/zapp.json`
 * and nothing beside `shop/`) is taken as if that folder were its root.
 *
 * Of ZAPP-INF, the library, the SBOM and the build record stay (the latter two if they can be read), contents.json is
 * made anew, and a signature is left out with the warning SIG_DROPPED: it is of other bytes.
 *
 * A file that `pack` would refuse as a secret stays, with the warning SECRET_KEPT: the zip is as its author made it.
 *
 * @throws ZappError NOT_FOUND, NOT_A_FILE, ZIP_UNREADABLE, TOO_MANY, CD_SIZE; MANIFEST_*; NAME_*, DUP, CASE_COLLISION,
 *   FILE_DIR_CONFLICT, TYPE, DIR_DATA, ENCRYPTED, METHOD, the quotas; the codes of wrong content; IO. Nothing is left
 *   behind then, and an earlier file is untouched.
 */
export async function repack(input: string | Uint8Array, options: RepackOptions = {}): Promise<RepackResult> {
  const started = performance.now()
  const limits = limitsWith(options.limits)
  const source = await toSource(input)
  try {
    const { judged, findings } = judgeForeign(await readForeignZip(source, limits), limits)
    throwIfErrors(findings)
    const files = rooted(judged)
    const manifestEntry = files.get(MANIFEST)
    if (!manifestEntry) throw fail('MANIFEST_MISSING', '', { got: [...files.keys()].slice(0, 3) })
    const manifestBytes = (await readForeign(manifestEntry)).content
    const manifest = manifestOf(manifestBytes, limits)

    const out = options.out ?? defaultTarget(input)
    const signed = files.has(SIGNATURE) ? [warning('SIG_DROPPED', SIGNATURE)] : []
    const secrets: Finding[] = []
    const write = (writer: Writer) => fill(writer, manifestBytes, manifest, files, secrets)
    const { warnings, ...written } = await writeArchive(out, write, {
      limits,
      ...(options.signal ? { signal: options.signal } : {}),
    })
    return { ...written, ms: Math.round(performance.now() - started), warnings: [...secrets, ...signed, ...warnings] }
  } finally {
    await source.close()
  }
}

function defaultTarget(input: string | Uint8Array): string {
  if (typeof input !== 'string') throw fail('USAGE', '', { problem: 'bytes need the option "out"', command: 'repack' })
  return join(dirname(input), `${basename(input, extname(input))}.zapp`)
}

function manifestOf(bytes: Uint8Array, limits: Limits): Manifest {
  const { manifest, findings } = parseManifest(bytes, { maxBytes: limits.manifestBytes })
  throwIfErrors(findings)
  if (!manifest) throw fail('INTERNAL', MANIFEST, { reason: 'a manifest without findings could not be read' })
  return manifest
}

/** The entries by name, without the one folder that holds all of them, if there is one and the manifest is in it. */
function rooted(judged: readonly JudgedEntry[]): ReadonlyMap<string, JudgedEntry> {
  const top = /^[^/]+\//.exec(judged[0]?.path ?? '')?.[0]
  const isWrapped =
    top !== undefined &&
    judged.every(({ path }) => path.startsWith(top)) &&
    judged.some(({ path }) => path === `${top}${MANIFEST}`)
  const cut = isWrapped ? top.length : 0
  const named = judged.map((entry) => [entry.path.slice(cut), entry] as const)
  return new Map(named.filter(([path]) => path !== ''))
}

/** Written anew, or last: everything else is in the order of names. */
const PLACED: ReadonlySet<string> = new Set([MIMETYPE, MANIFEST, METADATA, SBOM, BUILD_INFO, CONTENTS, SIGNATURE])

async function fill(
  writer: Writer,
  manifestBytes: Uint8Array,
  manifest: Manifest,
  files: ReadonlyMap<string, JudgedEntry>,
  secrets: Finding[],
): Promise<void> {
  await writer.text(MANIFEST, manifestBytes)
  const executable = new Set(manifest.executable)
  const names = [...files.keys()].filter((path) => !PLACED.has(path))
  const all = new Set([...names, ...foldersOf(names)].filter((path) => path !== METADATA))
  for (const path of [...all].sort(compareNames)) {
    const entry = files.get(path)
    if (path.endsWith('/')) await writer.folder(path)
    else if (entry) {
      const { content } = await readForeign(entry)
      const what = secretOf(path, content)
      if (what !== undefined) secrets.push(warning('SECRET_KEPT', path, { what, name: path }))
      await writeFile(writer, path, content, executable)
    }
  }
  for (const [path, isValid] of [[SBOM, isSbom] as const, [BUILD_INFO, parseBuildInfo] as const]) {
    const entry = files.get(path)
    const bytes = entry && (await readForeign(entry)).content
    if (bytes && isValid(bytes)) await writer.text(path, bytes)
  }
}

/** As `pack` judges: the content tells in the author's own files alone, and not where it is compressed. */
function secretOf(path: string, content: Buffer): string | undefined {
  const isOwn = !/(?:^|\/)node_modules\/|^ZAPP-INF\/lib\//.test(path)
  return (
    secretByName(path, content.length, () => content) ??
    (isOwn && isCompressible(path) ? findSecret(content) : undefined)
  )
}

async function writeFile(writer: Writer, path: string, bytes: Buffer, executable: ReadonlySet<string>): Promise<void> {
  const mode = isProgram(bytes) || executable.has(path) ? 0o755 : 0o644
  await writer.file({ path, mode, ...compress(bytes, isCompressible(path)) })
}

function isSbom(bytes: Uint8Array): boolean {
  try {
    const json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as { bomFormat?: unknown } | null
    return json?.bomFormat === 'CycloneDX'
  } catch {
    return false
  }
}
